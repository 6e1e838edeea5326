import doctest
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModel
from transformers.utils import ModelOutput

import modeling_kemer
from configuration_kemer import FUSIONS, KemerConfig
from modeling_kemer import KemerModel, KemerOutput
from tests import tiny

BERT, SPEECHT5 = tiny.TEXT["bert"], tiny.SPEECHT5


def expected_attention(
    model: KemerModel, positions: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute self-attention, head by head, as the formula says: softmax(QKᵀ/√d)V, joined."""
    attention, heads = model.meta_attention, model.config.meta_attention_heads
    hidden = positions.shape[-1]
    size = hidden // heads
    query, key, value = (
        positions @ weight.T + bias
        for weight, bias in zip(
            attention.in_proj_weight.split(hidden),
            attention.in_proj_bias.split(hidden),
            strict=True,
        )
    )
    results, weights = [], []
    for head in range(heads):
        columns = slice(head * size, (head + 1) * size)
        scores = query[..., columns] @ key[..., columns].transpose(1, 2) / math.sqrt(size)
        weights.append(scores.softmax(dim=-1))
        results.append(weights[-1] @ value[..., columns])
    joined = torch.cat(results, dim=-1)
    return (
        joined @ attention.out_proj.weight.T + attention.out_proj.bias,
        torch.stack(weights, dim=1),
    )


@pytest.mark.parametrize("modalities", ["both", "both, other sizes"])
@torch.no_grad()
def test_the_joint_model_is_the_architecture_of_the_paper(modalities: str) -> None:
    model = tiny.make_model(*tiny.MODALITIES[modalities])
    inputs = tiny.make_inputs(model)

    output = model(**inputs, output_attentions=True)

    frames, _ = model.speech_encoder(inputs["input_values"])
    tokens = (
        model.text_encoder(inputs["input_ids"], torch.ones(2, 7).long())
        if model.text_projection is None
        else model.text_encoder(inputs["input_ids"]).last_hidden_state
        @ model.text_projection.weight.T
        + model.text_projection.bias
    )
    attended, weights = expected_attention(model, torch.cat([frames, tokens], dim=1))
    pooled = attended.mean(dim=1)
    logits = pooled @ model.emotion_head.weight.T + model.emotion_head.bias
    valence_arousal = pooled @ model.valence_arousal_head.weight.T + model.valence_arousal_head.bias
    close = {"rtol": 0, "atol": 1e-5}
    torch.testing.assert_close(output.logits, logits, **close)
    torch.testing.assert_close(output.valence_arousal, valence_arousal, **close)
    torch.testing.assert_close(output.attentions, weights, **close)
    torch.testing.assert_close(model(**inputs).logits, logits, **close)  # torch's fast path


@torch.no_grad()
def test_late_fusion_is_both_means_side_by_side() -> None:
    model = tiny.make_model(*tiny.MODALITIES["both, other sizes"], fusion="late")
    inputs = tiny.make_inputs(model)
    assert model.meta_attention is None

    output = model(**inputs, output_attentions=True)

    frames, _ = model.speech_encoder(inputs["input_values"])
    tokens = model.text_projection(model.text_encoder(inputs["input_ids"]).last_hidden_state)
    means = {"speech": frames.mean(dim=1), "text": tokens.mean(dim=1)}
    for left_out in (None, "speech", "text"):
        kept = [0 * mean if name == left_out else mean for name, mean in means.items()]
        logits = torch.cat(kept, dim=1) @ model.emotion_head.weight.T + model.emotion_head.bias
        if left_out is not None:
            names = {"speech": "input_values", "text": "input_ids"}
            given = {name: value for name, value in inputs.items() if name != names[left_out]}
            output = model(**given)
        torch.testing.assert_close(output.logits, logits, rtol=0, atol=1e-5)
    assert output.attentions is None


@pytest.mark.parametrize("fusion", FUSIONS)
def test_modality_dropout_is_for_training_alone(fusion: str) -> None:
    model = tiny.make_model(fusion=fusion, modality_dropout=0.9)
    model.freeze_encoders(speech=True, text=True)
    inputs = tiny.make_inputs(model, batch=1)
    inputs = {name: value.repeat(64, 1) for name, value in inputs.items()}
    with torch.no_grad():
        whole = model(**inputs).logits
        parts = [model(**{name: value}).logits for name, value in inputs.items()]
        assert torch.allclose(whole, whole[:1], atol=1e-5)
        if model.meta_attention is not None:
            model.meta_attention.dropout = 0.0
        trained = model.train()(**inputs).logits
    close = [torch.isclose(trained, expected, atol=1e-4).all(dim=1) for expected in (whole, *parts)]
    assert torch.stack(close).sum(dim=0).tolist() == [1] * 64  # each row is one of the three
    assert all(kind.any() for kind in close)


@pytest.mark.parametrize("modality", ["speech", "text"])
@torch.no_grad()
def test_one_modality_is_a_mean_and_the_heads(modality: str) -> None:
    model = tiny.make_model(*tiny.MODALITIES[modality])
    inputs = tiny.make_inputs(model)
    assert model.meta_attention is None and model.text_projection is None

    output = model(**inputs, output_attentions=True)

    if modality == "speech":
        hidden_states, _ = model.speech_encoder(inputs["input_values"])
    else:
        hidden_states = model.text_encoder(inputs["input_ids"], torch.ones(2, 7).long())
    pooled = hidden_states.mean(dim=1)
    torch.testing.assert_close(output.logits, model.emotion_head(pooled))
    torch.testing.assert_close(output.valence_arousal, model.valence_arousal_head(pooled))
    assert output.attentions is None and output.loss is None


@pytest.mark.parametrize(
    ("modalities", "fusion"),
    [*((name, "meta_attention") for name in tiny.MODALITIES), ("both, other sizes", "late")],
)
@torch.no_grad()
def test_padding_and_company_do_not_change_a_prediction(modalities: str, fusion: str) -> None:
    model = tiny.make_model(*tiny.MODALITIES[modalities], fusion=fusion)
    speech = [tiny.waveform(samples, seed=samples) for samples in (901, 45, 2000, 300)]
    text = [tiny.token_ids(tokens, seed=tokens) for tokens in (3, 11, 1, 7)]
    names = ("input_values", "attention_mask"), ("input_ids", "text_attention_mask")

    def predict(rows: list[int], **padding: int) -> KemerOutput:
        inputs = {}
        if model.speech_encoder is not None:
            batch = tiny.pad([speech[row] for row in rows], value=3.0, width=padding.get("samples"))
            inputs.update(zip(names[0], batch.values(), strict=True))
        if model.text_encoder is not None:
            batch = tiny.pad([text[row] for row in rows], value=5, width=padding.get("tokens"))
            inputs.update(zip(names[1], batch.values(), strict=True))
        return model(**inputs)

    together = predict([0, 1, 2, 3], samples=2300, tokens=15)
    for order in ([3, 1, 0, 2], [0], [1], [2], [3]):
        other = predict(order)
        for name in ("logits", "valence_arousal"):
            torch.testing.assert_close(other[name], together[name][order], rtol=1e-4, atol=1e-5)
    assert (together.logits - together.logits[0]).abs().max() > 1e-2  # the test can tell rows apart


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.no_grad()
def test_a_missing_modality_equals_the_other_alone(fusion: str) -> None:
    model = tiny.make_model(SPEECHT5, BERT, fusion=fusion)
    speech = tiny.pad(
        [tiny.waveform(901, seed=1), torch.zeros(0), tiny.waveform(500, seed=2)], value=0.0
    )
    text = tiny.pad(
        [tiny.token_ids(6, seed=1), tiny.token_ids(4, seed=2), torch.zeros(0).long()], value=1
    )

    output = model(
        speech["values"], speech["mask"], text["values"], text["mask"], output_attentions=True
    )

    assert all(value.isfinite().all() for value in output.values())
    only_text = model(input_ids=text["values"][1:2, :4])
    only_speech = model(input_values=speech["values"][2:, :500])
    torch.testing.assert_close(output.logits[1:2], only_text.logits, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(output.logits[2:], only_speech.logits, rtol=1e-4, atol=1e-6)
    without = model(
        speech["values"][1:2], speech["mask"][1:2], text["values"][1:2], text["mask"][1:2]
    )
    torch.testing.assert_close(without.logits, only_text.logits, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_masked_positions_get_no_attention() -> None:
    model = tiny.make_model()
    speech = tiny.pad([tiny.waveform(901, seed=1), tiny.waveform(300, seed=2)], value=0.0)
    text = tiny.pad([tiny.token_ids(3, seed=1), tiny.token_ids(5, seed=2)], value=1)
    inputs = (speech["values"], speech["mask"], text["values"], text["mask"])

    attentions = model(*inputs, output_attentions=True).attentions

    _, speech_mask = model.speech_encoder(*inputs[:2])
    mask = torch.cat([speech_mask, text["mask"].bool()], dim=1)
    positions = mask.shape[1]
    assert attentions.shape == (2, 3, positions, positions)
    assert not mask.all()
    assert (attentions.transpose(2, 3)[~mask[:, None].expand(2, 3, positions)] == 0).all()
    torch.testing.assert_close(attentions.sum(dim=-1), torch.ones(2, 3, positions))


@torch.no_grad()
def test_hidden_states_may_be_given_in_place_of_raw_inputs() -> None:
    model = tiny.make_model(SPEECHT5, BERT)
    speech = tiny.pad([tiny.waveform(901, seed=1), tiny.waveform(300, seed=2)], value=0.0)
    text = tiny.pad([tiny.token_ids(3, seed=1), tiny.token_ids(5, seed=2)], value=1)
    raw = model(speech["values"], speech["mask"], text["values"], text["mask"])
    frames, frame_mask = model.speech_encoder(speech["values"], speech["mask"])
    tokens = model.text_encoder(text["values"], text["mask"]).last_hidden_state

    given = model(
        attention_mask=frame_mask.long(),
        text_attention_mask=text["mask"],
        speech_hidden_states=frames,
        text_hidden_states=tokens,
    )
    mixed = model(
        speech["values"],
        speech["mask"],
        text_attention_mask=text["mask"],
        text_hidden_states=tokens.half(),
    )

    torch.testing.assert_close(given.logits, raw.logits)
    frames[~frame_mask] = float("nan")  # a cache may hold anything at padding
    again = model(attention_mask=frame_mask, speech_hidden_states=frames, input_ids=text["values"])
    assert again.logits.isfinite().all()
    torch.testing.assert_close(mixed.logits, raw.logits, rtol=0, atol=1e-2)
    assert mixed.logits.dtype == torch.float32


def test_outputs_are_a_dict_or_a_tuple() -> None:
    model = tiny.make_model()
    inputs = tiny.make_inputs(model)
    output = model(**inputs)
    assert isinstance(output, ModelOutput) and list(output) == ["logits", "valence_arousal"]
    plain = model(**inputs, return_dict=False)
    assert isinstance(plain, tuple) and torch.equal(plain[0], output.logits)
    assert tiny.make_model(output_attentions=True)(**inputs).attentions is not None


HIDDEN = torch.zeros(2, 5, 24)


@pytest.mark.parametrize(
    ("modalities", "arguments", "message"),
    [
        ("both", {}, "Neither speech nor text was given"),
        (
            "speech",
            {"input_ids": torch.zeros(2, 3).long()},
            "`input_ids` was given, but this model",
        ),
        ("text", {"speech_hidden_states": HIDDEN}, "`speech_hidden_states` was given, but this"),
        (
            "both",
            {"input_values": torch.zeros(2, 900), "speech_hidden_states": HIDDEN},
            "`input_values` and `speech_hidden_states` were both given",
        ),
        (
            "both",
            {"input_ids": torch.zeros(2, 3).long(), "text_hidden_states": HIDDEN},
            "`input_ids` and `text_hidden_states` were both given",
        ),
        ("both", {"attention_mask": torch.ones(2, 900)}, "`attention_mask` was given without"),
        (
            "both",
            {"input_values": torch.zeros(900)},
            r"shape \(900,\); allowed is \(batch, samples",
        ),
        ("both", {"input_ids": torch.zeros(3).long()}, r"`input_ids` has the shape \(3,\)"),
        ("speech", {"input_values": torch.zeros(2, 900).short()}, "type torch.int16; allowed"),
        ("both", {"speech_hidden_states": HIDDEN[0]}, r"`speech_hidden_states` has the shape"),
        ("both", {"text_hidden_states": HIDDEN[..., :9]}, "hidden size 9.* encoder has 24"),
        (
            "both",
            {"text_hidden_states": HIDDEN, "text_attention_mask": torch.ones(2, 4)},
            r"`text_attention_mask` has the shape \(2, 4\).*\(2, 5\)",
        ),
        (
            "both",
            {"text_hidden_states": HIDDEN, "speech_hidden_states": HIDDEN[:1]},
            "Speech has 1 rows and text 2",
        ),
        (
            "both",
            {
                "text_hidden_states": HIDDEN,
                "text_attention_mask": torch.tensor([[1] * 5, [0] * 5]),
            },
            "Row 1 has neither speech nor text",
        ),
        (
            "speech",
            {"input_values": torch.zeros(2, 900), "attention_mask": torch.zeros(2, 900)},
            "Row 0 has neither",
        ),
        (
            "both",
            {"text_hidden_states": HIDDEN, "labels": torch.zeros(2)},
            r"`labels` has .*\(2, 7\)",
        ),
        (
            "both",
            {"text_hidden_states": HIDDEN, "labels": torch.full((2, 7), 3)},
            r"outside \[0, 1\]",
        ),
        (
            "both",
            {"text_hidden_states": HIDDEN, "valence_arousal_labels": torch.zeros(2, 1)},
            r"`valence_arousal_labels` has the shape \(2, 1\); allowed is \(2, 2\)",
        ),
    ],
)
def test_contradictory_arguments_are_refused(
    modalities: str, arguments: dict[str, torch.Tensor], message: str
) -> None:
    model = tiny.make_model(*tiny.MODALITIES[modalities])
    with pytest.raises(ValueError, match=message):
        model(**arguments)


@pytest.mark.parametrize("modalities", tiny.MODALITIES)
@torch.no_grad()
def test_saved_and_loaded_it_is_the_same(tmp_path: Path, modalities: str) -> None:
    model = tiny.make_model(*tiny.MODALITIES[modalities])
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists() and not list(tmp_path.glob("*.bin"))

    loaded, report = KemerModel.from_pretrained(tmp_path, output_loading_info=True)

    assert not report["missing_keys"] and not report["unexpected_keys"]
    inputs = tiny.make_inputs(model)
    expected, found = model(**inputs), loaded(**inputs)
    torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=1e-6)
    assert not loaded.training


def test_a_changed_config_is_checked_again() -> None:
    config = KemerConfig(SPEECHT5, SPEECHT5, meta_attention_heads=3)
    config.meta_attention_heads = 5
    with pytest.raises(ValueError, match="`meta_attention_heads` is 5"):
        KemerModel(config)


def test_other_emotions_give_other_logits() -> None:
    model = tiny.make_model(id2label={0: "calm", 1: "not calm", 2: "unsure"})
    assert model(**tiny.make_inputs(model)).logits.shape == (2, 3)


@torch.no_grad()
def test_bfloat16_weights_take_float32_waveforms() -> None:
    model = tiny.make_model()
    inputs = tiny.make_inputs(model)
    logits = model.to(torch.bfloat16)(**inputs).logits
    assert logits.dtype == torch.bfloat16 and logits.isfinite().all()


def test_the_library_can_choose_the_attention(tmp_path: Path) -> None:
    model = tiny.make_model(tiny.SPEECH["wav2vec2"], BERT)
    model.save_pretrained(tmp_path)
    eager = KemerModel.from_pretrained(tmp_path, attn_implementation="eager")
    assert eager.speech_encoder.config._attn_implementation == "eager"
    with torch.no_grad():
        torch.testing.assert_close(
            eager(**tiny.make_inputs(model)).logits, model(**tiny.make_inputs(model)).logits
        )


def test_every_encoder_class_is_the_librarys(tmp_path: Path) -> None:
    """A checkpoint's encoder alone loads in the library: no name of a weight has changed."""
    model = tiny.make_model(tiny.SPEECH["hubert"], None)
    model.speech_encoder.save_pretrained(tmp_path)
    twin = AutoModel.from_pretrained(tmp_path)
    waveforms = tiny.make_inputs(model)["input_values"]
    with torch.no_grad():
        torch.testing.assert_close(
            twin(waveforms).last_hidden_state, model.speech_encoder(waveforms)[0]
        )


def test_the_documented_example_is_true() -> None:
    results = doctest.testmod(modeling_kemer)
    assert results.attempted > 0 and results.failed == 0
