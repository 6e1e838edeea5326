import logging
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel, PreTrainedModel, SpeechT5Model
from transformers.models.speecht5.modeling_speecht5 import (
    SpeechT5DecoderWithoutPrenet,
    SpeechT5EncoderWithSpeechPrenet,
    SpeechT5EncoderWithTextPrenet,
)

from modeling_kemer import KemerModel
from tests import tiny


def save_checkpoint(folder: Path, class_name: str, fields: dict[str, Any]) -> PreTrainedModel:
    """Save a tiny model of a class of the library with random weights; return it."""
    classes = {
        "SpeechT5EncoderWithSpeechPrenet": SpeechT5EncoderWithSpeechPrenet,
        "SpeechT5EncoderWithTextPrenet": SpeechT5EncoderWithTextPrenet,
    }
    torch.manual_seed(3)
    model_class = classes.get(class_name) or getattr(transformers, class_name)
    model = tiny.spread_weights(model_class(tiny.library_config(fields)), seed=4).eval()
    model.save_pretrained(folder)
    return model


def encoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """Return the encoder inside a model of the library, or the model if it is one."""
    base = model.base_model
    return base.encoder if type(base) is SpeechT5Model else base


def assert_same_weights(found: PreTrainedModel, expected: PreTrainedModel) -> None:
    weights = {
        name: value
        for name, value in expected.state_dict().items()
        if not name.startswith("pooler.")
    }
    assert found.state_dict().keys() == weights.keys()
    assert all(torch.equal(found.state_dict()[name], weights[name]) for name in weights)


SPEECH_CHECKPOINTS = [
    ("SpeechT5ForSpeechToSpeech", tiny.SPEECHT5),
    ("SpeechT5ForSpeechToText", tiny.SPEECHT5),
    ("SpeechT5EncoderWithSpeechPrenet", tiny.SPEECHT5),
    ("Wav2Vec2Model", tiny.SPEECH["wav2vec2"]),
    ("Wav2Vec2ForCTC", tiny.SPEECH["wav2vec2-stable"]),
    ("Wav2Vec2ForPreTraining", tiny.SPEECH["wav2vec2"]),
    ("HubertModel", tiny.SPEECH["hubert"]),
    ("HubertForCTC", tiny.SPEECH["hubert-batch-norm"]),
    ("WavLMModel", tiny.SPEECH["wavlm"]),
    ("WavLMForCTC", tiny.SPEECH["wavlm-stable"]),
    ("Data2VecAudioModel", tiny.SPEECH["data2vec-audio"]),
    ("Data2VecAudioForCTC", tiny.SPEECH["data2vec-audio"]),
]


@pytest.mark.parametrize(("class_name", "fields"), SPEECH_CHECKPOINTS)
@torch.no_grad()
def test_a_speech_encoder_comes_out_of_its_checkpoint(
    tmp_path: Path, class_name: str, fields: dict[str, Any]
) -> None:
    upstream = encoder_of(save_checkpoint(tmp_path, class_name, fields))

    model = KemerModel.from_encoders(speech=tmp_path, text=None)

    assert_same_weights(model.speech_encoder, upstream)
    waveforms = torch.stack([tiny.waveform(1239, seed=1), tiny.waveform(1239, seed=2)])
    expected = upstream(waveforms).last_hidden_state
    torch.testing.assert_close(model.speech_encoder(waveforms)[0], expected, rtol=0, atol=1e-5)
    assert not model.training


TEXT_CHECKPOINTS = [
    ("SpeechT5ForTextToSpeech", tiny.SPEECHT5),
    ("SpeechT5EncoderWithTextPrenet", tiny.SPEECHT5),
    ("BertModel", tiny.TEXT["bert"]),
    ("BertForMaskedLM", tiny.TEXT["bert"]),
    ("RobertaForMaskedLM", tiny.TEXT["roberta"]),
    ("XLMRobertaModel", tiny.TEXT["xlm-roberta"]),
    ("ElectraForPreTraining", tiny.TEXT["electra"]),
    ("DistilBertForMaskedLM", tiny.TEXT["distilbert"]),
]


@pytest.mark.parametrize(("class_name", "fields"), TEXT_CHECKPOINTS)
@torch.no_grad()
def test_a_text_encoder_comes_out_of_its_checkpoint(
    tmp_path: Path, class_name: str, fields: dict[str, Any]
) -> None:
    upstream = encoder_of(save_checkpoint(tmp_path, class_name, fields))

    model = KemerModel.from_encoders(speech=None, text=tmp_path)

    assert_same_weights(model.text_encoder, upstream)
    tokens = torch.stack([tiny.token_ids(9, seed=1), tiny.token_ids(9, seed=2)])
    expected = upstream(tokens).last_hidden_state.mean(dim=1)
    logits = model(input_ids=tokens).logits
    torch.testing.assert_close(logits, model.emotion_head(expected), rtol=0, atol=1e-5)


