import doctest
import json
from collections.abc import Callable

import pytest
import torch

from kemer import feature_keys
from kemer.feature_keys import describe_encoder, encoder_key, input_key
from modeling_kemer import KemerModel
from tests import tiny

PRECISIONS = {"stored": "fp16", "computed": "fp32"}


def key_of(model: KemerModel, modality: str = "speech", **precisions: str) -> str:
    encoder = getattr(model, f"{modality}_encoder")
    return encoder_key(describe_encoder(encoder, **{**PRECISIONS, **precisions}))


def test_the_examples_hold() -> None:
    assert doctest.testmod(feature_keys).failed == 0


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_the_same_encoder_has_one_key_wherever_it_stands(modality: str) -> None:
    model = tiny.make_model()
    key = key_of(model, modality)
    assert len(key) == 32 and key == key_of(tiny.make_model(), modality)
    # What stands beside it has no say, nor the mode, nor where its configuration was read.
    with torch.no_grad():
        model.emotion_head.weight.add_(1)
    encoder = getattr(model, f"{modality}_encoder").train()
    encoder.config._name_or_path = "elsewhere"
    assert key_of(model, modality) == key


def first_weight(model: KemerModel) -> None:
    with torch.no_grad():
        next(model.speech_encoder.parameters()).view(-1)[0] += 1e-6


def last_weight(model: KemerModel) -> None:
    with torch.no_grad():
        list(model.speech_encoder.parameters())[-1].view(-1)[-1] *= 1 + 1e-6


def swapped_weights(model: KemerModel) -> None:
    layers = model.speech_encoder.wrapped_encoder.layers
    first, second = (layer.attention.k_proj.weight for layer in layers[:2])
    first.data, second.data = second.data, first.data


def option(model: KemerModel) -> None:
    model.speech_encoder.config.layer_norm_eps *= 2


def half(model: KemerModel) -> None:
    model.speech_encoder.half()


@pytest.mark.parametrize("change", [first_weight, last_weight, swapped_weights, option, half])
def test_whatever_is_changed_changes_the_key(change: Callable[[KemerModel], None]) -> None:
    model = tiny.make_model()
    before = key_of(model), key_of(model, "text")
    change(model)
    assert key_of(model) != before[0]
    assert key_of(model, "text") == before[1]


def test_a_statistic_that_is_no_parameter_counts() -> None:
    model = tiny.make_model(tiny.SPEECH["hubert-batch-norm"], tiny.TEXT["bert"])
    before = key_of(model)
    (running,) = [b for n, b in model.speech_encoder.named_buffers() if n.endswith("running_mean")]
    running.add_(1)
    assert key_of(model) != before


def test_precisions_code_and_libraries_count(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.make_model()
    keys = {key_of(model), key_of(model, stored="fp32"), key_of(model, computed="bf16")}
    with monkeypatch.context() as patch:
        patch.setattr(feature_keys, "version", lambda name: "0")
        keys.add(key_of(model))
    with monkeypatch.context() as patch:
        patch.setattr(feature_keys.inspect, "getsource", lambda module: "another")
        keys.add(key_of(model))
    with monkeypatch.context() as patch:
        patch.setattr(feature_keys, "FORMAT", 0)
        keys.add(key_of(model))
    assert len(keys) == 6


def test_what_an_encoder_is_described_by_can_be_written_down() -> None:
    for speech, text in ((tiny.SPEECH["data2vec-audio"], tiny.TEXT["electra"]), (None, None)):
        model = tiny.make_model(speech or tiny.SPEECHT5, text or tiny.SPEECHT5)
        for encoder in (model.speech_encoder, model.text_encoder):
            description = describe_encoder(encoder, **PRECISIONS)
            assert json.loads(json.dumps(description)) == description


def test_inputs_differ_by_value_length_and_type() -> None:
    values = torch.tensor([1.0, 2.0, 0.0])
    variants = [values, values[:2], values.double(), values.flip(0), values.int(), values[:0]]
    variants.append(values.view(torch.int32))  # the same bytes
    assert len({input_key(variant) for variant in variants}) == len(variants)
    strided = torch.tensor([1.0, 9.0, 2.0, 9.0, 0.0])[::2]
    assert input_key(strided) == input_key(values)
