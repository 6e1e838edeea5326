"""Two processes (gloo, on the CPU) are one: the same scores, and the same training."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from kemer.evaluation import ValidationScores
from tests.kemer.bench import make_encoders, make_release, run_flags

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = {1: [], 2: ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]}
TOLERANCE = 1e-6
"""Between weights after training: sums over two halves of a batch round otherwise than one sum."""

# Sessions 1 and 2, without the utterances of one dialogue, are 6 for the test: an odd number of
# batches for two processes, whatever their size; 4 validate, 8 are trained on.
FOLDS = ("1,,test", "2,,test", "3,,validation", "4,,train", "5,,train")
DROPPED = "2,Sess02_script02,dropped"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, folds, and encoders that leave nothing to chance."""
    folder = tmp_path_factory.mktemp("bench")
    make_release(folder)
    make_encoders(folder, dropout=False)
    lines = ["fold,session,dialogue,role", *(f"0,{line}" for line in (*FOLDS, DROPPED))]
    (folder / "folds.csv").write_text("\n".join(lines) + "\n")
    return folder


def train(bench: Path, run: Path, *, processes: int, **settings: object) -> dict[str, Any]:
    """Train in as many processes; return what `metrics.json` holds."""
    settings = {"folds_file": bench / "folds.csv", "meta_attention_dropout": 0.0, **settings}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, *LAUNCH[processes], "train.py", *run_flags(bench, run, **settings)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["run"]["processes"] == processes
    return metrics


def losses(run: Path) -> list[float]:
    """Return the validation loss of every epoch."""
    states = run.glob("checkpoints/checkpoint-*/trainer_state.json")
    last = max((json.loads(state.read_text()) for state in states), key=lambda s: s["global_step"])
    log = last["log_history"]
    return [entry["eval_joint_loss"] for entry in log if "eval_joint_loss" in entry]


def test_two_processes_score_as_one(bench: Path, tmp_path: Path) -> None:
    """The weights are those of the start: a step of this size is below their last digit."""
    still = {"learning_rate": 1e-30, "per_device_eval_batch_size": 1}
    one, two = (
        train(bench, tmp_path / str(n), processes=n, per_device_train_batch_size=4 // n, **still)
        for n in (1, 2)
    )
    weights = [load_file(tmp_path / name / "model/model.safetensors") for name in ("1", "2")]
    for name, value in weights[1].items():
        torch.testing.assert_close(weights[0][name], value, rtol=0, atol=1e-25)
    assert one["test"]["utterances"] == 6 and one["validation"]["utterances"] == 4
    assert one["test"] == two["test"] and one["validation"] == two["validation"]
    for name in ("predictions.parquet", "predictions.validation.parquet"):
        frames = [pd.read_parquet(tmp_path / str(n) / name) for n in (1, 2)]
        assert frames[0]["id"].is_unique
        pd.testing.assert_frame_equal(*frames, check_exact=True)
    assert losses(tmp_path / "1") == losses(tmp_path / "2")

    # The loss is that of the answers that were gathered, each once.
    frame = pd.read_parquet(tmp_path / "2/predictions.validation.parquet")
    probabilities = np.stack(frame["probabilities"])
    logits = np.log(probabilities) - np.log1p(-probabilities)
    answers = (logits, frame[["valence_predicted", "arousal_predicted"]].to_numpy())
    labels = np.stack(frame["labels_reference"])
    truth = (labels, frame[["valence_reference", "arousal_reference"]].to_numpy())
    again = ValidationScores(threshold=0.5, valence_arousal_loss_weight=1.0)
    expected = again(type("Prediction", (), {"predictions": answers, "label_ids": truth}))
    assert losses(tmp_path / "2") == pytest.approx([expected["joint_loss"]], rel=1e-6)


def test_batches_that_fill_no_process_change_no_score(bench: Path, tmp_path: Path) -> None:
    """Six utterances in batches of four leave two for two processes, which are filled up."""
    still = {"learning_rate": 1e-30, "per_device_eval_batch_size": 4}
    one, two = (
        train(bench, tmp_path / str(n), processes=n, per_device_train_batch_size=4 // n, **still)
        for n in (1, 2)
    )
    assert one["test"].keys() == two["test"].keys()
    for name, value in one["test"].items():
        if isinstance(value, float):
            assert two["test"][name] == pytest.approx(value, rel=1e-5), name
    frames = [pd.read_parquet(tmp_path / str(n) / "predictions.parquet") for n in (1, 2)]
    pd.testing.assert_frame_equal(*frames, check_exact=False, rtol=1e-5)


def test_two_processes_train_as_one(bench: Path, tmp_path: Path) -> None:
    moving = {"learning_rate": 0.3, "optim": "sgd", "num_train_epochs": 3}
    moving |= {"load_best_model_at_end": False, "sampler": "inverse_frequency"}
    one, two = (
        train(bench, tmp_path / str(n), processes=n, per_device_train_batch_size=4 // n, **moving)
        for n in (1, 2)
    )
    found = [load_file(tmp_path / name / "model/model.safetensors") for name in ("1", "2")]
    start = load_file(bench / "text/model.safetensors")
    moved = [
        float((found[0][name] - start[f"speecht5.encoder.{part}"]).abs().max())
        for name, part in ((name, name.removeprefix("text_encoder.")) for name in found[0])
        if f"speecht5.encoder.{part}" in start and name.startswith("text_encoder.")
    ]
    assert max(moved) > 1000 * TOLERANCE
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=0, atol=TOLERANCE)
    assert len(losses(tmp_path / "1")) == 3
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "1"), abs=TOLERANCE)
    assert two["test"]["distance"] == pytest.approx(one["test"]["distance"], abs=TOLERANCE)
    assert two["test"]["exact_match"] == one["test"]["exact_match"]
