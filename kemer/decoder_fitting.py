"""The label-set decoder of a run: fitted on its validation answers, kept in its model's config.

Between `evaluation`, which gives the answers, and `results`, which saves the decoder; the table of
results decodes with it. Which form of `decoding.fit_label_set_decoder` is fitted:

- with `ITEMS_FOR_ALL_EMOTIONS` validation utterances or more, a slope and a bias for each emotion;
- with fewer, or where an emotion is in none of them, two numbers: one slope, and how much of the
  sampler's effect on the emotions' shares is taken back. In simulations the larger form came within
  a point of the best possible answers from 700 utterances on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import logit

from decoding_kemer import LabelSetDecoder
from kemer.decoding import fit_label_set_decoder, prior_shift
from kemer.training import inverse_frequency_weights

ITEMS_FOR_ALL_EMOTIONS = 700
SMALLEST_PROBABILITY = 1e-12  # a saturated sigmoid has no logit


def fit_run_decoder(
    validation: pd.DataFrame, *, training_labels: np.ndarray, sampler: str
) -> LabelSetDecoder:
    """Fit the decoder of a run.

    Args:
        validation: the answers to the validation utterances, columns of `predictions.parquet`.
        training_labels: (rows, emotions) values 0 or 1, of the training utterances.
        sampler: how training utterances were drawn, `inverse_frequency` or `uniform`.

    Returns:
        the decoder; it answers the label sets of `training_labels` only.
    """
    logits = answer_logits(validation)
    labels = np.array([list(row) for row in validation["labels_reference"]])
    counts = labels.sum(axis=0)
    all_vary = bool(((counts > 0) & (counts < len(labels))).all())
    large = len(labels) >= ITEMS_FOR_ALL_EMOTIONS and all_vary
    return fit_label_set_decoder(
        logits,
        labels,
        training_labels=training_labels,
        shift=None if large else sampler_shift(training_labels, sampler=sampler),
    )


def sampler_shift(training_labels: np.ndarray, *, sampler: str) -> np.ndarray:
    """Return what the sampler took from each emotion's log odds.

    Args:
        training_labels: (rows, emotions) values 0 or 1.
        sampler: `inverse_frequency` or `uniform`.

    Returns:
        (emotions,) of `decoding.prior_shift`; 0 for an emotion that no row or every row has, and
        for all of them where rows were drawn uniformly.
    """
    labels = np.asarray(training_labels)
    counts = labels.sum(axis=0)
    shift = np.zeros(labels.shape[1])
    varying = (counts > 0) & (counts < len(labels))
    if sampler == "inverse_frequency" and varying.any():
        weights = inverse_frequency_weights(labels)
        shift[varying] = prior_shift(labels[:, varying], weights)
    return shift


def answer_logits(predictions: pd.DataFrame) -> np.ndarray:
    """Return the logits (items, emotions) of the `probabilities` that a run wrote."""
    probabilities = np.array([list(row) for row in predictions["probabilities"]], dtype=np.float64)
    return logit(np.clip(probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))
