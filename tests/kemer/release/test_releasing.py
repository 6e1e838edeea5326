"""The whole chain over HTTP: train, push all four, and use them as a stranger does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file

from kemer.predict.answering import Answerer
from kemer.predict.settings import CutSettings
from kemer.release.releasing import Release, all_releases, push_releases
from kemer.release.upload import Target
from modeling_kemer import KemerModel
from pipeline_kemer import KemerPipeline
from processing_kemer import KemerProcessor
from tests.hub.endpoints import TOKEN
from tests.hub.server import LoopbackHub
from tests.kemer.bench import run_flags
from tests.kemer.release import stranger
from tests.kemer.release.conftest import ROOT, Run
from tests.space.conftest import served

REPO = "someone/kemer-tiny"
PUSH = ["--push_to_hub", "true", "--hub_model_id", REPO]


def near(found: Any, expected: Any) -> bool:
    """Return whether two nested answers are the same to 1e-4."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(near(found[k], expected[k]) for k in found)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(near, found, expected))
    return found == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected)


def test_from_training_to_strangers(
    client: Run, hub: LoopbackHub, bench: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = client(str(ROOT / "train.py"), *run_flags(bench, run), *PUSH)
    assert done.returncode == 0, done.stderr
    repository = hub.repository("model", REPO)
    head = repository.head.oid
    assert repository.private and len(repository.commits) == 2
    assert done.stdout.splitlines()[-1] == f"pushed: {hub.endpoint}/{REPO} at {head[:12]}"
    assert [name for kind, name in hub.store.repositories] == [REPO]
    files = set(repository.head.files)
    assert {"config.json", "model.safetensors", "modeling_kemer.py", "README.md"} <= files
    assert not [name for name in files if name.endswith((".bin", ".pt", ".parquet"))]

    words = ["all", str(run), "--dataset", str(bench / "release"), "--repo-id", REPO]
    done = client("-m", "kemer.release", *words, "--tag", "v1")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 4 and all(line.endswith(", v1") for line in said)
    assert [line.startswith("released") for line in said] == [True, True, False, True]
    assert repository.head.oid == head == repository.tags["v1"]  # as `train.py` had pushed it
    again = client("-m", "kemer.release", *words, "--tag", "v1")
    assert again.stdout.count("nothing has changed:") == 4
    assert hub.repository("dataset", f"{REPO}-data").private

    recording = tmp_path / "utterance.flac"
    soundfile.write(recording, np.sin(np.arange(8000) / 9) / 2, 8000)
    asked = [str(ROOT / "tests/kemer/release/stranger.py"), REPO, f"{REPO}-data", f"{REPO}-metric"]
    asked += [str(recording), "v1"]
    done = client(*asked, cache="strangers", PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    compare_with_local(found, run, bench, recording)

    seen = len(hub.requests)
    switches = {"HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}  # evaluate heeds its own alone
    offline = client(*asked, cache="strangers", PYTHONPATH="", **switches)
    assert offline.returncode == 0, offline.stderr
    assert json.loads(offline.stdout.splitlines()[-1]) == found
    assert hub.requests[seen:] == []
    use_the_space(hub, run, recording, tmp_path)


def compare_with_local(found: dict[str, Any], run: Path, bench: Path, recording: Path) -> None:
    """Every answer that came over the Hub is that of the object it was made from."""
    model = KemerModel.from_pretrained(run / "model").eval()
    processor = KemerProcessor.from_pretrained(run / "model")
    assert found["type"] == "kemer"
    assert near(found["logits"], stranger.use_model(model, processor))
    listen = KemerPipeline(model=model, processor=processor)
    expected = stranger.use_pipeline(listen, str(recording))
    assert near(found["pipeline"], expected)
    assert near(expected["list"][:4], [expected[n] for n in ("path", "bytes", "array", "flat")])
    assert "this model does not read Korean" in found["pipeline"]["refused"]
    rows = stranger.use_dataset(str(bench / "release"), streaming=False)
    assert found["rows"] == rows == found["streamed"] and sum(map(len, rows.values())) == 20
    assert found["scores"] == stranger.use_metric(str(ROOT / "evaluate_metric"))


def use_the_space(hub: LoopbackHub, run: Path, recording: Path, folder: Path) -> None:
    """The demo runs from what its Space holds, with the model that its card names."""
    space = folder / "space"
    settings = {
        "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(folder / "strangers"), "PYTHONPATH": "",
    }  # fmt: skip
    for path, blob in hub.repository("space", f"{REPO}-demo").head.files.items():
        (space / path).parent.mkdir(parents=True, exist_ok=True)
        (space / path).write_bytes(blob.content)
    with served(space / "app.py", folder / "log", **settings) as address:
        page = Client(address, verbose=False)
        *_, found = page.predict(handle_file(recording), "well done", "English", api_name="/listen")
    answerer = Answerer(str(run / "model"), settings=CutSettings())
    expected = list(answerer.answer(answerer.read(recording), text="well done"))
    assert near(found, expected)
    loaded = (
        "import sys, app; print(*(module.__file__ for name, module in sys.modules.items()"
        " if 'kemer' in name and 'editable' not in name), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=space, capture_output=True, text=True, check=True
    )
    files = done.stdout.split()
    assert len(files) > 12 and all(file.startswith(str(space)) for file in files)


def test_without_trust_a_stranger_is_told_what_to_do(
    client: Run, hub: LoopbackHub, run_folder: Path
) -> None:
    done = client("-m", "kemer.release", "model", str(run_folder), "--repo-id", REPO)
    assert done.returncode == 0, done.stderr
    for call in ("AutoModel.from_pretrained('{}')", "pipeline(model='{}')"):
        script = f"from transformers import AutoModel, pipeline; {call.format(REPO)}"
        done = client("-c", script, cache="strangers", PYTHONPATH="")
        assert done.returncode == 1
        assert "`trust_remote_code=True`" in done.stderr.splitlines()[-1], done.stderr


def test_what_is_wrong_with_the_last_part_stops_the_first(
    run_folder: Path, bench: Path, tmp_path: Path
) -> None:
    # No Hub is there: a push would end in another error.
    releases = all_releases(run_folder, bench / "release", repo_id=REPO, public=True)
    assert [one.what for one in releases] == ["dataset", "metric", "model", "space"]
    with pytest.raises(ValueError, match="holds audio and transcripts of KEMDy"):
        push_releases([*releases[1:], releases[0]])
    with pytest.raises(ValueError, match="is no finished run"):
        push_releases(all_releases(tmp_path, bench / "release", repo_id=REPO))


def test_options_of_another_release_are_refused(tmp_path: Path) -> None:
    target = Target("a/b", "space")
    with pytest.raises(ValueError, match="`--model` is None, and this is a space"):
        Release("space", tmp_path, target)
    with pytest.raises(ValueError, match="`--model` is 'a/c', and this is a model"):
        Release("model", tmp_path, target, model_id="a/c")
    with pytest.raises(ValueError, match="`--text-free` is of a data set, and this is a metric"):
        Release("metric", tmp_path, target, text_free=True)
    with pytest.raises(ValueError, match="`--repo-id` is 'b'; allowed is OWNER/NAME"):
        Target("b", "model")
    with pytest.raises(ValueError, match="`--repo-id`: Repo id must"):
        Target("a/b/c d", "model")
