"""From logits to scores and rows: what the model answered, beside what was right.

Used by the Trainer after each epoch on the validation sessions, and by `train.py` at the end on the
test sessions, in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import EvalPrediction, Trainer

from configuration_kemer import EMOTIONS
from decoding_kemer import decode_emotions
from kemer.batches import MODALITIES, HiddenStates, UtteranceDataset
from kemer.scoring import score_answers

LOSS_NAME = "joint_loss"
_DIMENSIONS = ("valence", "arousal")
SCORE_NAMES = (
    *("exact_match", "hamming_accuracy", "f1_macro", "f1_micro", "f1_weighted"),
    *(f"{score}_{emotion}" for emotion in EMOTIONS for score in ("f1", "recall")),
    "distance",
    *(f"{score}_{name}" for score in ("distance", "ccc", "pearson") for name in _DIMENSIONS),
    LOSS_NAME,
)
"""What an evaluation gives, and so what may choose the epoch."""


@dataclass(frozen=True)
class ValidationScores:
    """The Trainer's `compute_metrics`: every score of the metric, and the loss.

    The loss is computed here from all gathered predictions as `joint_loss`: the Trainer's own
    average is wrong where the last batch of a distributed evaluation is filled up.

    Attributes:
        threshold: an emotion is answered above it.
        valence_arousal_loss_weight: factor of the valence/arousal error in the loss.
    """

    threshold: float
    valence_arousal_loss_weight: float

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return scores by name, without the Trainer's prefix."""
        answers = _answers(prediction.predictions, prediction.label_ids, threshold=self.threshold)
        logits, valence_arousal = (torch.from_numpy(a).float() for a in prediction.predictions)
        labels, references = (torch.from_numpy(a).float() for a in prediction.label_ids)
        emotion_loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
        error = torch.nn.functional.mse_loss(valence_arousal, references)
        loss = emotion_loss + self.valence_arousal_loss_weight * error
        return {**score_answers(pd.DataFrame(answers)), LOSS_NAME: float(loss)}


def predict_rows(
    trainer: Trainer,
    rows: Dataset,
    *,
    text_column: str,
    threshold: float,
    hidden_states: HiddenStates | None = None,
    modality: str = "",
) -> pd.DataFrame:
    """Answer rows, one line an utterance, in their order.

    Args:
        trainer: the trainer that holds the model.
        rows: rows of one role.
        text_column: column that the text encoder reads.
        threshold: an emotion is answered above it.
        hidden_states: what frozen encoders gave for the rows; what is left out they compute anew.
        modality: `speech` or `text`: give a model with both this one alone; "" gives all.

    Returns:
        the columns of `predictions.parquet`.

    Raises:
        RuntimeError: if the trainer answers another number of rows.
    """
    if modality == "text":
        # Of an empty line nothing was kept, because speech stood beside it; here it is read.
        utterances = UtteranceDataset(rows.remove_columns("audio"), text_column=text_column)
    else:
        utterances = UtteranceDataset(rows, text_column=text_column, hidden_states=hidden_states)
    with _giving(trainer, modality):
        output = trainer.predict(utterances)
    frame = rows.select_columns(["id", "corpus", "session", "dialogue"]).to_pandas()
    answers = _answers(output.predictions, output.label_ids, threshold=threshold)
    if len(answers["probabilities"]) != len(frame):
        raise RuntimeError(
            f"the trainer gave {len(answers['probabilities'])} answers to {len(frame)} utterances; "
            "no score would be right: please report this, with the command."
        )
    return pd.concat([frame, pd.DataFrame(answers)], axis=1)


@contextmanager
def _giving(trainer: Trainer, modality: str) -> Iterator[None]:
    """Let the trainer's collator leave the other modality out."""
    if not modality:
        yield
        return
    whole = trainer.data_collator
    trainer.data_collator = replace(whole, **{name: name == modality for name in MODALITIES})
    try:
        yield
    finally:
        trainer.data_collator = whole


def _answers(
    predictions: tuple[np.ndarray, np.ndarray],
    references: tuple[np.ndarray, np.ndarray],
    *,
    threshold: float,
) -> dict[str, list]:
    """Return columns of decisions and references from logits and labels.

    Args:
        predictions: logits `(rows, emotions)` and valence and arousal `(rows, 2)`.
        references: multi-hot labels `(rows, emotions)` and valence and arousal `(rows, 2)`.
        threshold: an emotion is answered above it.

    Raises:
        ValueError: if an answer is not a number.
    """
    logits, valence_arousal = predictions
    if not (np.isfinite(logits).all() and np.isfinite(valence_arousal).all()):
        raise ValueError(
            "the model's answers are not finite numbers: training has diverged; lower "
            "`learning_rate`, or train in higher precision (no `fp16`)."
        )
    probabilities = torch.sigmoid(torch.from_numpy(logits).double()).numpy()
    labels, valence_arousal_labels = references
    return {
        "probabilities": probabilities.tolist(),
        "labels_predicted": decode_emotions(probabilities, threshold=threshold).tolist(),
        "labels_reference": labels.astype(int).tolist(),
        "valence_predicted": valence_arousal[:, 0].tolist(),
        "arousal_predicted": valence_arousal[:, 1].tolist(),
        "valence_reference": valence_arousal_labels[:, 0].tolist(),
        "arousal_reference": valence_arousal_labels[:, 1].tolist(),
    }
