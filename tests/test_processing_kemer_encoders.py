"""Processors that are built out of the encoders' checkpoints."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    SpeechT5Config,
    SpeechT5FeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WavLMConfig,
)

from configuration_kemer import EMOTIONS
from modeling_kemer import KemerModel, KemerOutput
from processing_kemer import KemerProcessor
from tests import tiny

RATE = 16_000


def sound(samples: int) -> np.ndarray:
    return tiny.waveform(samples, seed=0).numpy()


def make_checkpoint(folder: Path, *, with_tokenizer: bool) -> str:
    """Save what a SpeechT5 repository holds beside its weights."""
    folder.mkdir()
    tiny.library_config(tiny.SPEECHT5).save_pretrained(folder)
    SpeechT5FeatureExtractor(do_normalize=True).save_pretrained(folder)
    if with_tokenizer:
        tiny.make_tokenizer(folder).save_pretrained(folder)
    return str(folder)


def make_bert_checkpoint(folder: Path) -> str:
    """Save what a BERT repository holds beside its weights: a tokenizer alone."""
    folder.mkdir()
    BertConfig().save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "well", "done"]
    BertTokenizer({word: index for index, word in enumerate(words)}).save_pretrained(folder)
    return str(folder)


def make_wavlm_checkpoint(folder: Path) -> str:
    """Save what a WavLM repository holds beside its weights: a feature extractor alone."""
    folder.mkdir()
    WavLMConfig().save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return str(folder)


def test_text_alone_needs_no_feature_extractor(tmp_path: Path) -> None:
    checkpoint = make_bert_checkpoint(tmp_path / "bert")
    KemerProcessor.from_encoders(None, checkpoint).save_pretrained(tmp_path / "saved")
    processor = KemerProcessor.from_pretrained(tmp_path / "saved")
    assert isinstance(processor.feature_extractor, SpeechT5FeatureExtractor)
    assert processor(text="well done")["input_ids"].tolist() == [[2, 5, 6, 3]]
    assert processor(audio=sound(500), sampling_rate=RATE)["input_values"].shape == (1, 500)


def test_speech_alone_needs_no_tokenizer(tmp_path: Path) -> None:
    checkpoint = make_wavlm_checkpoint(tmp_path / "wavlm")
    KemerProcessor.from_encoders(checkpoint, None).save_pretrained(tmp_path / "saved")
    processor = KemerProcessor.from_pretrained(tmp_path / "saved")
    assert isinstance(processor.feature_extractor, Wav2Vec2FeatureExtractor)
    assert processor.feature_extractor.do_normalize
    assert processor(text=["no", ""])["text_attention_mask"].tolist() == [[1] * 3, [0] * 3]
    assert processor(audio=sound(500), sampling_rate=RATE)["input_values"].shape == (1, 500)


def test_the_part_of_a_modality_that_is_there_must_be_there(tmp_path: Path) -> None:
    bert = make_bert_checkpoint(tmp_path / "bert")
    wavlm = make_wavlm_checkpoint(tmp_path / "wavlm")
    (tmp_path / "wavlm" / "preprocessor_config.json").unlink()
    for text in (None, bert):
        with pytest.raises(OSError, match="preprocessor_config.json"):
            KemerProcessor.from_encoders(wavlm, text)
    # What is there but broken is an error for a modality that is None, too.
    (tmp_path / "bert" / "preprocessor_config.json").write_text("{")
    with pytest.raises(OSError, match="JSON"):
        KemerProcessor.from_encoders(None, bert)


def test_the_default_encoders_are_the_papers_for_model_and_processor() -> None:
    for owner in (KemerModel, KemerProcessor):
        parameters = inspect.signature(owner.from_encoders).parameters
        assert parameters["speech"].default == "microsoft/speecht5_vc"
        assert parameters["text"].default == "microsoft/speecht5_tts"


def test_from_encoders_takes_one_part_from_each_checkpoint(tmp_path: Path) -> None:
    speech = make_checkpoint(tmp_path / "speech", with_tokenizer=False)
    text = make_bert_checkpoint(tmp_path / "text")

    processor = KemerProcessor.from_encoders(speech=speech, text=text)

    assert processor.feature_extractor.do_normalize
    assert processor.minimum_samples == 30
    assert processor(text="well done")["input_ids"].tolist() == [[2, 5, 6, 3]]


def test_from_encoders_with_one_checkpoint_takes_both_parts(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "both", with_tokenizer=True)
    for arguments in ({"speech": checkpoint, "text": None}, {"speech": None, "text": checkpoint}):
        processor = KemerProcessor.from_encoders(**arguments)
        assert processor.feature_extractor.do_normalize
        assert processor(text="no")["input_ids"].shape == (1, 4)
    with pytest.raises(ValueError, match="both None"):
        KemerProcessor.from_encoders(speech=None, text=None)


def test_from_encoders_reads_a_kemer_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("builtins.input", lambda *_: asked.append("may the code run?"))
    tiny.make_model().save_pretrained(tmp_path)
    tiny.make_processor(tmp_path, minimum_samples=55).save_pretrained(tmp_path)
    processor = KemerProcessor.from_encoders(speech=str(tmp_path), text=None)
    assert processor.minimum_samples == 30  # what the encoder says, not what was saved
    assert KemerProcessor.from_pretrained(tmp_path).minimum_samples == 55
    assert asked == []
    assert processor(text="no")["input_ids"].shape == (1, 4)


def test_from_encoders_refuses_a_checkpoint_without_speech(tmp_path: Path) -> None:
    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match="type 'bert' without a speech encoder.*wav2vec2"):
        KemerProcessor.from_encoders(speech=str(tmp_path / "bert"), text=None)
    tiny.make_model(None, tiny.SPEECHT5).save_pretrained(tmp_path / "text")
    with pytest.raises(ValueError, match="type 'kemer' without a speech encoder"):
        KemerProcessor.from_encoders(speech=str(tmp_path / "text"), text=None)


def test_the_shortest_waveform_of_speecht5_is_25_ms(tmp_path: Path) -> None:
    SpeechT5Config().save_pretrained(tmp_path)
    SpeechT5FeatureExtractor().save_pretrained(tmp_path)
    tiny.make_tokenizer(tmp_path).save_pretrained(tmp_path)
    assert KemerProcessor.from_encoders(str(tmp_path), None).minimum_samples == 400


def test_the_names_of_the_emotions_are_the_models(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "both", with_tokenizer=True)
    assert KemerProcessor.from_encoders(checkpoint, None).emotions == list(EMOTIONS)
    made = KemerProcessor.from_encoders(checkpoint, None, emotions=("calm", "cross", "merry"))
    made.save_pretrained(tmp_path / "saved")
    processor = KemerProcessor.from_pretrained(tmp_path / "saved")
    assert processor.emotions == ["calm", "cross", "merry"]

    logits = torch.tensor([[-1.0, 0.0, 2.0]])
    outputs = KemerOutput(logits=logits, valence_arousal=torch.tensor([[1.5, 4.5]]))
    (found,) = processor.post_process(outputs, threshold=0.4)
    assert found["emotions"] == ["cross", "merry"]
    assert list(found["probabilities"]) == ["calm", "cross", "merry"]
    assert found["probabilities"]["cross"] == 0.5
    seven = KemerOutput(logits=torch.zeros(1, 7), valence_arousal=torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"shape \(1, 7\); allowed is \(batch, 3\).*`emotions`"):
        processor.post_process(seven)
