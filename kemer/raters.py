"""How far ten raters agree: what a single one scores, and what a model could score at best.

Stands beside `scoring`: its figures are shown next to a model's. They need the votes of each
utterance (`emotion_votes`) and the spread of its ratings (`valence_std`, `arousal_std`), not who
gave which: a mean over raters, or over ways to halve them, depends on the counts alone.

Below, c are the votes of an utterance for the seven emotions, ten in all, A(c) the emotions with
the most votes, which is the reference, and e_k one vote for emotion k.

- One rater, c_k of ten for each k, is right where A(c - e_k), what the other nine say, is k alone
  (strict) or holds k (lenient). A rater gives one label, so a tie of the nine cannot be matched.
  This is no ceiling: a model that weighs all it hears can be better than one rater.
- A panel is reliable where five raters and the other five have the same A, over all 126 ways to
  halve ten. From counts: the votes of a half are multivariate hypergeometric, and the mean over
  the halves is an expectation under it, exactly.
- The ceiling is what somebody scores who knows how likely each emotion is to be named, pi, and
  answers the likeliest A of ten such votes. The vote counts give pi only up to a Dirichlet
  distribution, whose alpha is fitted by maximum likelihood (Minka, "Estimating a Dirichlet
  distribution", 2000, section 3), and raters are taken to be exchangeable: it is an estimate. On
  the synthetic corpus, whose raters are of two kinds, it says .86 where .94 is true.
- One rater of valence or arousal differs from the mean of the other nine by 10/9 of the difference
  from the mean of all ten: the mean squared error is 100/81 of the population variance. The mean
  of ten has itself the error s^2/10, s^2 the sample variance, which no model can go below.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from configuration_kemer import EMOTIONS

RATERS = 10
VOTE_TOLERANCE = 1e-3  # votes; shares are stored as float32
CEILING_DRAWS = 20_000
DRAWS_AT_ONCE = 500  # bounds memory: 500 * 8,008 probabilities are 32 MB
ALPHA_RANGE = (1e-4, 1e4)
SMALLEST_CHANCE = 1e-300  # in place of 0, which has no logarithm


@dataclass(frozen=True)
class Ceiling:
    """What an answerer scores who knows each utterance's chances: estimated, raters exchangeable.

    Attributes:
        exact_match: in [0, 1].
        standard_error: of `exact_match`, of drawing the chances alone; an upper bound.
        alpha: (7,) parameters of the Dirichlet distribution of the chances; 0 for an emotion that
            nobody names.
    """

    exact_match: float
    standard_error: float
    alpha: tuple[float, ...]


@dataclass(frozen=True)
class RaterFigures:
    """What the raters of a corpus score; shares of utterances in [0, 1].

    Attributes:
        single_strict: one rater has the label that the other nine give.
        single_lenient: the same, where one of several labels of the nine is enough.
        ties: the nine give several labels.
        panel: five raters and the other five give the same labels.
        ceiling: estimated exact match of the best possible answers, raters taken as exchangeable.
        ceiling_error: its standard error of simulation.
        valence_single: mean squared error of one rater against the mean of nine, scale 1 to 5.
        arousal_single: the same for arousal.
        valence_floor: mean squared error that no model can go below, about.
        arousal_floor: the same for arousal.
    """

    single_strict: float
    single_lenient: float
    ties: float
    panel: float
    ceiling: float
    ceiling_error: float
    valence_single: float
    arousal_single: float
    valence_floor: float
    arousal_floor: float

    def to_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def count_votes(shares: Sequence[Sequence[float]]) -> np.ndarray:
    """Turns the column `emotion_votes` into votes.

    Args:
        shares: (items, 7) share of the ten raters for each emotion, in [0, 1].

    Returns:
        (items, 7) integers, rows summing to 10.

    Raises:
        ValueError: where there are no rows, or a row is not the votes of ten raters.
    """
    votes = RATERS * np.asarray([list(row) for row in shares], dtype=np.float64)
    if votes.ndim != 2 or votes.shape[1] != len(EMOTIONS):
        raise ValueError(
            f"`shares` has shape {votes.shape}: give {len(EMOTIONS)} shares for each of one or "
            "more items."
        )
    counts = np.rint(votes)
    wrong = (np.abs(votes - counts) > VOTE_TOLERANCE).any(1) | (counts.sum(1) != RATERS)
    wrong |= (counts < 0).any(1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"`shares` of item {row} are {(votes[row] / RATERS).tolist()}: these are not the votes "
            f"of {RATERS} raters, for whom the figures are defined."
        )
    return counts.astype(int)


def majority_labels(counts: np.ndarray) -> np.ndarray:
    """Returns (items, 7) booleans, the emotions with the most votes of `counts`, (items, 7)."""
    return counts == counts.max(axis=-1, keepdims=True)


def single_rater(counts: np.ndarray) -> pd.DataFrame:
    """Scores each rater against the other nine.

    Args:
        counts: (items, 7) votes, rows summing to 10.

    Returns:
        One row an item, means over its ten raters in [0, 1]: `strict` and `lenient` agreement, and
        the share of raters for whom the nine give several labels, `ties`.

    Example:
        >>> single_rater(np.array([[4, 3, 3, 0, 0, 0, 0]])).iloc[0].to_dict()
        {'strict': 0.0, 'lenient': 0.4, 'ties': 0.4}
    """
    items = {name: np.zeros(len(counts)) for name in ("strict", "lenient", "ties")}
    for emotion, nine, weight in _leave_one_out(counts):
        several = nine.sum(1) > 1
        items["strict"] += weight * (nine[:, emotion] & ~several)
        items["lenient"] += weight * nine[:, emotion]
        items["ties"] += weight * several
    return pd.DataFrame(items)


def match_nine(predictions: Sequence[Sequence[int]], counts: np.ndarray) -> np.ndarray:
    """Scores a model against what nine raters say, to compare it with `single_rater`.

    Args:
        predictions: (items, 7) label sets, 0 or 1.
        counts: (items, 7) votes, rows summing to 10.

    Returns:
        (items,) share of the ten ways to leave one rater out in which all seven decisions are
        right, in [0, 1].

    Raises:
        ValueError: where the shapes differ.
    """
    labels = np.asarray([list(row) for row in predictions]).astype(bool)
    if labels.shape != counts.shape:
        raise ValueError(
            f"`predictions` has shape {labels.shape} and `counts` {counts.shape}: give both for "
            "the same items, in the same order."
        )
    matched = np.zeros(len(counts))
    for _, nine, weight in _leave_one_out(counts):
        matched += weight * (nine == labels).all(1)
    return matched


def split_half(counts: np.ndarray) -> np.ndarray:
    """Compares five raters with the other five, over all 126 ways to halve ten.

    Args:
        counts: (items, 7) votes, rows summing to 10.

    Returns:
        (items,) share of the ways in which both halves give the same labels, in [0, 1]; exact.

    Example:
        >>> split_half(np.array([[6, 4, 0, 0, 0, 0, 0]])) * 252
        array([120.])
    """
    distinct, index = np.unique(np.sort(counts, axis=1), axis=0, return_inverse=True)
    shares = [_halve(tuple(int(n) for n in row if n)) for row in distinct]
    return np.array(shares)[index.reshape(-1)]


def fit_alpha(counts: np.ndarray) -> np.ndarray:
    """Fits the Dirichlet-multinomial distribution of the votes by maximum likelihood.

    Args:
        counts: (items, 7) votes, rows summing to 10.

    Returns:
        (7,) parameters within `ALPHA_RANGE`; 0 for an emotion without a vote.

    Raises:
        RuntimeError: where the search does not converge.
    """
    named = counts.sum(0) > 0
    distinct, weights = np.unique(counts[:, named], axis=0, return_counts=True)

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        alpha = np.exp(logs)
        total = alpha.sum()
        terms = (gammaln(distinct + alpha) - gammaln(alpha)).sum(1)
        value = weights @ (terms + gammaln(total) - gammaln(total + RATERS))
        slope = weights @ (digamma(distinct + alpha) - digamma(alpha))
        slope += weights.sum() * (digamma(total) - digamma(total + RATERS))
        return -float(value) / len(counts), -slope * alpha / len(counts)

    limits = [tuple(math.log(limit) for limit in ALPHA_RANGE)] * int(named.sum())
    # A total of one: votes as different between items as if each were nearly unanimous.
    start = np.log(np.clip(distinct.T @ weights / counts.sum(), *ALPHA_RANGE))
    found = minimize(loss, start, jac=True, bounds=limits, method="L-BFGS-B")
    if not found.success:
        raise RuntimeError(
            f"no Dirichlet distribution was found for `counts` ({found.message}); look at the "
            "votes, and report them if nothing is odd."
        )
    alpha = np.zeros(counts.shape[1])
    alpha[named] = np.exp(found.x)
    return alpha


def estimate_ceiling(counts: np.ndarray, *, draws: int = CEILING_DRAWS, seed: int = 0) -> Ceiling:
    """Estimates the exact match of somebody who knows each utterance's chances.

    For each item chances pi are drawn from Dirichlet(alpha + c), given which the distribution of
    A(ten votes) is enumerated; the answer is its likeliest label set.

    Args:
        counts: (items, 7) votes, rows summing to 10.
        draws: least number of draws of pi over all items; each item has at least one.
        seed: of the draws.

    Returns:
        The estimate with its standard error of simulation, below .5 / sqrt(draws).
    """
    alpha = fit_alpha(counts)
    named = alpha > 0
    rng = np.random.default_rng(seed)
    repeated = np.repeat(counts[:, named], -(-draws // len(counts)), axis=0)
    gammas = rng.standard_gamma(alpha[named] + repeated)
    chances = np.zeros((len(repeated), counts.shape[1]))
    chances[:, named] = gammas / gammas.sum(1, keepdims=True)
    pieces = np.array_split(chances, -(-len(chances) // DRAWS_AT_ONCE))
    best = np.concatenate([consensus_chances(piece).max(1) for piece in pieces])
    return Ceiling(
        exact_match=float(best.mean()),
        standard_error=float(best.std() / math.sqrt(len(best))),
        alpha=tuple(alpha.tolist()),
    )


def consensus_chances(chances: np.ndarray) -> np.ndarray:
    """Computes how likely each label set is the majority of ten votes, by enumeration.

    Args:
        chances: (items, 7) chance that a rater names each emotion, rows summing to 1.

    Returns:
        (items, sets) chance of each set that ten votes can give, rows summing to 1, in the order of
        the number that has bit k where the set has emotion k.
    """
    votes, factors, order, starts = _enumerate_votes(chances.shape[1])
    logs = np.log(np.maximum(chances, SMALLEST_CHANCE))
    shares = np.exp(logs @ votes.T + factors)  # (items, ways)
    return np.add.reduceat(shares[:, order], starts, axis=1)


def one_rater_error(deviations: Sequence[float]) -> float:
    """Computes the mean squared error of one rater against the mean of the other nine.

    Args:
        deviations: (items,) population standard deviation over ten raters (`valence_std`).

    Returns:
        The mean over raters and items, on the scale 1 to 5 squared.
    """
    return float((RATERS / (RATERS - 1)) ** 2 * np.square(np.asarray(deviations, float)).mean())


def error_floor(deviations: Sequence[float]) -> float:
    """Computes the mean squared error of the mean of ten raters itself, which no model goes below.

    Args:
        deviations: (items,) population standard deviation over ten raters (`valence_std`).

    Returns:
        Mean of s^2/10, s^2 the sample variance, on the scale 1 to 5 squared.
    """
    return float(np.square(np.asarray(deviations, float)).mean() / (RATERS - 1))


def summarise_raters(
    rows: pd.DataFrame, *, draws: int = CEILING_DRAWS, seed: int = 0
) -> RaterFigures:
    """Computes all figures of a corpus, or of a part of it.

    Args:
        rows: one row an utterance, with the columns `emotion_votes`, `valence_std` and
            `arousal_std` of a release; one corpus at a time.
        draws: as in `estimate_ceiling`.
        seed: as in `estimate_ceiling`.

    Returns:
        The figures.

    Raises:
        ValueError: where a row is not the votes of ten raters, or there are no rows.
    """
    counts = count_votes(rows["emotion_votes"])
    single = single_rater(counts).mean()
    ceiling = estimate_ceiling(counts, draws=draws, seed=seed)
    return RaterFigures(
        single_strict=float(single["strict"]),
        single_lenient=float(single["lenient"]),
        ties=float(single["ties"]),
        panel=float(split_half(counts).mean()),
        ceiling=ceiling.exact_match,
        ceiling_error=ceiling.standard_error,
        valence_single=one_rater_error(rows["valence_std"]),
        arousal_single=one_rater_error(rows["arousal_std"]),
        valence_floor=error_floor(rows["valence_std"]),
        arousal_floor=error_floor(rows["arousal_std"]),
    )


def _leave_one_out(counts: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield an emotion, (items, 7) what nine say without one of its votes, (items,) its share."""
    for emotion in range(counts.shape[1]):
        nine = counts.copy()
        nine[:, emotion] -= 1  # an item without such a vote has the share 0
        yield emotion, majority_labels(nine), counts[:, emotion] / RATERS


