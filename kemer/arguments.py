"""What a training run is told: one data class a concern, a YAML file, and flags that override it.

First step of `train.py`. Flags carry the fields' names; a key that no field has is an error.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml
from transformers import HfArgumentParser, TrainingArguments

SAMPLERS = ("inverse_frequency", "uniform")


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
        metadata={"help": "Keep the encoders' architecture but draw their weights at random."},
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
        if self.from_scratch and (self.freeze_speech_encoder or self.freeze_text_encoder):
            raise ValueError(
                "`from_scratch` draws the encoders at random and a frozen encoder never learns; "
                "set `freeze_speech_encoder` and `freeze_text_encoder` to false, or drop "
                "`from_scratch`."
            )
        if self.from_scratch and self.speech_encoder is not None and self.freeze_feature_encoder:
            raise ValueError(
                "`from_scratch` draws the convolutions at random; set `freeze_feature_encoder` "
                "to false so that they learn."
            )


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
        metadata={"help": "CSV of folds; the dataset's own folds/<dataset_config>.csv by default."},
    )
    fold: int = field(default=0, metadata={"help": "Number of the fold, from 0."})
    text_column: str = field(
        default="text_en", metadata={"help": "Column that the text encoder reads."}
    )
    max_train_seconds: float | None = field(
        default=None,
        metadata={"help": "Cut training utterances to their first seconds; never held-out ones."},
    )

    def __post_init__(self) -> None:
        if self.dataset is None:
            raise ValueError(
                "`dataset` is missing; name a folder that `python -m dataset_script build` wrote."
            )
        if self.fold < 0:
            raise ValueError(f"`fold` is {self.fold}; folds are numbered from 0.")
        if self.max_train_seconds is not None and self.max_train_seconds <= 0.1:
            raise ValueError(
                f"`max_train_seconds` is {self.max_train_seconds}; it must be more than 0.1."
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
    remove_unused_columns: bool = field(
        default=False, metadata={"help": "Must stay false: the collator reads the raw columns."}
    )
    label_names: list[str] = field(
        default_factory=lambda: ["labels", "valence_arousal_labels"],
        metadata={"help": "The batch's labels; both are needed, or evaluation loses them."},
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
        if self.remove_unused_columns:
            raise ValueError("`remove_unused_columns` is true; the collator needs every column.")
        if self.train_sampling_strategy != "random":
            raise ValueError(
                f"`train_sampling_strategy` is {self.train_sampling_strategy!r}; training rows are "
                "chosen by `sampler` and `group_by_length`: use these."
            )
        super().__post_init__()


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
    """Everything that a run was told."""

    model: ModelArguments
    data: DataArguments
    training: KemerTrainingArguments
    paths: RunPaths


def parse_arguments(argv: Sequence[str]) -> RunArguments:
    """Read `--config FILE.yaml` and the flags that override it.

    Args:
        argv: the command line without the program's name.

    Returns:
        validated arguments; the Trainer's own output folder is `checkpoints/` of the run's.

    Raises:
        ValueError: for a file that is not YAML, an unknown key or a value outside its range.
    """
    classes = (ModelArguments, DataArguments, KemerTrainingArguments)
    known = {item.name for cls in classes for item in fields(cls)}
    config_file, flags = _split_config(list(argv))
    _refuse_unknown_flags(flags, known)
    from_file = _read_config(config_file, known) if config_file is not None else []
    parser = HfArgumentParser(classes, allow_abbrev=False)
    # Flags come after the file's values: of two equal flags, the last counts.
    model, data, training = parser.parse_args_into_dataclasses(
        [*from_file, *flags], look_for_args_file=False
    )
    paths = RunPaths(Path(training.output_dir))
    training.output_dir = str(paths.checkpoints)
    return RunArguments(model, data, training, paths)


def _split_config(argv: list[str]) -> tuple[Path | None, list[str]]:
    """Take `--config FILE` out of the command line."""
    argv = [part for flag in argv for part in _split_assignment(flag)]
    if "--config" not in argv:
        return None, argv
    place = argv.index("--config")
    if place + 1 == len(argv):
        raise ValueError("`--config` names no file; give one, such as `configs/demo.yaml`.")
    return Path(argv[place + 1]), argv[:place] + argv[place + 2 :]


def _split_assignment(flag: str) -> list[str]:
    return flag.split("=", 1) if flag.startswith("--") and "=" in flag else [flag]


def _refuse_unknown_flags(flags: list[str], known: set[str]) -> None:
    for flag in flags:
        name = flag[2:].replace("-", "_")
        if flag.startswith("--") and name not in {*known, "help", *_negated(known)}:
            raise ValueError(f"`{flag}` is not an argument{_suggest(name, known)}")


def _negated(known: set[str]) -> set[str]:
    # HfArgumentParser adds `--no_x` for every field whose default is true.
    return {f"no_{name}" for name in known}


def _suggest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "see `python train.py --help`."
    return f"; {hint}"


def _read_config(path: Path, known: set[str]) -> list[str]:
    """Turn a YAML file into flags, so that the parser converts and checks its values."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"`--config` names `{path}`, which does not exist.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"`{path}` is not YAML ({error}); mend it.") from error
    if not isinstance(values, dict):
        raise ValueError(f"`{path}` holds {values!r}; it must hold `field: value` lines.")
    flags = []
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"`{path}` has the unknown key `{key}`{_suggest(str(key), known)}")
        if value is None:
            continue
        flags += [f"--{key}", *_as_words(value)]
    return flags


def _as_words(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [json.dumps(value) if isinstance(value, dict) else str(value)]
