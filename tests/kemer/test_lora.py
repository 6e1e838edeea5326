from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kemer.command_line import parse_arguments
from kemer.initialisation import build_model
from kemer.lora import add_lora, merge_lora
from modeling_kemer import KemerModel
from tests import tiny
from tests.kemer.bench import make_trainer, run_flags, run_train


def train_updates(model: KemerModel) -> None:
    """Give the updates values, as training would."""
    torch.manual_seed(3)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data.normal_(0, 0.3)


@pytest.mark.parametrize(
    ("speech", "text"),
    [*((name, None) for name in tiny.SPEECH), *((None, name) for name in tiny.TEXT)],
)
@torch.no_grad()
def test_every_family_gets_updates_that_can_be_merged(speech: str | None, text: str | None) -> None:
    model = tiny.make_model(tiny.SPEECH.get(speech), tiny.TEXT.get(text))
    model.freeze_encoders(speech=False, text=False)
    names = set(model.state_dict())
    inputs = tiny.make_inputs(model)
    before = model(**inputs).logits
    add_lora(model, rank=4, alpha=8.0, dropout=0.0)
    torch.testing.assert_close(model(**inputs).logits, before)
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    encoders = {name for name in learns if "_encoder." in name}
    assert encoders and all("lora_" in name for name in encoders)
    assert {"emotion_head.weight", "valence_arousal_head.bias"} <= learns
    train_updates(model)
    trained = model(**inputs).logits
    assert not torch.allclose(trained, before, atol=1e-3)
    merge_lora(model)
    torch.testing.assert_close(model(**inputs).logits, trained, rtol=1e-4, atol=1e-5)
    assert set(model.state_dict()) == names


def test_a_frozen_encoder_gets_no_updates() -> None:
    model = tiny.make_model()
    model.freeze_encoders(speech=True, text=False)
    add_lora(model, rank=2, alpha=2.0, dropout=0.0)
    model.train()
    assert not model.speech_encoder.training and model.text_encoder.training
    assert not any("lora_" in name for name, _ in model.speech_encoder.named_parameters())


def test_without_updates_nothing_is_merged() -> None:
    model = tiny.make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    merge_lora(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_update_that_is_not_finite_is_refused() -> None:
    model = tiny.make_model()
    model.freeze_encoders(speech=False, text=False)
    add_lora(model, rank=2, alpha=2.0, dropout=0.0)
    train_updates(model)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        merge_lora(model)


def test_a_run_learns_the_updates_alone_and_saves_an_ordinary_model(
    bench: Path, tmp_path: Path
) -> None:
    flags = run_flags(bench, tmp_path / "run", lora_rank=2, lora_dropout=0.1, speech_encoder="none")
    arguments = parse_arguments(flags)
    run_train(arguments)
    saved = load_file(tmp_path / "run/model/model.safetensors")
    assert not any("lora" in name or "base_layer" in name for name in saved)
    before = build_model(parse_arguments(run_flags(bench, tmp_path / "x")).model).text_encoder
    changed = {
        name
        for name, value in before.state_dict().items()
        if not torch.equal(value, saved[f"text_encoder.{name}"])
    }
    assert changed and all(name.split(".")[-2] in ("q_proj", "v_proj") for name in changed)
    assert KemerModel.from_pretrained(tmp_path / "run/model").config.label_set_decoder is not None


def test_a_run_with_updates_is_resumed_as_it_would_have_gone_on(
    bench: Path, tmp_path: Path
) -> None:
    settings = {"lora_rank": 2, "num_train_epochs": 2, "lora_dropout": 0.2}
    whole = make_trainer(bench, tmp_path / "whole", **settings)
    whole.train()
    again = make_trainer(bench, tmp_path / "again", **settings)
    checkpoint = sorted((tmp_path / "whole/checkpoints").glob("checkpoint-*"))[0]
    again.train(resume_from_checkpoint=str(checkpoint))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