def test_the_two_checkpoints_of_the_paper_make_the_joint_model(tmp_path: Path) -> None:
    speech = save_checkpoint(tmp_path / "vc", "SpeechT5ForSpeechToSpeech", tiny.SPEECHT5)
    text = save_checkpoint(tmp_path / "tts", "SpeechT5ForTextToSpeech", tiny.SPEECHT5)

    model = KemerModel.from_encoders(
        str(tmp_path / "vc"), str(tmp_path / "tts"), meta_attention_heads=4
    )

    assert_same_weights(model.speech_encoder, speech.speecht5.encoder)
    assert_same_weights(model.text_encoder, text.speecht5.encoder)
    assert model.meta_attention.num_heads == 4
    assert str(tmp_path) not in model.config.to_json_string()


def test_stage_one_feeds_stage_two(tmp_path: Path) -> None:
    speech = tiny.make_model(tiny.SPEECHT5, None, seed=1)
    text = tiny.make_model(None, tiny.TEXT["bert"], seed=2)
    both = tiny.make_model(tiny.SPEECHT5, tiny.TEXT["bert"], seed=3)
    for name, model in {"speech": speech, "text": text, "both": both}.items():
        model.save_pretrained(tmp_path / name)

    joint = KemerModel.from_encoders(
        str(tmp_path / "speech"), str(tmp_path / "text"), meta_attention_heads=3
    )
    assert_same_weights(joint.speech_encoder, speech.speech_encoder)
    assert_same_weights(joint.text_encoder, text.text_encoder)

    again = KemerModel.from_encoders(None, str(tmp_path / "both"))
    assert_same_weights(again.text_encoder, both.text_encoder)


def test_a_checkpoint_in_half_precision_becomes_a_model_in_float32(tmp_path: Path) -> None:
    upstream = save_checkpoint(tmp_path, "Wav2Vec2Model", tiny.SPEECH["wav2vec2"])
    upstream.half().save_pretrained(tmp_path)
    model = KemerModel.from_encoders(tmp_path, None)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert_same_weights(model.speech_encoder, upstream.float())


def test_a_bare_speecht5_model_with_its_prenet_is_read(tmp_path: Path) -> None:
    config = tiny.library_config(tiny.SPEECHT5)
    encoder = tiny.spread_weights(SpeechT5EncoderWithSpeechPrenet(config), seed=4)
    SpeechT5Model(config, encoder, SpeechT5DecoderWithoutPrenet(config)).save_pretrained(tmp_path)
    assert_same_weights(KemerModel.from_encoders(tmp_path, None).speech_encoder, encoder)


@pytest.mark.parametrize(
    ("argument", "class_name", "fields", "message"),
    [
        (
            "speech",
            "SpeechT5ForTextToSpeech",
            tiny.SPEECHT5,
            r"`speech` is .*SpeechT5ForTextToSpeech.*lacks .* speech encoder.*SpeechT5ForSpeechToS",
        ),
        (
            "text",
            "SpeechT5ForSpeechToSpeech",
            tiny.SPEECHT5,
            r"`text` is .*SpeechT5ForSpeechToSpeech.*lacks .* text encoder.*SpeechT5ForTextToSpe",
        ),
        (
            "speech",
            "SpeechT5EncoderWithTextPrenet",
            tiny.SPEECHT5,
            r"`speech` is .*SpeechT5EncoderWithTextPrenet",
        ),
        ("speech", "SpeechT5Model", tiny.SPEECHT5, r"`speech` is .*SpeechT5Model.*prenet"),
        ("speech", "BertModel", tiny.TEXT["bert"], r"`speech` .*type 'bert'.*BertModel.*wav2vec2"),
        ("text", "HubertModel", tiny.SPEECH["hubert"], r"`text` .*type 'hubert'.*electra"),
    ],
)
def test_another_kind_of_checkpoint_is_refused(
    tmp_path: Path, argument: str, class_name: str, fields: dict[str, Any], message: str
) -> None:
    save_checkpoint(tmp_path, class_name, fields)
    with pytest.raises(ValueError, match=message):
        KemerModel.from_encoders(**{"speech": None, "text": None, argument: str(tmp_path)})


def test_a_kemer_checkpoint_without_the_encoder_is_refused(tmp_path: Path) -> None:
    tiny.make_model(tiny.SPEECHT5, None).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="`text` is .*KEMER checkpoint without a text encoder"):
        KemerModel.from_encoders(str(tmp_path), str(tmp_path))


