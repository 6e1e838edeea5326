import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from datasets import ClassLabel, Sequence

from configuration_kemer import EMOTIONS
from kemer.arguments import DataArguments
from kemer.batches import UtteranceCollator, UtteranceDataset, multi_hot
from kemer.data import Split, load_split
from processing_kemer import KemerProcessor
from tests import tiny
from tests.kemer.release import EMPTY_TEXT

END = 2  # SpeechT5's id of the token that ends every line


@pytest.fixture(scope="module")
def split(bench: Path) -> Split:
    return load_split(DataArguments(dataset=str(bench / "release")), reads_text=True)


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> KemerProcessor:
    return tiny.make_processor(tmp_path_factory.mktemp("processor"))


def utterance(samples: int, text: str) -> dict[str, Any]:
    return {
        "audio": np.linspace(-0.5, 0.5, samples, dtype=np.float32),
        "text": text,
        "labels": multi_hot([3]),
        "valence_arousal_labels": [3.0, 2.0],
    }


def with_audio(split: Split, content: bytes) -> UtteranceDataset:
    rows = split.rows["test"].select([0])
    changed = rows.map(lambda row: {"audio": {"bytes": content, "path": None}})
    return UtteranceDataset(changed, text_column="text_en")


def encode(samples: np.ndarray, *, rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return buffer.getvalue()


def test_an_utterance_is_what_the_row_says(bench: Path, split: Split) -> None:
    rows = split.rows["validation"]
    dataset = UtteranceDataset(rows, text_column="text_en")
    assert len(dataset) == len(rows) == 4
    for index, row in enumerate(rows):
        (wav,) = (bench / "corpus").rglob(f"{row['id'].split('/')[1]}.wav")
        expected, rate = soundfile.read(wav, dtype="float32")
        item = dataset[index]
        assert rate == 16_000
        assert item["audio"].dtype == np.float32
        np.testing.assert_array_equal(item["audio"], expected)
        assert item["text"] == row["text_en"]
        assert np.flatnonzero(item["labels"]).tolist() == sorted(row["emotions"])
        assert item["valence_arousal_labels"] == [row["valence"], row["arousal"]]


def test_another_column_can_be_read(split: Split) -> None:
    dataset = UtteranceDataset(split.rows["test"], text_column="text_ko")
    assert dataset[0]["text"] == "가 나 다."


def test_utterances_are_cut_to_their_first_seconds(split: Split) -> None:
    whole = UtteranceDataset(split.rows["train"], text_column="text_en")
    cut = UtteranceDataset(split.rows["train"], text_column="text_en", max_seconds=0.15)
    lengths = [len(whole[index]["audio"]) for index in range(len(whole))]
    assert min(lengths) < 2400 < max(lengths)
    for index, length in enumerate(lengths):
        np.testing.assert_array_equal(cut[index]["audio"], whole[index]["audio"][:2400])
        assert len(cut[index]["audio"]) == min(length, 2400)
    np.testing.assert_allclose(whole.durations(), np.array(lengths) / 16_000, rtol=1e-6)
    np.testing.assert_allclose(cut.durations(), np.minimum(lengths, 2400) / 16_000, rtol=1e-6)


def test_labels_are_a_matrix(split: Split) -> None:
    dataset = UtteranceDataset(split.rows["train"], text_column="text_en")
    matrix = dataset.label_matrix()
    assert matrix.shape == (12, 7)
    np.testing.assert_array_equal(matrix, [dataset[index]["labels"] for index in range(12)])
    assert (matrix.sum(axis=1) == 2).any()  # an utterance with two emotions is among them


def test_multi_hot_marks_the_indices() -> None:
    assert multi_hot([6, 0]).tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert multi_hot([]).tolist() == [0] * 7


def test_audio_of_another_rate_names_the_row(split: Split) -> None:
    dataset = with_audio(split, encode(np.zeros(800), rate=8_000))
    with pytest.raises(ValueError, match=r"row `kemdy20/Sess01_script01_\w+` has 8000 Hz"):
        dataset[0]


def test_audio_that_cannot_be_read_names_the_row(split: Split) -> None:
    dataset = with_audio(split, b"RIFF and nothing else")
    with pytest.raises(ValueError, match=r"row `kemdy20/Sess01_script01_\w+` cannot be read"):
        dataset[0]


def test_emotions_in_another_order_are_refused(split: Split) -> None:
    names = list(reversed(EMOTIONS))
    rows = split.rows["test"].cast_column("emotions", Sequence(ClassLabel(names=names)))
    with pytest.raises(ValueError, match="the dataset's emotions are happy, disgust.*in this ord"):
        UtteranceDataset(rows, text_column="text_en")


@pytest.mark.parametrize(("speech", "text"), [(True, True), (True, False), (False, True)])
def test_a_batch_holds_the_models_modalities(
    processor: KemerProcessor, speech: bool, text: bool
) -> None:
    batch = UtteranceCollator(processor, speech=speech, text=text)(
        [utterance(600, "well done"), utterance(901, "no")]
    )
    names = {"labels", "valence_arousal_labels"}
    names |= {"input_values", "attention_mask"} if speech else set()
    names |= {"input_ids", "text_attention_mask"} if text else set()
    assert batch.keys() == names
    assert batch["labels"].dtype == torch.float32
    assert batch["labels"].tolist() == [[0, 0, 0, 1, 0, 0, 0]] * 2
    assert batch["valence_arousal_labels"].tolist() == [[3.0, 2.0]] * 2
    if speech:
        assert batch["attention_mask"].sum(dim=1).tolist() == [600, 901]


def test_speech_stands_for_an_empty_transcript(processor: KemerProcessor) -> None:
    batch = UtteranceCollator(processor, speech=True, text=True)(
        [utterance(600, ""), utterance(600, "no"), utterance(600, "  ")]
    )
    assert batch["text_attention_mask"].sum(dim=1).tolist() == [
        0,
        4,
        0,
    ]  # a word mark, two letters, the end


@pytest.mark.parametrize("texts", [["", "no", "  "], ["", ""]])
def test_a_model_that_only_reads_gets_the_end_of_an_empty_line(
    processor: KemerProcessor, texts: list[str]
) -> None:
    batch = UtteranceCollator(processor, speech=False, text=True)(
        [utterance(600, text) for text in texts]
    )
    for text, ids, mask in zip(
        texts, batch["input_ids"], batch["text_attention_mask"], strict=True
    ):
        valid = ids[mask.bool()].tolist()
        assert valid == [END] if not text.strip() else valid[-1] == END and len(valid) == 4


def test_an_empty_transcript_is_answered(processor: KemerProcessor) -> None:
    model = tiny.make_model(None, tiny.SPEECHT5)
    batch = UtteranceCollator(processor, speech=False, text=True)([utterance(600, "")])
    with torch.no_grad():
        assert model(**batch).logits.isfinite().all()


def test_the_release_has_an_empty_transcript(split: Split) -> None:
    row = next(row for row in split.rows["train"] if row["id"] == EMPTY_TEXT)
    assert row["text_en"] == ""


def test_a_waveform_too_short_for_the_encoder_is_followed_by_silence(
    processor: KemerProcessor,
) -> None:
    collator = UtteranceCollator(processor, speech=True, text=False)
    batch = collator([utterance(processor.minimum_samples - 7, "")])
    assert batch["attention_mask"].sum().item() == processor.minimum_samples
    with torch.no_grad():
        assert tiny.make_model(tiny.SPEECHT5, None)(**batch).logits.isfinite().all()
