"""Fits the label-set decoder of `decoding_kemer`, and tells how many emotions answers hold.

Stands between the model's answers to the validation sessions and `decoder_fitting`, which chooses
how a run's decoder is fitted. Test sessions are never fitted on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from decoding_kemer import LabelSetDecoder, check_logits

SMALLEST_SLOPE = 1e-3  # a > 0: a correction may ignore a logit, but not turn it round


@dataclass(frozen=True)
class AnswerShares:
    """How many emotions the answers hold, as shares of the items in [0, 1] that add up to 1.

    Attributes:
        empty: no emotion.
        single: one emotion.
        pairs: two emotions.
        larger: three emotions or more.
    """

    empty: float
    single: float
    pairs: float
    larger: float


def answer_shares(answers: np.ndarray) -> AnswerShares:
    """Count how many emotions the answers hold.

    Args:
        answers: (items, emotions) values 0 or 1.

    Returns:
        The shares of the items.

    Raises:
        ValueError: where there are no items, or a value is neither 0 nor 1.

    Example:
        >>> answer_shares(np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0]]))
        AnswerShares(empty=0.25, single=0.25, pairs=0.5, larger=0.0)
    """
    sizes = _check_labels("answers", answers).sum(axis=1)
    counts = np.bincount(np.minimum(sizes, 3), minlength=4) / len(sizes)
    return AnswerShares(*counts.tolist())


def observed_label_sets(labels: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """List the label sets that occur, the commonest first.

    Args:
        labels: (items, emotions) values 0 or 1, of the training sessions.

    Returns:
        Each set once, by falling count; of equal counts the larger tuple first. The set without an
        emotion is among them only where an item has none.

    Raises:
        ValueError: where there are no items, or a value is neither 0 nor 1.

    Example:
        >>> observed_label_sets(np.array([[0, 1], [1, 0], [0, 1]]))
        ((0, 1), (1, 0))
    """
    counts = Counter(tuple(row) for row in _check_labels("labels", labels).tolist())
    return tuple(sorted(counts, key=lambda labels: (-counts[labels], [-v for v in labels])))


def prior_shift(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what a sampler took from each emotion's log odds: what a bias has to give back.

    Args:
        labels: (items, emotions) values 0 or 1, of the training sessions.
        weights: (items,) positive weights with which the sampler drew them, such as those of
            `training.inverse_frequency_weights`.

    Returns:
        (emotions,): log odds of the emotion as it occurs, less those under the weights. Negative
        for an emotion that was drawn more often than it occurs.

    Raises:
        ValueError: where shapes differ, a weight is not positive, or an emotion has no item or all.

    Example:
        >>> prior_shift(np.array([[1], [0], [0], [0]]), np.array([3.0, 1.0, 1.0, 1.0])).round(3)
        array([-1.099])
    """
    labels, weights = _check_labels("labels", labels), np.asarray(weights, dtype=np.float64)
    if weights.shape != labels.shape[:1] or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"`weights` has the shape {weights.shape} for {len(labels)} items: give one positive "
            "weight for every item."
        )
    _refuse_constant_emotions(labels, remedy="the sampler's effect on it is unknown")
    return logit(labels.mean(axis=0)) - logit(weights @ labels / weights.sum())