@lru_cache(maxsize=64)
def _halve(counts: tuple[int, ...]) -> float:
    """Return the share of halves with the majority of the rest, for one item's votes."""
    half = RATERS // 2
    agreeing = 0
    for first in itertools.product(*(range(min(n, half) + 1) for n in counts)):
        if sum(first) != half:
            continue
        second = [n - m for n, m in zip(counts, first, strict=True)]
        same = all(
            (m == max(first)) == (n == max(second)) for m, n in zip(first, second, strict=True)
        )
        agreeing += same * math.prod(map(math.comb, counts, first))
    return agreeing / math.comb(RATERS, half)


@lru_cache(maxsize=2)
def _enumerate_votes(emotions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return all ways in which ten votes fall.

    Returns:
        votes: (ways, emotions).
        factors: (ways,) logarithm of the multinomial coefficient.
        order: (ways,) the ways sorted by the label set that they give.
        starts: (sets,) where in `order` each set begins.
    """
    bars = itertools.combinations(range(RATERS + emotions - 1), emotions - 1)
    edges = np.array([(-1, *bar, RATERS + emotions - 1) for bar in bars])
    votes = np.diff(edges, axis=1) - 1
    factors = gammaln(RATERS + 1) - gammaln(votes + 1).sum(1)
    codes = majority_labels(votes) @ (1 << np.arange(emotions))
    order = np.argsort(codes, kind="stable")
    starts = np.unique(codes[order], return_index=True)[1]
    return votes, factors, order, starts
