import pytest

from kemer.model_arguments import ModelArguments


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
        ({"lora_rank": -1}, "`lora_rank` is -1; allowed is 0"),
        ({"lora_rank": 4, "lora_alpha": 0.0}, "`lora_alpha` is 0.0 and"),
        ({"lora_rank": 4, "lora_dropout": 1.0}, "`lora_dropout` 1.0; allowed"),
        ({"lora_rank": 4, "from_scratch": True}, "`lora_rank` is 4 and `from_scratch` is true"),
        ({"lora_rank": 4, "freeze_speech_encoder": True}, "`lora_rank` is 4, but every encoder is"),
    ],
)
def test_lora_that_could_learn_nothing_is_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ModelArguments(speech_encoder="a", **settings)
