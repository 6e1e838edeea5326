"""From a release of the dataset to batches: which rows a fold trains on, and how they are read.

Second step of `train.py`. Sessions are held out by the fold's file; nothing is split at random.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import torch
from datasets import Audio, Dataset, load_dataset
from huggingface_hub import file_exists, hf_hub_download

from kemer.arguments import DataArguments

ROLES = ("train", "validation", "test")
SYNTHETIC_MARKER = "synthetic.json"
SAMPLING_RATE = 16_000


@dataclass(frozen=True)
class Split:
    """The rows of one fold.

    Attributes:
        rows: training, validation and test rows, by role.
        sessions: the session numbers of each role.
        folds_sha256: checksum of the file that holds the fold.
        synthetic: whether the dataset says that it is synthetic.
    """

    rows: dict[str, Dataset]
    sessions: dict[str, list[int]]
    folds_sha256: str
    synthetic: bool


def load_split(arguments: DataArguments) -> Split:
    """Load a dataset and divide it by one fold.

    Args:
        arguments: dataset and fold.

    Returns:
        the split.

    Raises:
        ValueError: if the dataset, its folds or a column is missing, if the fold is not in the
            file, or if it puts a session into two roles or gives a role no rows.
    """
    rows = _load_rows(arguments)
    folds_file = _find_folds_file(arguments)
    roles = read_fold(folds_file, arguments.fold)
    frame = rows.select_columns(["session", "dialogue"]).to_pandas()
    by_session = frame["session"].map(lambda session: roles.get((session, "")))
    by_dialogue = [roles.get(key) for key in frame.itertuples(index=False, name=None)]
    role = pd.Series(by_dialogue, dtype=object).fillna(by_session)
    if role.isna().any():
        missing = sorted(set(frame["session"][role.isna()]))
        raise ValueError(
            f"`{folds_file}` gives sessions {missing} no role in fold {arguments.fold}; "
            "use the folds that were built with this dataset."
        )
    chosen = {name: rows.select(np.flatnonzero(role == name)) for name in ROLES}
    for name, selected in chosen.items():
        if len(selected) == 0:
            raise ValueError(
                f"fold {arguments.fold} of `{folds_file}` has no rows for {name}; "
                "build the dataset from more sessions, or choose another fold."
            )
    return Split(
        rows=chosen,
        sessions={name: sorted(set(frame["session"][role == name].tolist())) for name in ROLES},
        folds_sha256=hashlib.sha256(folds_file.read_bytes()).hexdigest(),
        synthetic=_has_file(arguments.dataset, SYNTHETIC_MARKER),
    )


def _load_rows(arguments: DataArguments) -> Dataset:
    try:
        rows = load_dataset(arguments.dataset, arguments.dataset_config, split="train")
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(
            f"`dataset` {arguments.dataset!r} with config {arguments.dataset_config!r} cannot be "
            f"loaded ({error}); build it with `python -m dataset_script build`."
        ) from error
    if arguments.text_column not in rows.column_names:
        raise ValueError(
            f"`text_column` is {arguments.text_column!r}; the dataset has "
            f"{', '.join(rows.column_names)}."
        )
    # Bytes are decoded by soundfile, which is some 50 times quicker than the default decoder.
    return rows.cast_column("audio", Audio(decode=False))


def _find_folds_file(arguments: DataArguments) -> Path:
    if arguments.folds_file is not None:
        path = Path(arguments.folds_file)
    else:
        path = _dataset_file(arguments.dataset, f"folds/{arguments.dataset_config}.csv")
    if not path.is_file():
        raise ValueError(
            f"`{path}` does not exist; name the folds with `folds_file`, or build the dataset "
            "again with `python -m dataset_script build`."
        )
    return path


def _dataset_file(dataset: str, name: str) -> Path:
    """Return a file of a dataset that is a folder here or a repository of the Hub."""
    if Path(dataset).is_dir():
        return Path(dataset) / name
    return Path(hf_hub_download(dataset, name, repo_type="dataset"))


def _has_file(dataset: str, name: str) -> bool:
    if Path(dataset).is_dir():
        return (Path(dataset) / name).is_file()
    return file_exists(dataset, name, repo_type="dataset")


def read_fold(path: Path, fold: int) -> dict[tuple[int, str], str]:
    """Read the roles of one fold.

    Args:
        path: CSV with the columns fold, session, dialogue (empty: the whole session) and role.
        fold: its number.

    Returns:
        role by session and dialogue.

    Raises:
        ValueError: if a column or the fold is missing, or a session has two roles.
    """
    frame = pd.read_csv(path, keep_default_na=False, dtype={"dialogue": str, "role": str})
    if list(frame.columns) != ["fold", "session", "dialogue", "role"]:
        raise ValueError(
            f"`{path}` has the columns {', '.join(frame.columns)}; it needs fold, session, "
            "dialogue and role, in this order."
        )
    chosen = frame[frame["fold"] == fold]
    if chosen.empty:
        raise ValueError(
            f"`fold` is {fold}; `{path}` has folds {sorted(set(frame['fold'].tolist()))}."
        )
    repeated = chosen[chosen.duplicated(["session", "dialogue"], keep=False)]
    if not repeated.empty:
        raise ValueError(
            f"`{path}` lists session {repeated['session'].iloc[0]} more than once in fold {fold}; "
            "every session has one role."
        )
    keys = zip(chosen["session"].tolist(), chosen["dialogue"], strict=True)
    return dict(zip(keys, chosen["role"], strict=True))


class UtteranceDataset(torch.utils.data.Dataset):
    """Rows as the collator takes them: waveform, text and labels of one utterance each.

    Args:
        rows: rows of one role, audio undecoded.
        text_column: column that the text encoder reads.
        max_seconds: utterances are cut to their first seconds; None keeps them whole.
    """

    def __init__(self, rows: Dataset, *, text_column: str, max_seconds: float | None = None):
        self.rows = rows
        self.text_column = text_column
        self.max_samples = None if max_seconds is None else int(max_seconds * SAMPLING_RATE)
        self.num_emotions = len(rows.features["emotions"].feature.names)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[int(index)]
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        return {
            "audio": samples[: self.max_samples],
            "sampling_rate": rate,
            "text": row[self.text_column],
            "labels": multi_hot(row["emotions"], self.num_emotions),
            "valence_arousal_labels": [row["valence"], row["arousal"]],
        }

    def durations(self) -> np.ndarray:
        """Return the duration of every row in seconds, `(rows,)`."""
        return np.asarray(self.rows["duration"], dtype=np.float32)

    def label_matrix(self) -> np.ndarray:
        """Return the emotions of every row, `(rows, emotions)` of 0 and 1."""
        return np.stack([multi_hot(row, self.num_emotions) for row in self.rows["emotions"]])


def multi_hot(indices: Sequence[int], size: int) -> np.ndarray:
    """Return `(size,)` float32 with 1 at `indices`."""
    vector = np.zeros(size, dtype=np.float32)
    vector[list(indices)] = 1
    return vector


@dataclass
class UtteranceCollator:
    """Joins utterances to one padded batch, with the modalities that the model has.

    Attributes:
        processor: the model's processor.
        speech: whether the model hears.
        text: whether the model reads.
    """

    processor: Any
    speech: bool
    text: bool

    def __call__(self, utterances: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return the processor's tensors with `labels` and `valence_arousal_labels`."""
        inputs = {}
        if self.speech:
            inputs["audio"] = [item["audio"] for item in utterances]
            inputs["sampling_rate"] = utterances[0]["sampling_rate"]
        if self.text:
            inputs["text"] = [item["text"] or self._empty_text() for item in utterances]
        batch = dict(self.processor(**inputs))
        for name in ("labels", "valence_arousal_labels"):
            values = np.array([item[name] for item in utterances], dtype=np.float32)
            batch[name] = torch.from_numpy(values)
        return batch

    def _empty_text(self) -> str:
        """Return what is read where a transcript is empty.

        With speech beside it, nothing: text is then a missing modality. A model that only reads
        gets the token that ends every line, so that the utterance is still answered and counted.
        """
        tokenizer = self.processor.tokenizer
        return "" if self.speech else tokenizer.eos_token or tokenizer.sep_token
