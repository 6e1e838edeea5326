"""What a run is told of its data: rows, folds, and what training reads of an utterance.

`arguments` joins it with the other data classes; `data` loads the rows, `batches` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kemer.protocols import DEFAULT_PROTOCOL, PROTOCOL_FILES, refuse_unknown_protocol

PRECISIONS = ("fp16", "bf16", "fp32")

VARIANTS_OF = "text_en"
"""The column of text that has variants in a release."""


@dataclass
class DataArguments:
    """Which rows are trained on, and which are held out."""

    dataset: str | None = field(
        default=None,
        metadata={"help": "Release folder or repo id, as `python -m dataset_script build` wrote."},
    )
    dataset_config: str = field(default="kemdy20", metadata={"help": "Corpus of the dataset."})
    folds_file: str | None = field(
        default=None,
        metadata={"help": "CSV of folds; the dataset's own for `protocol` by default."},
    )
    protocol: str = field(
        default=DEFAULT_PROTOCOL,
        metadata={
            "help": "What is held out: `session`, `session+script`, its control `session-matched`, "
            "or nothing (`random`, a leak).",
            "choices": list(PROTOCOL_FILES),
        },
    )
    fold: int = field(default=0, metadata={"help": "Number of the fold, from 0."})
    text_column: str = field(
        default="text_en", metadata={"help": "Column that the text encoder reads."}
    )
    text_variants: bool = field(
        default=False,
        metadata={
            "help": "Draw one of the English renderings for each training utterance anew in each "
            "epoch, seeded; held-out rows always read `text_column`."
        },
    )
    max_train_seconds: float | None = field(
        default=None,
        metadata={"help": "Cut training utterances to their first seconds; never held-out ones."},
    )
    feature_cache: str | None = field(
        default=None,
        metadata={
            "help": "Folder in which the hidden states of frozen encoders are kept, so that each "
            "utterance is encoded once; any number of runs may share it."
        },
    )
    feature_cache_precision: str = field(
        default="fp16",
        metadata={
            "help": "How hidden states are kept; `fp32` doubles the space and is exact.",
            "choices": list(PRECISIONS),
        },
    )

    def __post_init__(self) -> None:
        if self.dataset is None:
            raise ValueError(
                "`dataset` is missing; name a folder that `python -m dataset_script build` wrote."
            )
        if self.fold < 0:
            raise ValueError(f"`fold` is {self.fold}; folds are numbered from 0.")
        refuse_unknown_protocol(self.protocol)
        if self.folds_file is not None and self.protocol != DEFAULT_PROTOCOL:
            raise ValueError(
                f"`protocol` is {self.protocol!r} and `folds_file` {self.folds_file!r}; a protocol "
                "is a file of the dataset: leave one of the two out."
            )
        if self.text_variants and self.text_column != VARIANTS_OF:
            raise ValueError(
                f"`text_variants` is true and `text_column` is {self.text_column!r}; only "
                f"{VARIANTS_OF!r} has variants: read that column, or leave `text_variants` out."
            )
        if self.max_train_seconds is not None and self.max_train_seconds <= 0.1:
            raise ValueError(
                f"`max_train_seconds` is {self.max_train_seconds}; it must be more than 0.1."
            )
        if self.feature_cache is not None and Path(self.feature_cache).is_file():
            raise ValueError(
                f"`feature_cache` is {self.feature_cache!r}, which is a file; name a folder."
            )
        if self.feature_cache_precision not in PRECISIONS:
            raise ValueError(
                f"`feature_cache_precision` is {self.feature_cache_precision!r}; allowed are "
                f"{', '.join(PRECISIONS)}."
            )
