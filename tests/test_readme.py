"""The README tells the truth: its Python runs, its commands and files exist."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests import tiny

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if shlex.split(line, comments=True)]


def test_loading_a_checkpoint_works_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "\n".join(block for block in blocks("python") if "outputs/demo/model" in block)
    tiny.make_model().save_pretrained(tmp_path / "outputs/demo/model")
    tiny.make_processor(tmp_path).save_pretrained(tmp_path / "outputs/demo/model")
    tone = np.sin(np.arange(12_000) / 9) / 2
    soundfile.write(tmp_path / "utterance.wav", tone, 22_050)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("'valence'") == 2


def test_the_metric_works_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block for block in blocks("python") if "evaluate.load" in block]
    monkeypatch.chdir(ROOT)
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert scope["metric"].name


def test_every_python_block_is_tried_here() -> None:
    assert len(blocks("python")) == 3


def test_commands_name_files_that_exist() -> None:
    shown = commands()
    assert ["make", "demo"] in shown and ["make", "test"] in shown
    for words in shown:
        for word in words:
            if word.endswith((".py", ".yaml")):
                assert (ROOT / word).is_file(), " ".join(words)


def test_the_map_of_files_is_complete() -> None:
    table = README.split("## Files")[1].split("## Limits")[0]
    first_cells = "".join(re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE))
    listed = set(re.findall(r"`([\w./]+)`", first_cells))
    for path in ROOT.iterdir():
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))):
            name = path.name + ("/" if path.is_dir() else "")
            assert name in listed, name
    assert [name for name in listed if not (ROOT / name).exists()] == []


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.search(r"^[A-Z]+_[A-Z]+$|\bTODO\b", README, flags=re.MULTILINE)
