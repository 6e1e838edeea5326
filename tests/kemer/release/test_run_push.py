"""Pushing from `train.py` where it fails; that it works is shown in `test_releasing`."""

from pathlib import Path

import pytest

from kemer.arguments import RunPaths
from kemer.command_line import parse_arguments
from kemer.release.run_push import open_run_target
from tests.hub.server import LoopbackHub
from tests.kemer.bench import run_flags
from tests.kemer.release.conftest import ROOT, Run

REPO = "someone/kemer-tiny"
PUSH = ["--push_to_hub", "true", "--hub_model_id", REPO]


def test_without_the_flag_nothing_is_asked_of_the_hub(bench: Path, tmp_path: Path) -> None:
    training = parse_arguments(run_flags(bench, tmp_path)).training
    assert open_run_target(training, RunPaths(tmp_path)) is None  # there is no Hub


def test_what_would_push_pickles_is_refused(bench: Path, tmp_path: Path) -> None:
    for setting, value in (("hub_strategy", "every_save"), ("hub_always_push", "true")):
        with pytest.raises(ValueError, match=f"`{setting}` is .*; it must stay"):
            parse_arguments([*run_flags(bench, tmp_path), *PUSH, f"--{setting}", value])


def test_a_run_that_could_not_be_pushed_is_not_begun(
    client: Run, hub: LoopbackHub, bench: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = [str(ROOT / "train.py"), *run_flags(bench, run), *PUSH]
    for environment, message in (
        ({"HF_TOKEN": "hf_wrong"}, "the Hub did not take the repository `someone/kemer-tiny`"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "Connection refused"),
    ):
        done = client(*words, **environment)
        assert done.returncode == 2 and message in done.stderr.splitlines()[-1], done.stderr
    assert not run.exists() and not hub.store.repositories


def test_a_push_that_fails_loses_nothing_of_the_run(
    client: Run, hub: LoopbackHub, bench: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    hub.fail("POST", f"/{REPO}/commit/", status=403, times=99)
    done = client(str(ROOT / "train.py"), *run_flags(bench, run), *PUSH)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert f"the run is finished and lies in `{run}`, but the Hub did not take" in last
    assert f"`python -m kemer.release model {run} --repo-id {REPO}` pushes it" in last
    assert (run / "metrics.json").is_file() and (run / "model/model.safetensors").is_file()
    assert hub.repository("model", REPO).head.files == {}
