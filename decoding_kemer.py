"""From logits to label sets: the paper's threshold, the most probable emotion, or label sets.

Last station of inference, and what training scores. What each rule is best for, where the score is
exact match:

- **threshold**: the paper's rule. It is optimal only where the emotions are independent of each
  other given the input, and it may answer no emotion at all, which no reference of KEMDy does.
- **argmax**: always one emotion. Among ten exchangeable raters a tie is never the most probable
  consensus, so this is nearly the optimal rule on KEMDy; a pair is always wrong.
- **label sets**: the most probable set among those that occur in training (Dembczyński, Waegeman,
  Cheng and Hüllermeier, Machine Learning 88, 2012: exact match asks for the mode of the joint
  distribution, not for the marginals). Each logit l is corrected by Platt's scaling
  z = a l + b, a > 0 (Platt, 1999): a undoes an over-confident model, b undoes a sampler that drew
  rare emotions more often, which a temperature alone cannot. The answer is the set y with the
  largest sum of y z: the product of the emotions' Bernoulli probabilities, restricted to the sets.
  Its limit: of two emotions that exclude each other, each with a probability just above one half
  after the correction, it answers both if that pair occurs in training.

A decoder is fitted on validation sessions when a model is trained, and kept in its configuration
(`label_set_decoder`). This file travels with every checkpoint and imports nothing but NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

DECODINGS = ("threshold", "argmax", "label_sets")
"""The ways to decide which emotions are present; the first is the paper's."""


