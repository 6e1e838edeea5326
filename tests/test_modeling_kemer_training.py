"""How a `KemerModel` learns: its loss, what moves and what stays, where new layers start."""

import math
import re
from pathlib import Path

import pytest
import torch

from configuration_kemer import KemerConfig
from modeling_kemer import KemerModel
from tests import tiny

SPEECHT5 = tiny.SPEECHT5


def test_the_loss_is_cross_entropy_plus_weighted_squared_error() -> None:
    model = tiny.make_model(valence_arousal_loss_weight=0.25)
    inputs = tiny.make_inputs(model)
    labels = torch.tensor([[0, 1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0]])
    targets = torch.tensor([[1.5, 4.0], [3.0, 2.0]])

    both = model(**inputs, labels=labels, valence_arousal_labels=targets)

    p = torch.sigmoid(both.logits)
    cross_entropy = -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()
    squared_error = ((both.valence_arousal - targets) ** 2).mean()
    torch.testing.assert_close(both.loss, cross_entropy + 0.25 * squared_error)
    torch.testing.assert_close(model(**inputs, labels=labels).loss, cross_entropy)
    only = model(**inputs, valence_arousal_labels=targets.double())
    torch.testing.assert_close(only.loss, 0.25 * squared_error)
    assert only.loss.dtype == torch.float32


def train_one_step(model: KemerModel) -> dict[str, torch.Tensor]:
    """Take one optimiser step; return each parameter's greatest change by its name."""
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    torch.manual_seed(0)
    model.train()
    loss = model(
        **tiny.make_inputs(model),
        labels=torch.tensor([[0, 1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0]]),
        valence_arousal_labels=torch.tensor([[1.5, 4.0], [3.0, 2.0]]),
    ).loss
    loss.backward()
    optimizer.step()
    return {name: (p.detach() - before[name]).abs().max() for name, p in model.named_parameters()}


# A bias of the keys adds the same to every score of a query, which the softmax takes out again:
# its gradient is 0 but for rounding.
KEY_BIAS = re.compile(r"\.(k_proj|key)\.bias$")


@pytest.mark.parametrize("modalities", tiny.MODALITIES)
def test_every_trainable_parameter_moves(modalities: str) -> None:
    model = tiny.make_model(*map(tiny.without_chance, tiny.MODALITIES[modalities]))
    changes = train_one_step(model)
    still = [name for name, change in changes.items() if not change > 0]
    assert [name for name in still if not KEY_BIAS.search(name)] == []


@pytest.mark.parametrize(
    ("arguments", "frozen"),
    [
        ({"speech": True, "text": True}, ("speech_encoder.", "text_encoder.")),
        ({"speech": True, "text": False}, ("speech_encoder.",)),
        (
            {"speech": False, "text": True},
            ("speech_encoder.prenet.feature_encoder.", "text_encoder."),
        ),
        ({"speech": False, "text": False, "feature_encoder": False}, ()),
    ],
)
def test_frozen_parameters_stay_and_the_others_move(
    arguments: dict[str, bool], frozen: tuple[str, ...]
) -> None:
    model = tiny.make_model(tiny.without_chance(SPEECHT5), tiny.without_chance(SPEECHT5))
    model.freeze_encoders(speech=True, text=True)  # the next call is to undo what it does not say
    model.freeze_encoders(**arguments)
    changes = train_one_step(model)
    still = {name for name, change in changes.items() if change == 0}
    expected = {name for name in changes if name.startswith(frozen)}
    assert expected <= still
    assert {name for name in still - expected if not KEY_BIAS.search(name)} == set()


def test_frozen_encoders_stay_in_evaluation_mode() -> None:
    model = tiny.make_model(SPEECHT5, SPEECHT5, meta_attention_dropout=0.0)
    inputs = tiny.make_inputs(model)
    expected = model(**inputs).logits

    model.train()
    model.freeze_encoders(speech=True, text=True)
    assert not any(module.training for module in model.speech_encoder.modules())
    assert not any(module.training for module in model.text_encoder.modules())
    assert model.training and model.meta_attention.training
    torch.testing.assert_close(model(**inputs).logits, expected)

    model.train()
    assert not model.speech_encoder.training
    model.freeze_encoders(speech=False, text=True)
    assert model.speech_encoder.training and not model.text_encoder.training
    assert not torch.allclose(model(**inputs).logits, expected)


def test_freezing_works_with_one_modality() -> None:
    for modality in ("speech", "text"):
        model = tiny.make_model(*tiny.MODALITIES[modality])
        model.freeze_encoders(speech=True, text=True)
        trainable = {name for name, p in model.named_parameters() if p.requires_grad}
        assert {name.split(".")[0] for name in trainable} == {
            "emotion_head",
            "valence_arousal_head",
        }


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        fields = {**tiny.without_chance(SPEECHT5), "apply_spec_augment": False}
        for name in ("hidden_dropout", "attention_dropout", "activation_dropout"):
            fields[name] = 0.0
        model = tiny.make_model(
            {**fields, "positional_dropout": 0.0},
            {**fields, "positional_dropout": 0.0},
            meta_attention_dropout=0.0,
        )
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert model.is_gradient_checkpointing
        model.train()
        model(**tiny.make_inputs(model), labels=torch.zeros(2, 7)).loss.backward()
        gradients.append(
            {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        )
    assert gradients[0].keys() == gradients[1].keys()
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], rtol=1e-4, atol=1e-6)


def test_new_layers_start_as_torch_does_and_valence_arousal_mid_scale(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = KemerConfig(
        {**SPEECHT5, "hidden_size": 240}, {**SPEECHT5, "hidden_size": 120}, meta_attention_heads=3
    )
    models = [KemerModel(config)]
    models[0].speech_encoder.save_pretrained(tmp_path)  # a checkpoint that lacks all new layers
    weights = {f"speech_encoder.{k}": v for k, v in models[0].speech_encoder.state_dict().items()}
    models[0].save_pretrained(tmp_path, state_dict=weights)
    models.append(KemerModel.from_pretrained(tmp_path))
    for model in models:
        assert model.valence_arousal_head.bias.tolist() == [3.0, 3.0]
        for layer in (model.emotion_head, model.valence_arousal_head, model.text_projection):
            bound = 1 / math.sqrt(layer.in_features)
            assert 0.8 * bound < layer.weight.abs().max() <= bound
        out = model.meta_attention.out_proj
        assert 0.8 / math.sqrt(240) < out.weight.abs().max() <= 1 / math.sqrt(240)
        assert (out.bias == 0).all() and (model.meta_attention.in_proj_bias == 0).all()
        bound = math.sqrt(6 / (240 + 3 * 240))  # Glorot
        assert 0.9 * bound < model.meta_attention.in_proj_weight.abs().max() <= bound


def test_the_trainer_is_told_what_it_has_to_know() -> None:
    assert KemerModel.accepts_loss_kwargs is False
    assert KemerModel.main_input_name == "input_values"
    assert KemerConfig(SPEECHT5, None).keys_to_ignore_at_inference == ["attentions"]
