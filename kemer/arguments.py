"""What a training run is told: one data class a concern, each checked where it is made.

`command_line` fills them from a YAML file and flags; every step of `train.py` reads its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from transformers import TrainingArguments

from kemer.evaluation import LOSS_NAME, SCORE_NAMES
from kemer.protocols import DEFAULT_PROTOCOL, PROTOCOL_FILES, refuse_unknown_protocol

MODALITIES = ("speech", "text")
PRECISIONS = ("fp16", "bf16", "fp32")

SAMPLERS = ("inverse_frequency", "uniform")

VARIANTS_OF = "text_en"
"""The column of text that has variants in a release."""

REQUIRED_SETTINGS = {
    "remove_unused_columns": (False, "the collator reads the raw columns"),
    "label_names": (
        ["labels", "valence_arousal_labels"],
        "without both, evaluation loses the labels",
    ),
    "train_sampling_strategy": ("random", "training rows are chosen by `sampler`"),
    "dataloader_drop_last": (False, "it would leave held-out utterances unanswered"),
    "prediction_loss_only": (False, "scores need the answers"),
    "batch_eval_metrics": (False, "scores are of all utterances, not of batches"),
    "eval_do_concat_batches": (True, "scores are of all utterances, not of batches"),
    "push_to_hub": (False, "checkpoints hold pickles, which go nowhere; publish `model/`"),
}
"""Settings of the library that this project's own code relies on, and why."""


@dataclass
class ModelArguments:
    """Which encoders, how they are joined, and what of them is trained."""

    speech_encoder: str | None = field(
        default=None,
        metadata={
            "help": "Checkpoint of the speech encoder (folder or repo id); `none`: text only."
        },
    )
    text_encoder: str | None = field(
        default=None,
        metadata={
            "help": "Checkpoint of the text encoder (folder or repo id); `none`: speech only."
        },
    )
    from_scratch: bool = field(
        default=False,
        metadata={
            "help": "Keep the encoders' architecture but draw their weights at random; nothing is "
            "frozen then."
        },
    )
    freeze_speech_encoder: bool = field(
        default=False, metadata={"help": "Keep the speech encoder as it is (paper, stage 2)."}
    )
    freeze_text_encoder: bool = field(
        default=False, metadata={"help": "Keep the text encoder as it is (paper, stage 2)."}
    )
    freeze_feature_encoder: bool = field(
        default=True,
        metadata={"help": "Keep the speech encoder's convolutions as they are, as the paper did."},
    )
    meta_attention_heads: int = field(
        default=8, metadata={"help": "Heads of the self-attention over both modalities."}
    )
    meta_attention_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the meta-attention, in [0, 1)."}
    )
    valence_arousal_loss_weight: float = field(
        default=1.0, metadata={"help": "Factor of the valence/arousal error beside the emotions'."}
    )

    def __post_init__(self) -> None:
        # The command line has no null.
        self.speech_encoder = None if self.speech_encoder == "none" else self.speech_encoder
        self.text_encoder = None if self.text_encoder == "none" else self.text_encoder
        if self.speech_encoder is None and self.text_encoder is None:
            raise ValueError(
                "`speech_encoder` and `text_encoder` are both missing; name one of them at least."
            )
        if self.from_scratch:
            # What is drawn at random has to learn.
            self.freeze_speech_encoder = self.freeze_text_encoder = False
            self.freeze_feature_encoder = False


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