@dataclass(frozen=True)
class LabelSetDecoder:
    """A fitted decoder: the correction of each logit, and the label sets it may answer.

    Attributes:
        slopes: (emotions,) factors a of the logits, more than 0.
        biases: (emotions,) values b added to them, in logits.
        label_sets: (sets, emotions) values 0 or 1, each set once; of equally probable sets the
            first is answered.

    Raises:
        ValueError: where the shapes differ, a value is not finite, a slope is not more than 0,
            there is no set, a set occurs twice, or a label is neither 0 nor 1.

    Example:
        >>> decoder = LabelSetDecoder((1.0, 1.0), (0.0, -3.0), ((1, 0), (0, 1)))
        >>> decoder(np.array([[0.5, 2.0], [-2.0, 2.0]])).tolist()
        [[1, 0], [0, 1]]
        >>> LabelSetDecoder.from_dict(decoder.to_dict()) == decoder
        True
    """

    slopes: tuple[float, ...]
    biases: tuple[float, ...]
    label_sets: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        emotions = len(self.slopes)
        if emotions == 0 or len(self.biases) != emotions:
            raise ValueError(
                f"`slopes` has {emotions} values and `biases` {len(self.biases)}: "
                "give one of each for every emotion."
            )
        if not np.isfinite([*self.slopes, *self.biases]).all() or min(self.slopes) <= 0:
            raise ValueError(
                f"`slopes` is {self.slopes} and `biases` {self.biases}: both must be finite, and "
                "each slope more than 0; fit the decoder again."
            )
        if len(self.label_sets) == 0:
            raise ValueError("`label_sets` is empty: give the label sets seen in training.")
        for labels in self.label_sets:
            if len(labels) != emotions or not set(labels) <= {0, 1}:
                raise ValueError(
                    f"`label_sets` holds {labels}: allowed are {emotions} values, each 0 or 1."
                )
        if len(set(self.label_sets)) < len(self.label_sets):
            raise ValueError("`label_sets` holds a set twice: give each label set once.")

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Answer the most probable of the label sets.

        Args:
            logits: (items, emotions) finite values.

        Returns:
            The answers, (items, emotions), integers 0 and 1.

        Raises:
            ValueError: where the logits have another shape or are not finite.
        """
        logits = check_logits(logits, emotions=len(self.slopes))
        corrected = logits * np.array(self.slopes) + np.array(self.biases)
        sets = np.array(self.label_sets, dtype=np.int64)
        return sets[(corrected @ sets.T).argmax(axis=1)]  # (items, sets) → (items, emotions)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, as a model's config or a JSON file can hold them."""
        return {
            "slopes": list(self.slopes),
            "biases": list(self.biases),
            "label_sets": [list(labels) for labels in self.label_sets],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LabelSetDecoder:
        """Restore a decoder from what `to_dict` gave.

        Args:
            values: the keys `slopes`, `biases` and `label_sets`, no others.

        Returns:
            The decoder.

        Raises:
            ValueError: where a key is missing or unknown, or a value is refused by the class.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ValueError(
                f"`values` has the keys {sorted(values)}: a decoder has {sorted(names)}."
            )
        return cls(
            slopes=tuple(float(value) for value in values["slopes"]),
            biases=tuple(float(value) for value in values["biases"]),
            label_sets=tuple(tuple(int(v) for v in labels) for labels in values["label_sets"]),
        )


def decode_threshold(logits: np.ndarray, *, threshold: float = 0.5) -> np.ndarray:
    """Answer every emotion whose probability is above a threshold; it may be none (the paper's).

    Args:
        logits: (items, emotions) finite values.
        threshold: in [0, 1].

    Returns:
        The answers, (items, emotions), integers 0 and 1.

    Raises:
        ValueError: where the logits have another shape or are not finite, or the threshold leaves
            [0, 1].

    Example:
        >>> decode_threshold(np.array([[1.0, 2.0], [-1.0, -2.0]])).tolist()
        [[1, 1], [0, 0]]
    """
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"`threshold` is {threshold!r}: allowed is a number in [0, 1].")
    return (_sigmoid(check_logits(logits)) > threshold).astype(np.int64)


def decode_argmax(logits: np.ndarray) -> np.ndarray:
    """Answer the one emotion with the largest logit, the first of equals.

    Args:
        logits: (items, emotions) finite values.

    Returns:
        The answers, (items, emotions), integers 0 and 1.

    Raises:
        ValueError: where the logits have another shape or are not finite.

    Example:
        >>> decode_argmax(np.array([[1.0, 2.0], [-1.0, -2.0]])).tolist()
        [[0, 1], [1, 0]]
    """
    logits = check_logits(logits)
    return np.eye(logits.shape[1], dtype=np.int64)[logits.argmax(axis=1)]


def decode_by(
    decoding: str, logits: np.ndarray, *, decoder: LabelSetDecoder | None = None
) -> np.ndarray:
    """Answer by one of the ways of `DECODINGS`.

    Args:
        decoding: `threshold` at 0.5, which may answer no emotion; `argmax`; or `label_sets`.
        logits: (items, emotions) finite values.
        decoder: for `label_sets`.

    Returns:
        The answers, (items, emotions), integers 0 and 1.

    Raises:
        ValueError: for another decoding, or where the decoder that it needs is missing.
    """
    if decoding == "threshold":
        return decode_threshold(logits)
    if decoding == "argmax":
        return decode_argmax(logits)
    if decoding != "label_sets":
        raise ValueError(f"`decoding` is {decoding!r}; allowed is one of {', '.join(DECODINGS)}.")
    if decoder is None:
        raise ValueError("`decoding` is 'label_sets' and `decoder` is None; give the fitted one.")
    return decoder(logits)


def decode_emotions(probabilities: np.ndarray, *, threshold: float = 0.5) -> np.ndarray:
    """Decide which emotions are present.

    Args:
        probabilities: (n, emotions), each in [0, 1].
        threshold: an emotion is present if its probability is greater, in [0, 1]; where none is,
            the most probable one is (the first of equals), as every utterance has one at least.

    Returns:
        The decisions, (n, emotions), integers 0 and 1.

    Raises:
        ValueError: if the probabilities have another shape or leave [0, 1], or the threshold does.

    Example:
        >>> decode_emotions(np.array([[0.1, 0.6, 0.7], [0.2, 0.4, 0.3]])).tolist()
        [[0, 1, 1], [0, 1, 0]]
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] == 0:
        raise ValueError(
            f"`probabilities` has the shape {probabilities.shape}; allowed is (n, emotions)."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError(
            "`probabilities` holds values outside [0, 1] or NaN; give the sigmoid of the logits."
        )
    if not 0 <= threshold <= 1:
        raise ValueError(f"`threshold` is {threshold!r}; allowed is a number in [0, 1].")
    decisions = probabilities > threshold
    undecided = ~decisions.any(axis=1)
    decisions[undecided, probabilities[undecided].argmax(axis=1)] = True
    return decisions.astype(np.int64)


def check_logits(logits: np.ndarray, *, emotions: int | None = None) -> np.ndarray:
    """Return (items, emotions) float64, or raise ValueError."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or logits.shape[1] == 0 or logits.shape[1] != (emotions or logits.shape[1]):
        raise ValueError(
            f"`logits` has the shape {logits.shape}: allowed is (items, {emotions or 'emotions'})."
        )
    if not np.isfinite(logits).all():
        raise ValueError("`logits` holds nan or infinity: give finite values, before the sigmoid.")
    return logits


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and the result 0
        return 1.0 / (1.0 + np.exp(-logits))
