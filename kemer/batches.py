"""From rows of the dataset to batches: audio is decoded, texts and labels are padded and joined.

Between `data`, which chooses the rows, and `training`, whose Trainer asks for batches.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
import torch
from datasets import Dataset

from configuration_kemer import EMOTIONS
from processing_kemer import KemerProcessor

SAMPLING_RATE = 16_000
"""Hz, of every row of a release."""


class UtteranceDataset(torch.utils.data.Dataset):
    """Rows as the collator takes them: waveform, text and labels of one utterance each.

    Args:
        rows: rows of one role, audio undecoded.
        text_column: column that the text encoder reads.
        max_seconds: utterances are cut to their first seconds; None keeps them whole.

    Raises:
        ValueError: if the rows' emotions are not the model's.
    """

    def __init__(self, rows: Dataset, *, text_column: str, max_seconds: float | None = None):
        names = rows.features["emotions"].feature.names
        if names != list(EMOTIONS):
            raise ValueError(
                f"the dataset's emotions are {', '.join(names)}; the model's are "
                f"{', '.join(EMOTIONS)}, in this order: build the dataset again."
            )
        self.rows = rows
        self.text_column = text_column
        self.max_seconds = max_seconds

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[int(index)]
        return self._prepare(row, text=row[self.text_column])

    def _prepare(self, row: dict[str, Any], *, text: str) -> dict[str, Any]:
        samples = _decode(row)
        if self.max_seconds is not None:
            samples = samples[: int(self.max_seconds * SAMPLING_RATE)]
        return {
            "audio": samples,
            "text": text,
            "labels": multi_hot(row["emotions"]),
            "valence_arousal_labels": [row["valence"], row["arousal"]],
        }

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
        """Return the processor's tensors with `labels` and `valence_arousal_labels`."""
        inputs: dict[str, Any] = {}
        if self.speech:
            inputs["audio"] = [self._lengthen(item["audio"]) for item in utterances]
            inputs["sampling_rate"] = SAMPLING_RATE
        if self.text:
            inputs["text"] = [item["text"] for item in utterances]
        batch = dict(self.processor(**inputs))
        if not self.speech:
            self._end_empty_lines(batch)
        for name in ("labels", "valence_arousal_labels"):
            values = np.array([item[name] for item in utterances], dtype=np.float32)
            batch[name] = torch.from_numpy(values)
        return batch

    def _lengthen(self, samples: np.ndarray) -> np.ndarray:
        missing = self.processor.minimum_samples - len(samples)
        return np.pad(samples, (0, missing)) if missing > 0 else samples

    def _end_empty_lines(self, batch: dict[str, torch.Tensor]) -> None:
        """Give rows without a token the one that ends every line."""
        tokenizer = self.processor.tokenizer
        end = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
        empty = batch["text_attention_mask"].sum(dim=1) == 0
        batch["input_ids"][empty, 0] = end
        batch["text_attention_mask"][empty, 0] = 1