@dataclass
class KemerTrainingArguments(TrainingArguments):
    """transformers' `TrainingArguments` with this project's defaults, and the paper's sampler.

    Defaults that differ from the library's: 30 epochs of AdamW at 2e-5 with batches of 16 (paper,
    section 3, and its published script), one evaluation and one checkpoint an epoch, and the epoch
    with the best exact match on the validation sessions kept.
    """

    output_dir: str = field(default="outputs/run", metadata={"help": "Folder of the run."})
    num_train_epochs: float = field(default=30, metadata={"help": "Epochs."})
    learning_rate: float = field(default=2e-5, metadata={"help": "Peak learning rate of AdamW."})
    per_device_train_batch_size: int = field(default=16, metadata={"help": "Training batch."})
    per_device_eval_batch_size: int = field(default=16, metadata={"help": "Evaluation batch."})
    eval_strategy: str = field(default="epoch", metadata={"help": "When to evaluate."})
    save_strategy: str = field(default="epoch", metadata={"help": "When to save a checkpoint."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints kept."})
    load_best_model_at_end: bool = field(default=True, metadata={"help": "Keep the best epoch."})
    metric_for_best_model: str = field(
        default="exact_match", metadata={"help": "Validation metric that chooses the epoch."}
    )
    logging_steps: float = field(default=10, metadata={"help": "Steps between logged losses."})
    report_to: str = field(default="tensorboard", metadata={"help": "Where curves are logged."})
    remove_unused_columns: bool = field(default=False, metadata={"help": "Must stay false."})
    label_names: list[str] = field(
        default_factory=lambda: list(REQUIRED_SETTINGS["label_names"][0]),
        metadata={"help": "The batch's labels; must stay as they are."},
    )
    sampler: str = field(
        default="inverse_frequency",
        metadata={
            "help": "How training rows are drawn: `inverse_frequency` (the paper's) gives each "
            "emotion the same weight, `uniform` each row.",
            "choices": list(SAMPLERS),
        },
    )
    group_by_length: bool = field(
        default=True,
        metadata={"help": "Put utterances of like length into one batch, to pad less."},
    )
    decision_threshold: float = field(
        default=0.5,
        metadata={"help": "An emotion is answered above it; the likeliest where none is."},
    )

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise ValueError(f"`sampler` is {self.sampler!r}; allowed are {', '.join(SAMPLERS)}.")
        if not 0 < self.decision_threshold < 1:
            raise ValueError(
                f"`decision_threshold` is {self.decision_threshold}; it must be between 0 and 1."
            )
        for name, (needed, reason) in REQUIRED_SETTINGS.items():
            if (value := getattr(self, name)) != needed:
                raise ValueError(f"`{name}` is {value!r}; it must stay {needed!r}: {reason}.")
        for name in ("learning_rate", "num_train_epochs", "gradient_accumulation_steps"):
            self._refuse_unless_positive(name)
        for name in ("per_device_train_batch_size", "per_device_eval_batch_size"):
            self._refuse_unless_positive(name)
        self._check_choice_of_epoch()
        super().__post_init__()
        self._refuse_lonely_processes()

    def _check_choice_of_epoch(self) -> None:
        """Check the score that chooses the epoch, and find out whether less of it is better."""
        score = self.metric_for_best_model.removeprefix("eval_")
        if score == "loss":
            raise ValueError(
                "`metric_for_best_model` is 'loss', which the library averages wrongly over "
                f"several processes; use `{LOSS_NAME}`, the same loss over all utterances."
            )
        if score not in SCORE_NAMES:
            raise ValueError(
                f"`metric_for_best_model` is {score!r}; allowed are {', '.join(SCORE_NAMES)}."
            )
        if self.greater_is_better is None:
            self.greater_is_better = not score.startswith((LOSS_NAME, "distance"))

    def _refuse_unless_positive(self, name: str) -> None:
        if (value := getattr(self, name)) <= 0:
            raise ValueError(f"`{name}` is {value}; it must be more than 0.")

    def _refuse_lonely_processes(self) -> None:
        """Refuse processes that do not know of each other."""
        started = int(os.environ.get("WORLD_SIZE", "1"))
        if started != self.world_size:
            raise ValueError(
                f"{started} processes were started, but each would train alone into the same "
                "folder; on a machine without a GPU for each, set `use_cpu` to true."
            )


@dataclass(frozen=True)
class RunPaths:
    """Where a run writes what; only `model` is ever released."""

    root: Path

    @property
    def model(self) -> Path:
        """Checkpoint with its code and processor, as `from_pretrained` takes it."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """The Trainer's own checkpoints, with its pickled optimizer states."""
        return self.root / "checkpoints"

    @property
    def logs(self) -> Path:
        """TensorBoard's event files."""
        return self.root / "logs"

    @property
    def metrics(self) -> Path:
        """Scores of validation and test sessions and what they were measured on."""
        return self.root / "metrics.json"

    @property
    def predictions(self) -> Path:
        """One row a test utterance."""
        return self.root / "predictions.parquet"

    @property
    def report(self) -> Path:
        """Folder of the report and its plots."""
        return self.root / "report"


@dataclass(frozen=True)
class RunArguments:
    """Everything that a run was told.

    Raises:
        ValueError: if the feature cache would have nothing to keep, or what changes in each epoch.
    """

    model: ModelArguments
    data: DataArguments
    training: KemerTrainingArguments
    paths: RunPaths

    def __post_init__(self) -> None:
        if self.data.feature_cache is None:
            return
        if not self.cached:
            raise ValueError(
                "`feature_cache` is set, but no encoder is frozen: hidden states change with the "
                "weights; set `freeze_speech_encoder` or `freeze_text_encoder` to true, or leave "
                "`feature_cache` out."
            )
        if "text" in self.cached and self.data.text_variants:
            raise ValueError(
                "`feature_cache` and `text_variants` are set and the text encoder is frozen, but "
                "variants are drawn anew in each epoch; leave one of the two out, or set "
                "`freeze_text_encoder` to false."
            )

    @property
    def cached(self) -> tuple[str, ...]:
        """Modalities whose encoder runs once: those that are frozen, where there is a cache."""
        if self.data.feature_cache is None:
            return ()
        model = self.model
        encoders = (model.speech_encoder, model.text_encoder)
        frozen = (model.freeze_speech_encoder, model.freeze_text_encoder)
        return tuple(
            modality
            for modality, encoder, is_frozen in zip(MODALITIES, encoders, frozen, strict=True)
            if encoder is not None and is_frozen
        )
