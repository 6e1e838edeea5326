from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers import set_seed

from kemer.initialisation import build_model, build_processor
from kemer.model_arguments import ModelArguments
from modeling_kemer import KemerModel


def arguments(bench: Path, **settings: Any) -> ModelArguments:
    fields = {
        "speech_encoder": str(bench / "speech"),
        "text_encoder": str(bench / "text"),
        "meta_attention_heads": 3,
        **settings,
    }
    return ModelArguments(**fields)


def learns(model: KemerModel, part: str) -> set[bool]:
    return {weight.requires_grad for weight in model.get_submodule(part).parameters()}


def test_the_settings_reach_the_model(bench: Path) -> None:
    model = build_model(
        arguments(bench, meta_attention_dropout=0.25, valence_arousal_loss_weight=0.5)
    )
    assert model.config.meta_attention_heads == 3
    assert model.config.meta_attention_dropout == 0.25
    assert model.config.valence_arousal_loss_weight == 0.5
    assert model.config.fusion == "meta_attention" and model.config.modality_dropout == 0.0
    late = build_model(arguments(bench, fusion="late", modality_dropout=0.2)).config
    assert late.fusion == "late" and late.modality_dropout == 0.2


def test_low_rank_updates_are_added_where_they_are_asked_for(bench: Path) -> None:
    names = [name for name, _ in build_model(arguments(bench)).named_parameters()]
    assert not any("lora_" in name for name in names)
    settings = {"lora_rank": 3, "lora_alpha": 6.0, "lora_dropout": 0.2}
    model = build_model(arguments(bench, **settings, freeze_text_encoder=True))
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLayer)]
    assert layers and all(layer.r["default"] == 3 for layer in layers)
    assert all(layer.scaling["default"] == 2.0 for layer in layers)
    assert all(layer.lora_dropout["default"].p == 0.2 for layer in layers)
    assert not any(isinstance(layer, LoraLayer) for layer in model.text_encoder.modules())


@pytest.mark.parametrize("missing", ["speech_encoder", "text_encoder"])
def test_none_leaves_an_encoder_out(bench: Path, missing: str) -> None:
    model = build_model(arguments(bench, **{missing: None}))
    assert getattr(model, missing) is None
    assert model.meta_attention is None
    assert build_processor(arguments(bench, **{missing: None}))(text="no")["input_ids"].shape[0]


def test_weights_come_from_the_checkpoint(bench: Path) -> None:
    stored = load_file(bench / "text/model.safetensors")
    name = "wrapped_encoder.layers.1.attention.k_proj.weight"
    model = build_model(arguments(bench))
    assert torch.equal(model.text_encoder.state_dict()[name], stored[f"speecht5.encoder.{name}"])


def test_from_scratch_keeps_the_architecture_but_no_weight(bench: Path) -> None:
    pretrained = build_model(arguments(bench))
    fresh = build_model(arguments(bench, from_scratch=True, freeze_feature_encoder=False))
    assert fresh.config.to_dict() == pretrained.config.to_dict()
    name = "wrapped_encoder.layers.1.attention.k_proj.weight"
    for part in ("speech_encoder", "text_encoder"):
        weights = [getattr(model, part).state_dict()[name] for model in (fresh, pretrained)]
        assert not torch.equal(*weights)
    assert learns(fresh, "speech_encoder") == {True}


def test_the_seed_decides_what_is_drawn(bench: Path) -> None:
    found = []
    for seed in (1, 1, 2):
        set_seed(seed)
        found.append(build_model(arguments(bench)).emotion_head.weight)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_what_is_frozen_does_not_learn(bench: Path) -> None:
    model = build_model(arguments(bench))
    assert learns(model, "speech_encoder.convolutions") == {False}  # by default, as in the paper
    assert True in learns(model, "speech_encoder") and learns(model, "text_encoder") == {True}

    model = build_model(arguments(bench, freeze_speech_encoder=True, freeze_text_encoder=True))
    assert learns(model, "speech_encoder") == learns(model, "text_encoder") == {False}
    for part in ("meta_attention", "emotion_head", "valence_arousal_head"):
        assert learns(model, part) == {True}


def test_the_processor_belongs_to_the_encoders(bench: Path) -> None:
    processor = build_processor(arguments(bench))
    assert processor.minimum_samples == 30
    assert processor.sampling_rate == 16_000
    assert processor(text="no")["input_ids"].shape == (1, 4)


@pytest.mark.parametrize("name", ["speech_encoder", "text_encoder"])
@pytest.mark.parametrize("build", [build_model, build_processor])
def test_a_folder_that_is_no_checkpoint_is_named(
    bench: Path, tmp_path: Path, name: str, build: Any
) -> None:
    with pytest.raises(ValueError, match=f"`{name}` is .*folder without `config.json`") as caught:
        build(arguments(bench, **{name: str(tmp_path)}))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["speech_encoder", "text_encoder"])
def test_a_checkpoint_that_is_not_there_is_named(bench: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` 'nobody/nothing'.* cannot be loaded"):
        build_model(arguments(bench, **{name: "nobody/nothing"}))


@pytest.mark.parametrize("kept", [0, 1000])
def test_truncated_weights_are_one_sentence(bench: Path, tmp_path: Path, kept: int) -> None:
    for path in (bench / "speech").iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(
            content[:kept] if path.suffix == ".safetensors" else content
        )
    with pytest.raises(
        ValueError, match=r"`speech_encoder` '.*' cannot be loaded \(.+\)"
    ) as caught:
        build_model(arguments(bench, speech_encoder=str(tmp_path), text_encoder=None))
    assert str(tmp_path) in str(caught.value)


def test_a_checkpoint_of_the_other_kind_is_refused(bench: Path) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        build_model(arguments(bench, speech_encoder=str(bench / "text")))


def test_a_missing_tokenizer_is_named(bench: Path, tmp_path: Path) -> None:
    for path in (bench / "text").iterdir():
        if path.name in ("config.json", "model.safetensors"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="`text_encoder` .* cannot be loaded") as caught:
        build_processor(arguments(bench, text_encoder=str(tmp_path)))
    assert str(tmp_path) in str(caught.value)
