"""Two models on the same sessions: the difference, its interval, a test, and Holm's correction.

Built on `session_sums` and `intervals`; the table of results shows one comparison a named row.

The test exchanges the two models' answers in whole sessions (Noreen, Computer-Intensive Methods for
Testing Hypotheses, 1989, chapter 2): if the models were equally good, each session's difference
could as well have the other sign. For a mean, this is the sign-flip test of the sessions' summed
differences; for macro-F1 and CCC the whole score of both is computed again. Every choice of signs
is enumerated where there are no more than the permutations asked for, else they are drawn. A test
is possible with few sessions, but its p value is 2 / 2^sessions at least.

Both rows need the same training seeds, utterances and sessions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kemer.intervals import REPLICATES, ScoreInterval, TooFewSessions, interval_over_sessions
from kemer.session_sums import SessionSums, Statistic, check_same_items, mean_from_sums

PERMUTATIONS = 20_000
TIE = 1e-12  # differences this close are equal: the order of adding up must not decide


@dataclass(frozen=True)
class SignFlipTest:
    """A two-sided test that two models are equally good.

    Attributes:
        difference: score of the first less that of the second.
        p_value: in (0, 1].
        permutations: number of choices of signs that were looked at.
        exact: whether these were all there are.
    """

    difference: float
    p_value: float
    permutations: int
    exact: bool


@dataclass(frozen=True)
class Comparison:
    """A model against another one, named in a family of comparisons.

    Attributes:
        difference: score of the first less that of the other, with its interval over sessions or,
            where they are too few, the difference within each session.
        test: the sign-flip test, uncorrected.
        p_holm: its p value corrected for the family, in (0, 1].
    """

    difference: ScoreInterval | TooFewSessions
    test: SignFlipTest
    p_holm: float

    def __str__(self) -> str:
        return f"{self.difference}, p = {self.p_holm:.4f} (sign-flip, Holm)"


@dataclass(frozen=True)
class DifferenceFromSums:
    """The statistic of a difference: reads the sums of the first, then those of the second.

    Attributes:
        statistic: the score of each.
    """

    statistic: Statistic

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """Return differences (...) from sums (..., 2 x columns)."""
        first, second = np.split(sums, 2, axis=-1)
        return self.statistic(first) - self.statistic(second)


def paired_difference(first: SessionSums, second: SessionSums) -> SessionSums:
    """Return the sums of a difference, for the functions of `intervals`.

    Args:
        first: sums of one model.
        second: sums of another on the same items, for the same seeds.

    Returns:
        Sums whose score is that of `first` less that of `second`. The difference of two means is
        the mean of the differences, so its interval is the paired t interval.

    Raises:
        ValueError: where statistic, sessions, scripts, items or the number of seeds differ.

    Example:
        >>> from kemer.session_sums import mean_sums
        >>> ours, theirs = mean_sums([1, 1, 1, 0], "aabb"), mean_sums([0, 1, 0, 0], "aabb")
        >>> gain = paired_difference(ours, theirs)
        >>> gain.value(), gain.session_values()
        (0.5, {'a': 0.5, 'b': 0.5})
    """
    _check_pair(first, second)
    if first.statistic == mean_from_sums:
        columns = [first.sums[..., :1] - second.sums[..., :1], first.sums[..., 1:]]
        return replace(first, sums=np.concatenate(columns, axis=-1))
    return replace(
        first,
        statistic=DifferenceFromSums(first.statistic),
        sums=np.concatenate([first.sums, second.sums], axis=-1),
    )


def sign_flip_test(
    first: SessionSums, second: SessionSums, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> SignFlipTest:
    """Test that two models are equally good, with the session as the unit.

    Args:
        first: sums of one model.
        second: sums of another on the same items, for the same seeds.
        permutations: number of choices of signs to draw, 1 or more; all 2^sessions are taken where
            they are no more than this.
        seed: of the draws.

    Returns:
        The difference and its two-sided p value. Of drawn choices the observed one counts as one
        more, so that p is never 0 (Phipson and Smyth, Statistical Applications in Genetics and
        Molecular Biology 9, 2010).

    Raises:
        ValueError: where the two do not match, `permutations` is not allowed, or a score is 0/0.

    Example:
        >>> from kemer.session_sums import mean_sums
        >>> sign_flip_test(mean_sums([1, 1, 1], [1, 2, 3]), mean_sums([0, 0, 0], [1, 2, 3]))
        SignFlipTest(difference=1.0, p_value=0.25, permutations=8, exact=True)
    """
    _check_pair(first, second)
    if isinstance(permutations, bool) or not isinstance(permutations, int) or permutations < 1:
        raise ValueError(
            f"`permutations` is {permutations!r}: allowed is a whole number from 1 up."
        )
    first, second = first.by_session(), second.by_session()
    count = len(first.sizes)
    exact = 2**count <= permutations
    if exact:
        exchanged = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    else:
        exchanged = np.random.default_rng(seed).integers(0, 2, (permutations, count))
    # What the exchanged sessions (choices, sessions) carry over from one model to the other.
    moved = np.matmul(exchanged.astype(float), second.sums - first.sums)
    ours = first.statistic(first.sums.sum(axis=1, keepdims=True) + moved)
    theirs = first.statistic(second.sums.sum(axis=1, keepdims=True) - moved)
    differences = (ours - theirs).mean(axis=0)  # (seeds, choices) → (choices,)
    difference = first.value() - second.value()
    if math.isnan(difference) or np.isnan(differences).any():
        raise ValueError("a score is 0/0: it cannot be compared; show it as undefined.")
    as_large = int(np.sum(np.abs(differences) >= abs(difference) - TIE))
    p_value = as_large / len(differences) if exact else (as_large + 1) / (len(differences) + 1)
    return SignFlipTest(
        difference=difference, p_value=p_value, permutations=len(differences), exact=exact
    )


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct the p values of a family of comparisons.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.

    Args:
        p_values: by name, each in [0, 1].

    Returns:
        By name in the same order, the smallest level at which the comparison would be significant
        with the family-wise error held: sorted from small to large, the i-th of n (from 0) is
        multiplied by n - i, and is no smaller than the one before it nor larger than 1.

    Raises:
        ValueError: where a p value is not in [0, 1].

    Example:
        >>> holm({"speech": 0.0625, "text": 0.03125, "other": 0.5})
        {'speech': 0.125, 'text': 0.09375, 'other': 0.5}
    """
    for name, value in p_values.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"`p_values` has {value} for {name!r}: allowed is [0, 1].")
    corrected, largest = {}, 0.0
    for index, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - index) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def compare(
    first: SessionSums,
    others: Mapping[str, SessionSums],
    *,
    confidence: float = 0.95,
    replicates: int = REPLICATES,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare a model with each of several others, in one score, as one family.

    Args:
        first: sums of the model, such as the multi-modal row.
        others: by name, sums of the models that it is compared with.
        confidence: of the intervals, each for itself, in (0, 1).
        replicates: as in `intervals.interval_over_sessions`.
        permutations: as in `sign_flip_test`.
        seed: of bootstrap and test.

    Returns:
        By name, the comparison; the p values are corrected for all of `others`.

    Raises:
        ValueError: where there are no others, or as in `paired_difference`, `sign_flip_test` and
            `intervals.interval_over_sessions`.
    """
    if not others:
        raise ValueError("`others` is empty: name one model at least to compare with.")
    tests = {
        name: sign_flip_test(first, other, permutations=permutations, seed=seed)
        for name, other in others.items()
    }
    corrected = holm({name: test.p_value for name, test in tests.items()})
    return {
        name: Comparison(
            difference=interval_over_sessions(
                paired_difference(first, other),
                confidence=confidence,
                replicates=replicates,
                seed=seed,
            ),
            test=tests[name],
            p_holm=corrected[name],
        )
        for name, other in others.items()
    }


def _check_pair(first: SessionSums, second: SessionSums) -> None:
    """Raise ValueError where two models were not scored on the same items for the same seeds."""
    check_same_items(first, second)
    if len(first.sums) != len(second.sums):
        raise ValueError(
            f"the two sums are of {len(first.sums)} and {len(second.sums)} seeds: compare rows of "
            "the same seeds."
        )
