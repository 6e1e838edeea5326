"""Checkpoints without frozen encoders; that killed runs go on from them is in the drills."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kemer.checkpoint_weights import (
    FROZEN_FILE,
    check_frozen,
    frozen_encoders,
    hash_frozen,
    refuse_lost,
    save_trained,
)
from tests import tiny
from tests.kemer.bench import make_trainer

FROZEN = {"freeze_speech_encoder": True, "freeze_text_encoder": True}


def test_what_is_frozen_stays_out_and_is_named(tmp_path: Path) -> None:
    model = tiny.make_model()
    assert frozen_encoders(model) == {} == hash_frozen(model)
    model.freeze_encoders(speech=True, text=False)
    hashes = hash_frozen(model)
    assert set(hashes) == {"speech_encoder"}
    save_trained(model, tmp_path, hashes=hashes)
    weights = load_file(tmp_path / "model.safetensors")
    expected = {k: v for k, v in model.state_dict().items() if not k.startswith("speech_encoder.")}
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in weights)
    assert json.loads((tmp_path / FROZEN_FILE).read_text()) == hashes
    assert not (tmp_path / "config.json").exists()  # nothing for `from_pretrained` to load


def test_another_encoder_and_lost_weights_are_refused(tmp_path: Path) -> None:
    model = tiny.make_model()
    model.freeze_encoders(speech=True, text=True)
    hashes = hash_frozen(model)
    save_trained(model, tmp_path, hashes=hashes)
    check_frozen(tmp_path, hashes=hashes)
    with torch.no_grad():
        next(model.text_encoder.parameters()).add_(1)
    with pytest.raises(ValueError, match="was trained on another frozen `text_encoder`"):
        check_frozen(tmp_path, hashes=hash_frozen(model))
    with pytest.raises(ValueError, match="another frozen `speech_encoder`"):
        check_frozen(tmp_path, hashes={})
    refuse_lost(["speech_encoder.a", "text_encoder.b"], hashes=hashes)
    with pytest.raises(ValueError, match=r"lacks 1 weights \(emotion_head.bias"):
        refuse_lost(["text_encoder.b", "emotion_head.bias"], hashes=hashes)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_run_goes_on_from_them(bench: Path, tmp_path: Path, frozen: bool) -> None:
    settings = {"num_train_epochs": 2, **(FROZEN if frozen else {})}
    whole = make_trainer(bench, tmp_path / "run", **settings)
    whole.train()
    checkpoint = sorted(
        (tmp_path / "run/checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name[11:])
    )[0]
    assert (checkpoint / FROZEN_FILE).exists() == frozen
    keys = load_file(checkpoint / "model.safetensors").keys()
    assert any(key.startswith("speech_encoder.") for key in keys) != frozen
    again = make_trainer(bench, tmp_path / "again", **settings)
    again.train(resume_from_checkpoint=str(checkpoint))
    found, expected = again.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
