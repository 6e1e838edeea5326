"""The pipeline as a user calls it: `pipeline(model=FOLDER, trust_remote_code=True)`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio, Dataset
from transformers import pipeline

from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests import tiny

RATE = 16_000
DECODER = {"slopes": [1.0] * 7, "biases": [0.0] * 7, "label_sets": [[0, 0, 0, 0, 0, 1, 1]]}


def sound(samples: int = 3000, *, seed: int = 0) -> np.ndarray:
    return tiny.waveform(samples, seed=seed).numpy().clip(-0.9, 0.9)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny.make_model(label_set_decoder=DECODER).save_pretrained(folder)
    tiny.make_processor(folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pipe(checkpoint: Path) -> Any:
    return pipeline(model=str(checkpoint), trust_remote_code=True)


def expected(checkpoint: Path, audio: np.ndarray | None, text: str | None) -> list[float]:
    """Return the probabilities as model and processor give them."""
    model = KemerModel.from_pretrained(checkpoint)
    processor = KemerProcessor.from_pretrained(checkpoint)
    with torch.no_grad():
        logits = model(**processor(audio=audio, text=text, sampling_rate=RATE)).logits
    return torch.sigmoid(logits)[0].tolist()


def chances(answer: dict[str, Any]) -> Any:
    return pytest.approx(list(answer["probabilities"].values()), abs=1e-5)


def test_one_utterance_in_every_form(pipe: Any, checkpoint: Path, tmp_path: Path) -> None:
    audio, text = sound(), "well done"
    wav = tmp_path / "utterance.wav"
    soundfile.write(wav, audio, RATE, subtype="FLOAT")
    (row,) = Dataset.from_dict({"audio": [str(wav)]}).cast_column("audio", Audio())
    want = expected(checkpoint, audio, text)
    for utterance in (
        {"audio": {"array": audio, "sampling_rate": RATE}, "text": text},
        {"audio": {"raw": audio, "sampling_rate": RATE}, "text": text},
        {"audio": audio, "sampling_rate": RATE, "text": text},
        {"array": audio, "sampling_rate": RATE, "text": text},
        {"audio": str(wav), "text": text},
        {"audio": wav, "text": text},
        {"audio": wav.read_bytes(), "text": text},
        {"audio": row["audio"], "text": text},
    ):
        assert want == chances(pipe(utterance))
    assert sorted(pipe(utterance)) == ["arousal", "emotions", "probabilities", "valence"]


def test_other_rates_and_formats_are_read(pipe: Any, checkpoint: Path, tmp_path: Path) -> None:
    times = np.arange(0, 0.5, 1 / 44_100)
    soundfile.write(tmp_path / "a.ogg", np.sin(2 * np.pi * 300 * times) / 2, 44_100)
    slow = np.sin(2 * np.pi * 300 * np.arange(0, 0.5, 1 / RATE)).astype("f4") / 2
    want = expected(checkpoint, slow, None)
    assert list(pipe(str(tmp_path / "a.ogg"))["probabilities"].values()) == pytest.approx(
        want, abs=0.05
    )


def test_many_are_answered_as_one_by_one_whatever_is_missing(pipe: Any, checkpoint: Path) -> None:
    both = {"audio": {"array": sound(), "sampling_rate": RATE}, "text": "well done"}
    short = {"audio": {"array": sound(700, seed=1), "sampling_rate": RATE}}
    utterances = [both, {"text": "no"}, short, {**short, "text": " "}]
    one_by_one = [pipe(utterance) for utterance in utterances]
    assert expected(checkpoint, None, "no") == chances(one_by_one[1])
    assert expected(checkpoint, sound(700, seed=1), None) == chances(one_by_one[2])
    for size in (1, 3):
        found = pipe(utterances, batch_size=size)
        for answer, alone in zip(found, one_by_one, strict=True):
            assert list(alone["probabilities"].values()) == chances(answer)
            assert answer["valence"] == pytest.approx(alone["valence"], abs=1e-5)


def test_korean_is_translated_or_refused(pipe: Any, checkpoint: Path) -> None:
    want = expected(checkpoint, None, "well done")
    for translator in (
        lambda text: {"잘했다": "well done"}[text],
        lambda text: [{"translation_text": "well done"}],
    ):
        assert want == chances(pipe({"text": "잘했다"}, translator=translator))
    with pytest.raises(ValueError, match="`text` is '잘했다', but this model does not read Korean"):
        pipe({"text": "잘했다"})
    with pytest.raises(ValueError, match="`translator` gave None"):
        pipe({"text": "잘했다"}, translator=lambda text: None)
    assert want == chances(pipe({"text": "well done"}, translator=lambda text: "no"))


def test_decodings(pipe: Any) -> None:
    utterance = {"text": "well done"}
    assert pipe(utterance, decoding="label_sets")["emotions"] == ["disgust", "happy"]
    assert len(pipe(utterance, decoding="argmax")["emotions"]) == 1
    assert len(pipe(utterance, threshold=0.01)["emotions"]) == 7


def test_the_turns_before_are_read(pipe: Any) -> None:
    alone = pipe({"text": "well done"})
    after = pipe({"text": "well done", "context": ["no, not again"]})
    assert alone["probabilities"] != after["probabilities"]


@pytest.mark.parametrize(
    ("utterance", "message"),
    [
        (3, "of type int; allowed is a dict with `audio`"),
        ({"sound": "a.wav"}, "the unknown key 'sound'; allowed are audio"),
        ({"audio": "nowhere.wav"}, "`audio` is 'nowhere.wav', which is no file here"),
        ({"audio": 3}, "`audio` is of type int; allowed is a path"),
        ({}, "the utterance has no `audio` or `text` for this model"),
        ({"audio": b"not a sound"}, "."),
    ],
)
def test_what_is_no_utterance_is_refused(pipe: Any, utterance: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipe(utterance)


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_a_model_of_one_modality_leaves_the_other_out(tmp_path: Path, modality: str) -> None:
    tiny.make_model(*tiny.MODALITIES[modality]).save_pretrained(tmp_path)
    tiny.make_processor(tmp_path).save_pretrained(tmp_path)
    pipe = pipeline(model=str(tmp_path), trust_remote_code=True)
    given = {"speech": {"array": sound(), "sampling_rate": RATE}, "text": {"text": "well done"}}
    both = pipe({**given["speech"], **given["text"]})
    assert both == pipe(given[modality])
    (other,) = given.keys() - {modality}
    with pytest.raises(ValueError, match="the utterance has no `(audio|text)` for this model"):
        pipe(given[other])


def test_without_consent_to_its_code_nothing_is_run(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        pipeline(model=str(checkpoint), trust_remote_code=False)
