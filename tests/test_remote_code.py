"""A saved checkpoint works by itself: in a fresh process, elsewhere, offline, with its own code."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests import tiny

ROOT = Path(__file__).parent.parent
REMOTE_CODE = sorted(ROOT.glob("*_kemer.py"))
TRAVELLING = {
    "configuration_kemer.py",
    "decoding_kemer.py",
    "encoders_kemer.py",
    "inputs_kemer.py",
    "loading_kemer.py",
    "modeling_kemer.py",
    "pipeline_kemer.py",
    "processing_kemer.py",
}
PROCESSOR = "processing_kemer"  # saves itself
ALLOWED_IMPORTS = {"torch", "numpy", "transformers"}

# What a user does with a checkpoint, and nothing else; prints what the test compares.
USE = """
import json, sys
import numpy as np
import torch
from transformers import AutoConfig, AutoModel, AutoProcessor

checkpoint, resaved = sys.argv[1:]
config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=True)
model = AutoModel.from_pretrained(checkpoint, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(checkpoint, trust_remote_code=True)
audio = [np.sin(np.arange(901, dtype=np.float32) / 9), None]
inputs = processor(audio=audio, text=["well done", "no"], sampling_rate=16_000)
with torch.no_grad():
    output = model(**inputs)
model.save_pretrained(resaved)
processor.save_pretrained(resaved)
print(json.dumps({
    "logits": output.logits.tolist(),
    "words": processor.post_process(output)[0]["emotions"],
    "config": [config.model_type, config.speech_config.hidden_size],
    "modules": [type(part).__module__ for part in (config, model, processor)],
    "siblings": [name for name in sys.modules if name.endswith("_kemer") and "." not in name],
}))
"""


def run_elsewhere(
    folder: Path, *arguments: str, script: str = USE
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh process in `folder`, offline, with an empty cache of the Hub."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HF_HOME")
    }
    folder.mkdir(exist_ok=True)
    (folder / "use.py").write_text(script)
    return subprocess.run(
        [sys.executable, "use.py", *arguments],
        cwd=folder,
        env={**environment, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=180,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer_folder = tmp_path_factory.mktemp("tokenizer")
    tiny.make_model(tiny.SPEECHT5, tiny.TEXT["bert"]).save_pretrained(folder)
    tiny.make_processor(tokenizer_folder).save_pretrained(folder)
    yield folder


def test_all_the_code_travels_and_nothing_else(checkpoint: Path) -> None:
    assert {path.name for path in checkpoint.glob("*.py")} == TRAVELLING
    for name in TRAVELLING:
        assert (checkpoint / name).read_text() == (ROOT / name).read_text()
    written = json.loads((checkpoint / "config.json").read_text())
    assert written["auto_map"] == {
        "AutoConfig": "configuration_kemer.KemerConfig",
        "AutoModel": "modeling_kemer.KemerModel",
    }
    suffixes = {path.suffix for path in checkpoint.iterdir()}
    assert ".safetensors" in suffixes and not suffixes & {".bin", ".pt", ".pth", ".pkl"}


def test_a_fresh_process_elsewhere_gives_the_same_logits(checkpoint: Path, tmp_path: Path) -> None:
    model = KemerModel.from_pretrained(checkpoint)
    processor = KemerProcessor.from_pretrained(checkpoint)
    audio = [np.sin(np.arange(901, dtype=np.float32) / 9), None]
    inputs = processor(audio=audio, text=["well done", "no"], sampling_rate=16_000)
    with torch.no_grad():
        expected = model(**inputs).logits

    # The second process uses what the first has saved again, as after fine-tuning.
    resaved = tmp_path / "resaved"
    for number, folder in enumerate((checkpoint, resaved)):
        done = run_elsewhere(tmp_path / f"process{number}", str(folder), str(resaved))
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.strip().splitlines()[-1])
        torch.testing.assert_close(torch.tensor(found["logits"]), expected, rtol=0, atol=1e-6)
        assert found["words"]
        assert found["config"] == ["kemer", 24]
        assert all(name.startswith("transformers_modules.") for name in found["modules"])
        assert found["siblings"] == []  # the repository's own modules were not at hand
    assert {path.name for path in resaved.glob("*.py")} == TRAVELLING


@pytest.mark.parametrize("name", ["modeling_kemer.py", "encoders_kemer.py"])
def test_a_checkpoint_without_its_code_names_the_file(
    checkpoint: Path, tmp_path: Path, name: str
) -> None:
    incomplete = tmp_path / "incomplete"
    incomplete.mkdir()
    for path in checkpoint.iterdir():
        if path.name != name:
            (incomplete / path.name).write_bytes(path.read_bytes())
    done = run_elsewhere(tmp_path / "process", str(incomplete), str(tmp_path / "resaved"))
    assert done.returncode != 0
    last_line = done.stderr.strip().splitlines()[-1]
    assert name in last_line and str(incomplete) in last_line


@pytest.mark.parametrize("path", REMOTE_CODE, ids=lambda path: path.name)
def test_remote_code_imports_only_what_every_user_has(path: Path) -> None:
    siblings = {other.stem for other in REMOTE_CODE}
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body:
        nodes = [*node.body, *node.handlers[0].body] if isinstance(node, ast.Try) else [node]
        for one in nodes:
            if isinstance(one, ast.Import):
                found |= {alias.name.split(".")[0] for alias in one.names}
            elif isinstance(one, ast.ImportFrom):
                found.add(one.module.split(".")[0])
    assert found - set(sys.stdlib_module_names) <= ALLOWED_IMPORTS | siblings


@pytest.mark.parametrize("path", REMOTE_CODE, ids=lambda path: path.name)
def test_both_ways_to_import_a_sibling_agree(path: Path) -> None:
    """Relative in `try`, absolute in `except`: word for word the same, and nowhere else.

    The library finds siblings with a regular expression that reads docstrings, too.
    """
    source = path.read_text()
    relative, absolute = {}, {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Try):
            assert ast.unparse(node.handlers[0].body[0]) == "if __package__:\n    raise"
            for one in node.body:
                assert one.level == 1
                relative[one.module] = [alias.name for alias in one.names]
            for one in node.handlers[0].body[1:]:
                assert one.level == 0
                absolute[one.module] = [alias.name for alias in one.names]
    assert relative == absolute
    by_expression = re.findall(r"^\s*from\s+\.(\S+)\s+import", source, flags=re.MULTILINE)
    assert sorted(by_expression) == sorted(relative)


def test_every_sibling_is_one_step_from_the_model() -> None:
    """Releases before 5.10 copy only what the model's own file imports from a local folder."""
    source = (ROOT / "modeling_kemer.py").read_text()
    direct = set(re.findall(r"^\s*from\s+\.(\S+)\s+import", source, flags=re.MULTILINE))
    assert direct == {Path(name).stem for name in TRAVELLING} - {"modeling_kemer", PROCESSOR}