def change_weights(folder: Path, *, remove: str = "", add: str = "") -> None:
    """Remove a weight from a saved checkpoint or add one to it."""
    weights = load_file(folder / "model.safetensors")
    if remove:
        del weights[remove]
    if add:
        weights[add] = torch.zeros(3)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("class_name", "fields", "weight"),
    [
        (
            "SpeechT5ForSpeechToSpeech",
            tiny.SPEECHT5,
            "speecht5.encoder.wrapped_encoder.layers.1.layer_norm.bias",
        ),
        ("Wav2Vec2ForCTC", tiny.SPEECH["wav2vec2"], "wav2vec2.encoder.layers.1.layer_norm.bias"),
    ],
)
def test_a_lacking_or_surplus_weight_is_an_error(
    tmp_path: Path, class_name: str, fields: dict[str, Any], weight: str
) -> None:
    save_checkpoint(tmp_path / "lacking", class_name, fields)
    change_weights(tmp_path / "lacking", remove=weight)
    with pytest.raises(ValueError, match=r"lacks 1 weights.*layers\.1\.layer_norm\.bias"):
        KemerModel.from_encoders(str(tmp_path / "lacking"), None)

    save_checkpoint(tmp_path / "surplus", class_name, fields)
    change_weights(tmp_path / "surplus", add=weight.replace("layers.1", "layers.2"))
    with pytest.raises(ValueError, match=r"1 weights have no place.*layers\.2\.layer_norm\.bias"):
        KemerModel.from_encoders(str(tmp_path / "surplus"), None)


def test_tables_of_old_releases_are_no_surplus(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "tts", "SpeechT5ForTextToSpeech", tiny.SPEECHT5)
    change_weights(tmp_path / "tts", add="speecht5.encoder.prenet.encode_positions.pe")
    save_checkpoint(tmp_path / "bert", "BertForMaskedLM", tiny.TEXT["bert"])
    change_weights(tmp_path / "bert", add="bert.embeddings.position_ids")
    for checkpoint in ("tts", "bert"):
        KemerModel.from_encoders(None, str(tmp_path / checkpoint))


def test_a_lacking_vector_of_specaugment_is_reported_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_checkpoint(tmp_path, "Wav2Vec2ForCTC", tiny.SPEECH["wav2vec2"])
    change_weights(tmp_path, remove="wav2vec2.masked_spec_embed")
    with caplog.at_level(logging.WARNING, logger="loading_kemer"):
        model = KemerModel.from_encoders(str(tmp_path), None)
    assert "masked_spec_embed" in caplog.text and str(tmp_path) in caplog.text
    assert model.speech_encoder.masked_spec_embed.isfinite().all()


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-folder"):
        KemerModel.from_encoders(str(tmp_path / "no-such-folder"), None)


def test_the_library_reads_what_it_saved_alike(tmp_path: Path) -> None:
    """Guards the other tests: the library's own reader sees the same weights in these files."""
    upstream = save_checkpoint(tmp_path, "Wav2Vec2ForCTC", tiny.SPEECH["wav2vec2"])
    assert_same_weights(AutoModel.from_pretrained(tmp_path), upstream.wav2vec2)


class Planted:
    """What makes a folder if it is unpickled by a loader that runs what it reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.folder),))


def pickle_weights(folder: Path, planted: Planted | None = None) -> None:
    """Turn a checkpoint's safetensors into a `pytorch_model.bin`, as old ones are."""
    weights: dict[str, Any] = dict(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    if planted is not None:
        weights["planted"] = planted
    torch.save(weights, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("side", "class_name"),
    [("speech", "SpeechT5ForSpeechToSpeech"), ("text", "SpeechT5ForTextToSpeech")],
)
def test_a_checkpoint_without_safetensors_is_read_and_saved_with_them(
    tmp_path: Path, side: str, class_name: str
) -> None:
    expected = save_checkpoint(tmp_path / "old", class_name, tiny.SPEECHT5)
    pickle_weights(tmp_path / "old")
    paths = {"speech": None, "text": None, side: str(tmp_path / "old")}
    model = KemerModel.from_encoders(**paths)
    found = model.speech_encoder if side == "speech" else model.text_encoder
    assert_same_weights(found, encoder_of(expected))
    model.save_pretrained(tmp_path / "saved")
    names = {path.suffix for path in (tmp_path / "saved").iterdir()}
    assert ".safetensors" in names and not names & {".bin", ".pt", ".pkl"}


def test_code_that_was_planted_into_weights_is_not_run(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    save_checkpoint(tmp_path / "planted", "SpeechT5ForSpeechToSpeech", tiny.SPEECHT5)
    pickle_weights(tmp_path / "planted", Planted(traces))
    with pytest.raises(ValueError, match="nothing of it was run. Use a checkpoint in safetensors"):
        KemerModel.from_encoders(speech=str(tmp_path / "planted"), text=None)
    tiny.make_model().save_pretrained(tmp_path / "kemer")
    pickle_weights(tmp_path / "kemer", Planted(traces))
    with pytest.raises(pickle.UnpicklingError):
        AutoModel.from_pretrained(tmp_path / "kemer", trust_remote_code=True)
    assert not traces.exists()
    # The trap is a real one: a loader that runs what it reads steps into it.
    torch.load(tmp_path / "planted/pytorch_model.bin", weights_only=False)
    assert traces.is_dir()
