"""What a run is told of its training: transformers' arguments with this project's defaults.

`arguments` joins it with the other data classes; `training` builds the Trainer that it says.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from transformers import TrainingArguments

from kemer.evaluation import LOSS_NAME, SCORE_NAMES

SAMPLERS = ("inverse_frequency", "uniform")

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
    "hub_strategy": ("end", "checkpoints hold pickles, which go nowhere; `model/` is pushed"),
    "hub_always_push": (False, "only a finished run is pushed"),
    "hub_revision": (None, "`main` is pushed to; `python -m kemer.release --tag` names releases"),
}
"""Settings of the library that this project's own code relies on, and why."""


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
    hub_strategy: str = field(default="end", metadata={"help": "Must stay `end`."})
    hub_private_repo: bool | None = field(
        default=True, metadata={"help": "Whether the repository is private."}
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
