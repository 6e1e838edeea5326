import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from datasets import ClassLabel, Sequence

from configuration_kemer import EMOTIONS
from kemer.batches import UtteranceCollator, UtteranceDataset, multi_hot
from kemer.data import Split, load_split
from kemer.data_arguments import DataArguments
from processing_kemer import KemerProcessor
from tests import tiny
from tests.kemer.bench import EMPTY_TEXT

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


def test_soft_labels_are_the_raters_shares(split: Split) -> None:
    rows = split.rows["train"]
    dataset = UtteranceDataset(rows, text_column="text_en", soft_labels=True)
    hard = UtteranceDataset(rows, text_column="text_en")
    for index, row in enumerate(rows):
        assert dataset[index]["labels"] == row["emotion_votes"]
        assert sum(row["emotion_votes"]) == pytest.approx(1)
    assert any(0 < share < 1 for share in dataset[1]["labels"])
    assert np.array_equal(dataset.label_matrix(), hard.label_matrix())  # the sampler's


def test_the_turns_before_reach_the_model(processor: KemerProcessor) -> None:
    collator = UtteranceCollator(processor, speech=False, text=True)
    rows = [utterance(50, "well done"), {**utterance(50, "no"), "context": ["well", "done"]}]
    batch = collator(rows)
    expected = processor(text=["well done", "no"], context=[[], ["well", "done"]])
    assert batch["input_ids"].tolist() == expected["input_ids"].tolist()
    assert batch["text_attention_mask"][1].sum() > batch["text_attention_mask"][0].sum()


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


# Hidden states in place of waveforms and tokens.


def make_states(split: Split, *, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = [(3 * row + seed) % 7 for row in range(len(split.rows["train"]))]
    return [torch.randn(length, 24, generator=generator).half() for length in lengths]


@pytest.mark.parametrize("modalities", [("speech", "text"), ("speech",), ("text",)])
def test_hidden_states_stand_in_place_of_a_modality(
    split: Split, tmp_path: Path, modalities: tuple[str, ...]
) -> None:
    states = {name: make_states(split, seed=number) for number, name in enumerate(modalities)}
    rows = split.rows["train"]
    dataset = UtteranceDataset(rows, text_column="text_en", hidden_states=states)
    plain = UtteranceDataset(rows, text_column="text_en")
    assert ("audio" in dataset[0]) == ("speech" not in modalities)
    assert (dataset.durations() == plain.durations()).all()
    assert (dataset.label_matrix() == plain.label_matrix()).all()
    collate = UtteranceCollator(tiny.make_processor(tmp_path), speech=True, text=True)
    batch = collate([dataset[row] for row in (1, 0, 2)])
    expected = collate([plain[row] for row in (1, 0, 2)])
    raw = {"speech": ("input_values", "attention_mask")}
    raw["text"] = ("input_ids", "text_attention_mask")
    for modality, (name, mask) in raw.items():
        if modality not in modalities:
            assert torch.equal(batch[name], expected[name])
            assert torch.equal(batch[mask], expected[mask])
            continue
        chosen = [states[modality][row] for row in (1, 0, 2)]
        found = batch[f"{modality}_hidden_states"]
        assert name not in batch and found.dtype == torch.float16
        assert found.shape == (3, max(map(len, chosen)), 24) == (*batch[mask].shape, 24)
        assert batch[mask].sum(dim=1).tolist() == [len(row) for row in chosen]
        for padded, valid, row in zip(found, batch[mask].bool(), chosen, strict=True):
            assert torch.equal(padded[: len(row)], row) and not padded[~valid].any()
    for name in ("labels", "valence_arousal_labels"):
        assert torch.equal(batch[name], expected[name])


def test_a_batch_of_missing_utterances_is_taken(split: Split, tmp_path: Path) -> None:
    """As wide as the encoder would give it: 0 positions, so that dropout draws the same numbers."""
    states = {"text": [torch.zeros(0, 24)] * len(split.rows["train"])}
    dataset = UtteranceDataset(split.rows["train"], text_column="text_en", hidden_states=states)
    collate = UtteranceCollator(tiny.make_processor(tmp_path), speech=True, text=True)
    batch = collate([dataset[0], dataset[1]])
    assert batch["text_hidden_states"].shape == (2, 0, 24)
    assert batch["text_attention_mask"].shape == (2, 0)
    output = tiny.make_model()(**batch)
    del batch["text_hidden_states"], batch["text_attention_mask"]
    assert torch.equal(output.logits, tiny.make_model()(**batch).logits)
