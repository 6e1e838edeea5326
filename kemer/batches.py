"""From rows of the dataset to batches: audio is decoded, texts and labels are padded and joined.

Between `data`, which chooses the rows, and `training`, whose Trainer asks for batches.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
import torch
from datasets import Dataset

from configuration_kemer import EMOTIONS
from inputs_kemer import lengths_to_mask
from kemer.texts import CONTEXT_COLUMN
from processing_kemer import KemerProcessor

HiddenStates = Mapping[str, Sequence[torch.Tensor]]
"""What a frozen encoder gave for each row, (positions, hidden), by `speech` and `text`."""

MODALITIES = ("speech", "text")
"""What a model can be given, in the order of everything that is paired."""

SAMPLING_RATE = 16_000
"""Hz, of every row of a release."""


class UtteranceDataset(torch.utils.data.Dataset):
    """Rows as the collator takes them: waveform, text and labels of one utterance each.

    Args:
        rows: rows of one role, audio undecoded.
        text_column: column that the text encoder reads.
        max_seconds: utterances are cut to their first seconds; None keeps them whole.
        soft_labels: give the raters' shares as labels in place of 0 and 1.
        hidden_states: what stands in place of a modality's raw input, of the cut utterances.

    Raises:
        ValueError: if the rows' emotions are not the model's.
    """

    def __init__(
        self,
        rows: Dataset,
        *,
        text_column: str,
        max_seconds: float | None = None,
        soft_labels: bool = False,
        hidden_states: HiddenStates | None = None,
    ) -> None:
        names = rows.features["emotions"].feature.names
        if names != list(EMOTIONS):
            raise ValueError(
                f"the dataset's emotions are {', '.join(names)}; the model's are "
                f"{', '.join(EMOTIONS)}, in this order: build the dataset again."
            )
        self.hidden_states = hidden_states or {}
        # Where nobody listens, no waveform is read and decoded.
        self.rows = rows.remove_columns("audio") if "speech" in self.hidden_states else rows
        self.text_column = text_column
        self.max_seconds = max_seconds
        self.soft_labels = soft_labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[int(index)]
        return self._prepare(row, index=int(index), text=row[self.text_column])

    def _prepare(self, row: dict[str, Any], *, index: int, text: str) -> dict[str, Any]:
        labels = row["emotion_votes"] if self.soft_labels else multi_hot(row["emotions"])
        utterance = {
            "text": text,
            "labels": labels,
            "valence_arousal_labels": [row["valence"], row["arousal"]],
        }
        if CONTEXT_COLUMN in row:
            utterance["context"] = row[CONTEXT_COLUMN]
        if "audio" in row:
            utterance["audio"] = self._listen(row)
        for modality, hidden_states in self.hidden_states.items():
            utterance[f"{modality}_hidden_states"] = hidden_states[index]
        return utterance

    def _listen(self, row: dict[str, Any]) -> np.ndarray:
        samples = _decode(row)
        if self.max_seconds is not None:
            samples = samples[: int(self.max_seconds * SAMPLING_RATE)]
        return samples

    def durations(self) -> np.ndarray:
        """Return the duration of every row in seconds, `(rows,)`, after the cut."""
        durations = np.asarray(self.rows["duration"], dtype=np.float32)
        return durations if self.max_seconds is None else durations.clip(max=self.max_seconds)

    def label_matrix(self) -> np.ndarray:
        """Return the emotions of every row, `(rows, emotions)` of 0 and 1."""
        return np.stack([multi_hot(row) for row in self.rows["emotions"]])


def multi_hot(indices: Sequence[int]) -> np.ndarray:
    """Return `(emotions,)` float32 with 1 at `indices`."""
    vector = np.zeros(len(EMOTIONS), dtype=np.float32)
    vector[list(indices)] = 1
    return vector


def _decode(row: dict[str, Any]) -> np.ndarray:
    """Return a row's waveform, `(samples,)` float32 in [-1, 1]."""
    try:
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"the audio of row `{row['id']}` cannot be read ({error}); build the dataset again, "
            "which leaves broken files out."
        ) from error
    if rate != SAMPLING_RATE:
        raise ValueError(
            f"the audio of row `{row['id']}` has {rate} Hz; a dataset has {SAMPLING_RATE} Hz "
            "throughout: resample the corpus and build again."
        )
    return samples


@dataclass(frozen=True)
class UtteranceCollator:
    """Joins utterances to one padded batch, with the modalities that the model has.

    An empty transcript is a missing modality where speech stands beside it. A model that only reads
    gets the token that ends every line, so that the utterance is still answered and counted. A
    waveform too short for the speech encoder (25 ms for the published ones) is followed by silence.

    Attributes:
        processor: the model's processor.
        speech: whether the model hears.
        text: whether the model reads.
    """

    processor: KemerProcessor
    speech: bool
    text: bool

    def __call__(self, utterances: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return the model's inputs with `labels` and `valence_arousal_labels`.

        Args:
            utterances: rows of an `UtteranceDataset`; hidden states that they bring come in place
                of the processor's tensors.
        """
        batch: dict[str, torch.Tensor] = {}
        if self.speech:
            is_stored = "speech_hidden_states" in utterances[0]
            batch |= _pad_speech(utterances) if is_stored else self.read_speech(utterances)
        if self.text:
            is_stored = "text_hidden_states" in utterances[0]
            batch |= _pad_text(utterances) if is_stored else self.read_text(utterances)
        for name in ("labels", "valence_arousal_labels"):
            values = np.array([item[name] for item in utterances], dtype=np.float32)
            batch[name] = torch.from_numpy(values)
        return batch

    def read_speech(self, utterances: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_values` and `attention_mask`, each (batch, samples)."""
        audio = [self._lengthen(item["audio"]) for item in utterances]
        return dict(self.processor(audio=audio, sampling_rate=SAMPLING_RATE))

    def read_text(self, utterances: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids` and `text_attention_mask`, each (batch, tokens)."""
        texts = [item["text"] for item in utterances]
        batch = dict(
            self.processor(text=texts, context=[item.get("context", ()) for item in utterances])
        )
        if not self.speech:
            self._end_empty_lines(batch)
        return batch

    def _lengthen(self, samples: np.ndarray) -> np.ndarray:
        missing = self.processor.minimum_samples - len(samples)
        return np.pad(samples, (0, missing)) if missing > 0 else samples

    def _end_empty_lines(self, batch: dict[str, torch.Tensor]) -> None:
        """Give rows without a token the one that ends every line."""
        empty = batch["text_attention_mask"].sum(dim=1) == 0
        batch["input_ids"][empty, 0] = self.processor.end_token_id
        batch["text_attention_mask"][empty, 0] = 1


def _pad_speech(utterances: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    states, mask = _pad_hidden_states([item["speech_hidden_states"] for item in utterances])
    return {"speech_hidden_states": states, "attention_mask": mask}


def _pad_text(utterances: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    states, mask = _pad_hidden_states([item["text_hidden_states"] for item in utterances])
    return {"text_hidden_states": states, "text_attention_mask": mask}


def _pad_hidden_states(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden states `(batch, positions, hidden)` and their mask `(batch, positions)`.

    Args:
        rows: each (positions, hidden); a missing utterance has no position.
    """
    lengths = torch.tensor([len(row) for row in rows])
    states = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return states, lengths_to_mask(lengths, states.shape[1]).long()
