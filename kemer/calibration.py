"""How far the emotions' probabilities can be believed: Brier score, ECE and reliability curves.

Stands beside `scoring`, which scores decisions; here the probabilities are scored. `report` and the
table of results show what is computed here. Each emotion is a yes/no event of its own.

- Brier score (Brier, Monthly Weather Review 78, 1950): the mean squared distance of probability and
  label. It is 0 at best; the emotion's share q as the answer to everything scores q (1 - q).
- ECE, the expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015): over bins of equal
  width, the distance of mean probability and share of positives, weighted by the bin's share of the
  items. It is 0 at best, and depends on the bins; an answer that never listens may have 0.

The bins divide [0, 1] evenly. A bin holds its upper edge and not its lower one; the first holds 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from configuration_kemer import EMOTIONS

BINS = 10


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin of a reliability curve that holds items.

    Attributes:
        low: lower edge in [0, 1), which the bin does not hold (but 0).
        high: upper edge in (0, 1], which it holds.
        items: number of items in it, 1 or more.
        probability: their mean probability, in [0, 1].
        share: share of them that have the emotion, in [0, 1].
    """

    low: float
    high: float
    items: int
    probability: float
    share: float


def brier_scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the Brier score of each emotion.

    Args:
        probabilities: (items, emotions), each in [0, 1].
        labels: (items, emotions) values 0 or 1.

    Returns:
        (emotions,) scores in [0, 1], lower is better.

    Raises:
        ValueError: where shapes differ, there are no items, or a value is not allowed.

    Example:
        >>> brier_scores(np.array([[0.5, 1.0], [0.0, 1.0]]), np.array([[1, 1], [0, 1]])).tolist()
        [0.125, 0.0]
    """
    probabilities, labels = _check(probabilities, labels)
    return np.mean((probabilities - labels) ** 2, axis=0)


def calibration_errors(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS
) -> np.ndarray:
    """Compute the expected calibration error of each emotion.

    Args:
        probabilities: (items, emotions), each in [0, 1].
        labels: (items, emotions) values 0 or 1.
        bins: number of bins of equal width, 1 or more.

    Returns:
        (emotions,) errors in [0, 1], lower is better.

    Raises:
        ValueError: where shapes differ, there are no items, or a value is not allowed.

    Example:
        >>> calibration_errors(np.array([[0.25], [0.75], [0.75]]), np.array([[0], [1], [0]]))
        array([0.25])
    """
    counts, probability_sums, positives = _bin_sums(probabilities, labels, bins=bins)
    return np.abs(probability_sums - positives).sum(axis=1) / counts.sum(axis=1)


def reliability_curves(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS
) -> list[list[ReliabilityPoint]]:
    """Compute the points of each emotion's reliability curve.

    Args:
        probabilities: (items, emotions), each in [0, 1].
        labels: (items, emotions) values 0 or 1.
        bins: number of bins of equal width, 1 or more.

    Returns:
        For each emotion its points from low to high, without the bins that hold no item.

    Raises:
        ValueError: where shapes differ, there are no items, or a value is not allowed.

    Example:
        >>> reliability_curves(np.array([[0.25], [0.5]]), np.array([[0], [1]]), bins=2)[0]
        [ReliabilityPoint(low=0.0, high=0.5, items=2, probability=0.375, share=0.5)]
    """
    counts, probability_sums, positives = _bin_sums(probabilities, labels, bins=bins)
    edges = _edges(bins).tolist()
    return [
        [
            ReliabilityPoint(
                low=edges[index],
                high=edges[index + 1],
                items=int(counts[emotion, index]),
                probability=float(probability_sums[emotion, index] / counts[emotion, index]),
                share=float(positives[emotion, index] / counts[emotion, index]),
            )
            for index in np.flatnonzero(counts[emotion])
        ]
        for emotion in range(len(counts))
    ]


def calibration_table(predictions: pd.DataFrame, *, bins: int = BINS) -> pd.DataFrame:
    """Score the probabilities of a run.

    Args:
        predictions: the table of `scoring.read_predictions`, of one corpus.
        bins: number of bins of equal width, 1 or more.

    Returns:
        One row an emotion, indexed by its name, with the columns `references` (the count of items
        that have it), `brier`, `brier_constant` (the Brier score of its share in these references,
        given to every item) and `ece`.

    Raises:
        ValueError: where there are no items, or a value is not allowed.
    """
    probabilities = np.array([list(row) for row in predictions["probabilities"]], dtype=np.float64)
    labels = np.array([list(row) for row in predictions["labels_reference"]])
    brier = brier_scores(probabilities, labels)
    share = labels.mean(axis=0)
    return pd.DataFrame(
        {
            "references": labels.sum(axis=0).astype(int),
            "brier": brier,
            "brier_constant": share * (1 - share),
            "ece": calibration_errors(probabilities, labels, bins=bins),
        },
        index=pd.Index(EMOTIONS, name="emotion"),
    )


def _edges(bins: int) -> np.ndarray:
    """Return the edges of the bins, (bins + 1,)."""
    return np.linspace(0.0, 1.0, bins + 1)


def _bin_sums(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three (emotions, bins): items, the sum of their probabilities, and positives."""
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"`bins` is {bins!r}: allowed is a whole number from 1 up.")
    probabilities, labels = _check(probabilities, labels)
    emotions = probabilities.shape[1]
    # The number of inner edges below the value: a value on an edge is in the lower bin.
    places = np.searchsorted(_edges(bins)[1:-1], probabilities, side="left")
    places = (places + bins * np.arange(emotions)).ravel()  # (items, emotions) → one row of bins
    return tuple(
        np.bincount(places, weights=weights, minlength=emotions * bins).reshape(emotions, bins)
        for weights in (None, probabilities.ravel(), labels.ravel())
    )


def _check(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as (items, emotions) float64, or raise ValueError."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    labels = np.asarray(labels, dtype=np.float64)
    if probabilities.ndim != 2 or 0 in probabilities.shape or probabilities.shape != labels.shape:
        raise ValueError(
            f"`probabilities` has the shape {probabilities.shape} and `labels` {labels.shape}: "
            "allowed is (items, emotions) for both, with one item at least."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError(
            "`probabilities` holds values outside [0, 1] or nan: give the sigmoid of the logits."
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("`labels` holds values other than 0 and 1: give the multi-hot references.")
    return probabilities, labels
