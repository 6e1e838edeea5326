"""What a run is told of its data: rows, folds, and what training reads of an utterance.

`arguments` joins it with the other data classes; `data` loads the rows, `batches` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kemer.augmentation import Augmentation
from kemer.protocols import DEFAULT_PROTOCOL, PROTOCOL_FILES, refuse_unknown_protocol

PRECISIONS = ("fp16", "bf16", "fp32")

AUGMENTATIONS = ("augment_speed", "augment_gain", "augment_noise")
"""Settings that change the sound of training utterances."""

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
    context_turns: int = field(
        default=0,
        metadata={
            "help": "Turns of the dialogue before an utterance that are read before its own text, "
            "within the tokenizer's limit; the utterance's text is never cut for them."
        },
    )
    permute_text: bool = field(
        default=False,
        metadata={
            "help": "Give each utterance the text of another one of its role: a control, which "
            "shows what the text was worth."
        },
    )
    soft_labels: bool = field(
        default=False,
        metadata={
            "help": "Train on the share of raters that heard each emotion in place of 0 and 1; "
            "held-out utterances are scored as ever."
        },
    )
    augment_speed: float = field(
        default=0.0,
        metadata={"help": "Play training utterances at 1 - x, 1 or 1 + x times their speed."},
    )
    augment_gain: float = field(
        default=0.0, metadata={"help": "Make them louder or softer by up to so many dB."}
    )
    augment_noise: float | None = field(
        default=None,
        metadata={"help": "Add white noise, from this ratio of signal to noise in dB up."},
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

    fast_encoder: bool = field(
        default=True,
        metadata={
            "help": "Fill the cache on a processor with an encoder that pads nothing, where there "
            "is one (SpeechT5's for speech); false takes the model's own, the reference."
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
        if self.context_turns < 0:
            raise ValueError(f"`context_turns` is {self.context_turns}; allowed is 0 or more.")
        if not 0 <= self.augment_speed <= 0.5 or self.augment_gain < 0:
            raise ValueError(
                f"`augment_speed` is {self.augment_speed} and `augment_gain` {self.augment_gain}; "
                "allowed are a number in [0, 0.5], such as 0.1, and dB from 0 up."
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

    @property
    def augmentation(self) -> Augmentation:
        """How the sound of training utterances is changed."""
        return Augmentation(
            speed=self.augment_speed, gain=self.augment_gain, noise=self.augment_noise
        )

    @property
    def redrawn(self) -> dict[str, str]:
        """What training reads anew in each epoch: by modality, the setting that says so."""
        sound = next((name for name in AUGMENTATIONS if getattr(self, name)), None)
        if self.augment_noise is not None:  # 0 dB is noise, too
            sound = "augment_noise"
        found = {"speech": sound, "text": "text_variants" if self.text_variants else None}
        return {modality: name for modality, name in found.items() if name is not None}
