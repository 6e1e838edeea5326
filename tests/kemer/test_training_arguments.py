from pathlib import Path
from typing import Any

import pytest

from kemer.training_arguments import REQUIRED_SETTINGS, KemerTrainingArguments


def training(tmp_path: Path, **settings: Any) -> KemerTrainingArguments:
    return KemerTrainingArguments(**{"output_dir": str(tmp_path), "use_cpu": True, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "fair"}, "`sampler` is 'fair'; allowed are inverse_frequency, uniform"),
        ({"decision_threshold": 1.0}, "`decision_threshold` is 1.0; it must be between 0 and 1"),
        ({"learning_rate": 0.0}, "`learning_rate` is 0.0; it must be more than 0"),
        ({"num_train_epochs": -1}, "`num_train_epochs` is -1"),
        ({"per_device_train_batch_size": 0}, "`per_device_train_batch_size` is 0"),
        ({"per_device_eval_batch_size": 0}, "`per_device_eval_batch_size` is 0"),
        ({"gradient_accumulation_steps": 0}, "`gradient_accumulation_steps` is 0"),
        ({"metric_for_best_model": "loss"}, "use `joint_loss`"),
        ({"metric_for_best_model": "exact_mach"}, "is 'exact_mach'; allowed are exact_match,"),
    ],
)
def test_training_arguments_are_checked(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        training(tmp_path, **settings)


@pytest.mark.parametrize("name", REQUIRED_SETTINGS)
def test_settings_that_the_code_relies_on_cannot_be_changed(tmp_path: Path, name: str) -> None:
    needed, _ = REQUIRED_SETTINGS[name]
    assert getattr(training(tmp_path), name) == needed
    other = not needed if isinstance(needed, bool) else ["labels"]
    other = "group_by_length" if isinstance(needed, str) else other
    with pytest.raises(ValueError, match=f"`{name}` is .*; it must stay"):
        training(tmp_path, **{name: other})


@pytest.mark.parametrize(
    ("metric", "greater"),
    [
        ("exact_match", True),
        ("eval_f1_macro", True),
        ("ccc_arousal", True),
        ("distance", False),
        ("eval_distance_valence", False),
        ("joint_loss", False),
    ],
)
def test_less_error_is_better(tmp_path: Path, metric: str, greater: bool) -> None:
    assert training(tmp_path, metric_for_best_model=metric).greater_is_better is greater


def test_the_defaults_are_the_papers(tmp_path: Path) -> None:
    arguments = training(tmp_path)
    assert arguments.sampler == "inverse_frequency"
    assert arguments.learning_rate == 2e-5
    assert arguments.per_device_train_batch_size == 16
    assert arguments.load_best_model_at_end
    assert arguments.metric_for_best_model == "exact_match"


def test_processes_that_would_train_alone_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KemerTrainingArguments, "world_size", property(lambda self: 1))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes were started.*set `use_cpu` to true"):
        KemerTrainingArguments(output_dir=str(tmp_path))