def fit_label_set_decoder(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    training_labels: np.ndarray,
    shift: np.ndarray | None = None,
    ridge: float = 1.0,
) -> LabelSetDecoder:
    """Fit the correction of the logits on validation items.

    The binary log likelihood of each emotion, a sum over the items, is maximised, less `ridge` / 2
    times the squared distance of the slope from 1 and of the bias from 0: the pull to "no
    correction" fades as the items grow in number.

    Args:
        logits: (items, emotions) finite values, of the validation sessions.
        labels: (items, emotions) values 0 or 1, their truth.
        training_labels: (rows, emotions) values 0 or 1, whose sets are those that may be answered.
        shift: None fits a slope and a bias for each emotion. Given (emotions,), from `prior_shift`,
            only two numbers are fitted, one slope for all and the factor of this shift: for
            validation sets too small for the former (a few hundred items).
        ridge: strength of the pull to "no correction", 0 or more.

    Returns:
        The decoder.

    Raises:
        ValueError: where shapes differ, a value is not finite or not allowed, or `shift` is None
            and an emotion is in none or all of the validation items.
        RuntimeError: where the fit does not converge.
    """
    logits, labels = check_logits(logits), _check_labels("labels", labels)
    if labels.shape != logits.shape:
        raise ValueError(
            f"`logits` has the shape {logits.shape} and `labels` {labels.shape}: give the truth of "
            "the same items and emotions."
        )
    emotions = logits.shape[1]
    sets = observed_label_sets(_check_labels("training_labels", training_labels, emotions=emotions))
    if not (np.isfinite(ridge) and ridge >= 0):
        raise ValueError(f"`ridge` is {ridge!r}: allowed is a number from 0 up.")
    if shift is None:
        remedy = "take more validation sessions, or give `shift` to fit one slope for all emotions"
        _refuse_constant_emotions(labels, remedy=remedy)
        pairs = [
            _fit_platt(logits[:, [k]], np.ones((1, 1)), labels[:, [k]], ridge=ridge)
            for k in range(emotions)
        ]
        slopes, biases = zip(*pairs, strict=True)
        return LabelSetDecoder(slopes=slopes, biases=biases, label_sets=sets)
    shift = np.asarray(shift, dtype=np.float64)
    if shift.shape != (emotions,) or not np.isfinite(shift).all():
        raise ValueError(
            f"`shift` has the shape {shift.shape}: give one finite value for each of the "
            f"{emotions} emotions."
        )
    slope, factor = _fit_platt(logits, shift[None], labels, ridge=ridge)
    biases = tuple((factor * shift).tolist())
    return LabelSetDecoder(slopes=(slope,) * emotions, biases=biases, label_sets=sets)


def _fit_platt(
    logits: np.ndarray, directions: np.ndarray, labels: np.ndarray, *, ridge: float
) -> tuple[float, float]:
    """Return slope and factor of `directions` that fit `labels` best, all emotions together.

    Args:
        logits: (items, emotions).
        directions: (1, emotions) what one unit of the second number adds to the logits.
        labels: (items, emotions) values 0 or 1.
        ridge: strength of the pull to a slope of 1 and a factor of 0.
    """

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, factor = parameters
        corrected = slope * logits + factor * directions
        errors = expit(corrected) - labels
        likelihood = np.sum(np.logaddexp(0.0, corrected) - labels * corrected)
        penalty = ridge * np.array([slope - 1.0, factor])
        gradient = np.array([np.sum(errors * logits), np.sum(errors * directions)]) + penalty
        value = likelihood + 0.5 * ridge * ((slope - 1.0) ** 2 + factor**2)
        return value / labels.size, gradient / labels.size

    # Not L-BFGS-B: on two numbers its calls of a threaded BLAS made it some hundred times slower.
    bounds = [(SMALLEST_SLOPE, None), (None, None)]
    fit = minimize(loss, np.array([1.0, 0.0]), jac=True, method="SLSQP", bounds=bounds, tol=1e-12)
    if not (fit.success and np.isfinite(fit.x).all()):
        raise RuntimeError(
            f"the correction of the logits did not converge ({fit.message}): the validation items "
            "may be separated without error; give a larger `ridge`."
        )
    return float(fit.x[0]), float(fit.x[1])


def _check_labels(name: str, labels: np.ndarray, *, emotions: int | None = None) -> np.ndarray:
    """Return (items, emotions) int64 with an item at least, or raise ValueError naming `name`."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape or labels.shape[1] != (emotions or labels.shape[1]):
        raise ValueError(
            f"`{name}` has the shape {labels.shape}: allowed is (items, {emotions or 'emotions'}), "
            "with one item at least."
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"`{name}` holds values other than 0 and 1: give the decisions themselves."
        )
    return labels.astype(np.int64)


def _refuse_constant_emotions(labels: np.ndarray, *, remedy: str) -> None:
    """Raise ValueError where an emotion is in none or in all of the items."""
    counts = labels.sum(axis=0)
    for index, count in enumerate(counts.tolist()):
        if count in (0, len(labels)):
            raise ValueError(
                f"`labels` has the emotion of index {index} in {count} of {len(labels)} items: "
                f"with no item, or with all, {remedy}."
            )
