from pathlib import Path
from typing import Any

import pytest

from kemer.arguments import RunArguments, RunPaths
from kemer.data_arguments import DataArguments
from kemer.model_arguments import ModelArguments
from kemer.training_arguments import KemerTrainingArguments


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
        KemerTrainingArguments(output_dir=str(tmp_path), use_cpu=True),
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


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ({"speech_encoder": "none"}, {"augment_gain": 6.0}, "`augment_gain` is 6.0 .*no `speech_e"),
        ({"speech_encoder": "none"}, {"augment_noise": 9.0}, "`augment_noise` is 9.0 and"),
        ({"text_encoder": "none"}, {"context_turns": 2}, "`context_turns` is 2 .*no `text_enc"),
        ({"text_encoder": "none"}, {"permute_text": True}, "`permute_text` is True and the model"),
        (
            {"freeze_speech_encoder": True},
            {"feature_cache": "c", "augment_speed": 0.1},
            "`feature_cache` and `augment_speed` are set and the speech encoder is frozen",
        ),
        (
            {"freeze_speech_encoder": True},
            {"feature_cache": "c", "augment_noise": 0.0},
            "`feature_cache` and `augment_noise` are set",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    tmp_path: Path, model: dict[str, Any], data: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run_of(tmp_path, data=data, **model)


def test_text_can_be_kept_while_the_sound_changes(tmp_path: Path) -> None:
    data = {"feature_cache": "c", "augment_gain": 3.0}
    assert run_of(tmp_path, data=data, freeze_text_encoder=True).cached == ("text",)
