from pathlib import Path
from typing import Any

import pytest

from kemer.arguments import (
    REQUIRED_SETTINGS,
    DataArguments,
    KemerTrainingArguments,
    ModelArguments,
    RunArguments,
    RunPaths,
)


def training(tmp_path: Path, **settings: Any) -> KemerTrainingArguments:
    return KemerTrainingArguments(**{"output_dir": str(tmp_path), "use_cpu": True, **settings})


def test_none_leaves_an_encoder_out() -> None:
    arguments = ModelArguments(speech_encoder="none", text_encoder="folder")
    assert arguments.speech_encoder is None
    assert arguments.text_encoder == "folder"
    assert ModelArguments(speech_encoder="folder", text_encoder="none").text_encoder is None


@pytest.mark.parametrize("missing", [None, "none"])
def test_a_model_needs_an_encoder(missing: str | None) -> None:
    with pytest.raises(ValueError, match="`speech_encoder` and `text_encoder` are both missing"):
        ModelArguments(speech_encoder=missing, text_encoder=missing)


def test_what_is_drawn_at_random_learns() -> None:
    frozen = {f"freeze_{part}_encoder": True for part in ("speech", "text", "feature")}
    arguments = ModelArguments(from_scratch=True, speech_encoder="a", text_encoder="b", **frozen)
    assert not any(getattr(arguments, name) for name in frozen)
    kept = ModelArguments(speech_encoder="a", text_encoder="b", **frozen)
    assert all(getattr(kept, name) for name in frozen)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "`dataset` is missing; name a folder"),
        ({"dataset": "a", "fold": -1}, "`fold` is -1; folds are numbered from 0"),
        (
            {"dataset": "a", "text_variants": True, "text_column": "text_ko"},
            "`text_variants` is true and `text_column` is 'text_ko'; only 'text_en' has variants: ",
        ),
        ({"dataset": "a", "protocol": "sesion"}, "`protocol` is 'sesion'; allowed are session, "),
        (
            {"dataset": "a", "protocol": "random", "folds_file": "b.csv"},
            "`protocol` is 'random' and `folds_file` 'b.csv'; a protocol is a file of the dataset",
        ),
        ({"dataset": "a", "max_train_seconds": 0.1}, "`max_train_seconds` is 0.1; it must"),
        ({"dataset": "a", "feature_cache": __file__}, "`feature_cache` is '.*', which is a file"),
        (
            {"dataset": "a", "feature_cache_precision": "int8"},
            "`feature_cache_precision` is 'int8'; allowed are fp16, bf16, fp32",
        ),
    ],
)
def test_data_arguments_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataArguments(**settings)


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


def test_only_the_model_folder_lies_beside_the_checkpoints() -> None:
    paths = RunPaths(Path("run"))
    everything = [getattr(paths, name) for name in ("model", "checkpoints", "logs", "report")]
    everything += [paths.metrics, paths.predictions]
    assert {path.parent for path in everything} == {Path("run")}
    assert len(set(everything)) == len(everything)


# What the feature cache keeps.


def run_of(tmp_path: Path, *, data: dict[str, Any], **model: Any) -> RunArguments:
    encoders = {"speech_encoder": "a", "text_encoder": "b"}
    return RunArguments(
        ModelArguments(**{**encoders, **model}),
        DataArguments(dataset="a", **data),
        training(tmp_path),
        RunPaths(tmp_path),
    )


@pytest.mark.parametrize(
    ("model", "cached"),
    [
        ({"freeze_speech_encoder": True, "freeze_text_encoder": True}, ("speech", "text")),
        ({"freeze_speech_encoder": True}, ("speech",)),
        ({"freeze_text_encoder": True}, ("text",)),
        ({"freeze_speech_encoder": True, "text_encoder": "none"}, ("speech",)),
        ({"freeze_text_encoder": True, "speech_encoder": "none"}, ("text",)),
    ],
)
def test_frozen_encoders_are_cached_where_there_is_a_cache(
    tmp_path: Path, model: dict[str, Any], cached: tuple[str, ...]
) -> None:
    assert run_of(tmp_path, data={"feature_cache": "c"}, **model).cached == cached
    assert run_of(tmp_path, data={}, **model).cached == ()


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"freeze_speech_encoder": True, "freeze_text_encoder": True, "from_scratch": True},
        {"freeze_speech_encoder": True, "speech_encoder": "none"},
        {"freeze_text_encoder": True, "text_encoder": "none"},
    ],
)
def test_a_cache_with_nothing_to_keep_is_refused(tmp_path: Path, model: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`feature_cache` is set, but no encoder is frozen"):
        run_of(tmp_path, data={"feature_cache": "c"}, **model)


def test_texts_that_are_drawn_are_not_kept(tmp_path: Path) -> None:
    data = {"feature_cache": "c", "text_variants": True}
    for speech in (True, False):
        frozen = {"freeze_speech_encoder": speech, "freeze_text_encoder": True}
        with pytest.raises(ValueError, match="`feature_cache` and `text_variants` are set"):
            run_of(tmp_path, data=data, **frozen)
    # Speech can be kept while the text encoder learns.
    assert run_of(tmp_path, data=data, freeze_speech_encoder=True).cached == ("speech",)
