"""What a person sees while a model trains: a bar, and one line an epoch.

The library prints every score of every evaluation. TensorBoard and `metrics.json` keep them all;
the terminal shows those that tell how the run is going.
"""

from __future__ import annotations

from typing import Any

from transformers import ProgressCallback, TrainerControl, TrainerState, TrainingArguments

SHOWN_SCORES = {
    "eval_joint_loss": "loss",
    "eval_exact_match": "exact match",
    "eval_f1_macro": "macro F1",
    "eval_distance": "distance",
}


class EpochProgress(ProgressCallback):
    """The library's progress bar, with the training loss beside it and one line an evaluation."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Show what was logged, on the first process."""
        if self.training_bar is None or logs is None:
            return
        if "loss" in logs:
            self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}")
        if "eval_joint_loss" in logs:
            scores = [f"{label} {logs[name]:.3f}" for name, label in SHOWN_SCORES.items()]
            line = ", ".join(scores)
            self.training_bar.write(f"epoch {logs['epoch']:g}, validation sessions: {line}")
