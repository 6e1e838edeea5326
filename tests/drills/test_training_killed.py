"""A training that is killed again and again ends as one that never was, to the last digit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kemer.bench import make_encoders, make_release, run_flags

ROOT = Path(__file__).resolve().parents[2]

# Runs train.py, and kills its own process at a moment that no clock could find.
KILLER = """
import os, pathlib, runpy, signal, sys

def die(*parts, **names):
    os.kill(os.getpid(), signal.SIGKILL)

def once(place, name, *, after, then=die, before=False):
    whole, calls = getattr(place, name), [0]
    def counted(*parts, **names):
        calls[0] += 1
        if before and calls[0] == after:
            then(*parts, **names)
        result = whole(*parts, **names)
        if not before and calls[0] == after:
            then(*parts, **names)
        return result
    setattr(place, name, counted)

import transformers
from kemer import results
moment = sys.argv.pop(1)
if moment == "within an epoch":
    once(transformers.Trainer, "training_step", after=5)
elif moment == "weights saved":
    once(transformers.Trainer, "_save_optimizer_and_scheduler", after=1, before=True)
elif moment == "optimizer saved":
    once(transformers.Trainer, "_save_rng_state", after=1, before=True)
elif moment == "half a state":
    def cut(state, path):
        pathlib.Path(path).write_bytes(pathlib.Path(path).read_bytes()[:100])
        die()
    once(transformers.TrainerState, "save_to_json", after=1, then=cut)
elif moment == "predictions written":
    once(results, "write_report", after=1, before=True)
elif moment == "metrics not yet in place":
    whole = os.replace
    os.replace = lambda old, new: die() if str(new).endswith("metrics.json") else whole(old, new)
runpy.run_path("train.py", run_name="__main__")
"""

MOMENTS = (
    "within an epoch",
    "weights saved",
    "optimizer saved",
    "half a state",
    "predictions written",
    "metrics not yet in place",
)
"""In the order in which one run meets them, each time a little further on."""

SETTINGS = {
    "num_train_epochs": 4,
    "text_variants": True,
    "augment_gain": 3.0,
    "augment_speed": 0.1,
    "modality_dropout": 0.3,
    "sampler": "inverse_frequency",
    "metric_for_best_model": "joint_loss",
    "seed": 5,
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with variants of each text, and encoders with dropout, LayerDrop, SpecAugment."""
    folder = tmp_path_factory.mktemp("bench")
    make_release(folder, variants=(" b", " c"))
    make_encoders(folder)
    return folder


def train(flags: list[str], *, moment: str = "never") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-c", KILLER, moment, *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def files(run: Path) -> dict[str, bytes]:
    """Return what a run gives to others."""
    paths = [*run.glob("*.parquet"), run / "metrics.json", *(run / "model").iterdir()]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in paths}


def test_a_training_that_is_killed_again_and_again_ends_as_one_that_never_was(
    bench: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    done = train(run_flags(bench, whole, **SETTINGS))
    assert done.returncode == 0, done.stderr

    run = tmp_path / "killed"
    flags = run_flags(bench, run, **SETTINGS)
    for moment in MOMENTS:
        killed = train(flags, moment=moment)
        assert killed.returncode == -signal.SIGKILL, f"{moment}: {killed.stderr[-2000:]}"
        assert not (run / "metrics.json").exists()
        if "--resume_from_checkpoint" not in flags:
            flags += ["--resume_from_checkpoint", "true"]
    # Three of them were killed while they saved; nothing was resumed from what they left.
    done = train(flags)
    assert done.returncode == 0, done.stderr

    expected, found = files(whole), files(run)
    assert expected.keys() == found.keys()
    metrics = [json.loads(one.pop("metrics.json")) for one in (expected, found)]
    assert metrics[0] == metrics[1]
    assert [name for name in expected if expected[name] != found[name]] == []
    losses = [
        json.loads((root / "checkpoints/checkpoint-12/trainer_state.json").read_text())
        for root in (whole, run)
    ]
    kept = [
        [entry["eval_joint_loss"] for entry in one["log_history"] if "eval_joint_loss" in entry]
        for one in losses
    ]
    assert len(kept[0]) == 4 and kept[0] == kept[1]
