"""What the terminal shows of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from kemer.progress import EpochProgress


@pytest.fixture
def callback(tmp_path: Path) -> Iterator[EpochProgress]:
    """A callback whose bar has four steps."""
    callback = EpochProgress()
    callback.on_train_begin(*settings_in(tmp_path))
    yield callback
    callback.on_train_end(*settings_in(tmp_path))


def settings_in(folder: Path) -> tuple[TrainingArguments, TrainerState, TrainerControl]:
    arguments = TrainingArguments(output_dir=str(folder), use_cpu=True)
    return arguments, TrainerState(max_steps=4), TrainerControl()


def test_an_evaluation_is_one_line(
    callback: EpochProgress, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {"eval_joint_loss": 0.51, "eval_exact_match": 0.625, "eval_f1_macro": 0.4}
    scores |= {"eval_distance": 0.25, "eval_f1_sad": 0.9, "epoch": 3.0}
    callback.on_log(*settings_in(tmp_path), logs=scores)
    assert capsys.readouterr().out == (
        "epoch 3, validation sessions: "
        "loss 0.510, exact match 0.625, macro F1 0.400, distance 0.250\n"
    )


def test_the_training_loss_stands_at_the_bar(
    callback: EpochProgress, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback.on_log(*settings_in(tmp_path), logs={"loss": 0.7312, "epoch": 0.5})
    assert callback.training_bar.postfix == "loss=0.731"
    assert capsys.readouterr().out == ""


def test_other_logs_are_not_shown(
    callback: EpochProgress, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback.on_log(*settings_in(tmp_path), logs={"train_runtime": 3.0})
    assert capsys.readouterr().out == ""
    assert callback.training_bar.postfix is None
