"""What ten raters agree on: the distribution of consensus label sets, by enumeration.

The reference of a turn is the set of emotions with the most votes. Its distribution given a
turn's hidden state follows exactly from the raters' chances: both groups of raters are multinomial,
and every pair of their possible vote counts is enumerated. `generative` calibrates its share of
neutral with it, `oracle` computes what a perfect model scores.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import lru_cache
from math import factorial

import numpy as np

from ..layout import EMOTIONS
from .generative import Turns, draw_turns, emotion_probabilities, rater_probabilities
from .lexicon import MIXED_PAIRS
from .parameters import NEUTRAL, Parameters

STRENGTH_GRID = np.linspace(0.0, 3.0, 61)
"""Distances from the plane's centre at which consensus distributions are tabulated; between two
of them a rater's chance of noticing an emotion moves by about a tenth at most."""

NEUTRAL_BIAS_LIMIT = 15.0  # log-odds; beyond it nothing changes any more
CALIBRATION_SEED = 20
CALIBRATION_TURNS = 20_000


@lru_cache(maxsize=4)
def _vote_counts(raters: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every count vector of `raters` votes, `(counts, 7)`, and its multinomial factor."""
    classes = len(EMOTIONS)
    bars = itertools.combinations(range(raters + classes - 1), classes - 1)
    edges = np.array([(-1, *bar, raters + classes - 1) for bar in bars])
    counts = np.diff(edges, axis=1) - 1
    factors = np.array(
        [factorial(raters) / np.prod([factorial(int(n)) for n in row]) for row in counts]
    )
    return counts, factors


@lru_cache(maxsize=4)
def _pair_sets(raters: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the consensus set of every pair of count vectors.

    Returns:
        sets: the distinct label sets, `(sets, 7)` of 0 and 1.
        index: index into `sets` for each pair of count vectors, flat.
    """
    counts, _ = _vote_counts(raters)
    total = counts[:, None, :] + counts[None, :, :]  # (counts, counts, 7)
    winners = total == total.max(-1, keepdims=True)
    code = winners.reshape(-1, len(EMOTIONS)) @ (1 << np.arange(len(EMOTIONS)))
    codes, index = np.unique(code, return_inverse=True)
    sets = (codes[:, None] >> np.arange(len(EMOTIONS))) & 1
    return sets, index.reshape(-1)


def label_sets(parameters: Parameters) -> np.ndarray:
    """Return every label set that can be a consensus, `(sets, 7)` of 0 and 1."""
    return _pair_sets(parameters.raters_per_group)[0]


def consensus_probabilities(parameters: Parameters, chances: np.ndarray) -> np.ndarray:
    """Return the distribution over `label_sets` for given rater chances.

    Args:
        parameters: the generative model.
        chances: `(2, turns, 7)`, what a reserved and an expressive rater says.

    Returns:
        `(turns, sets)`, rows summing to 1.
    """
    counts, factors = _vote_counts(parameters.raters_per_group)
    sets, index = _pair_sets(parameters.raters_per_group)
    with np.errstate(divide="ignore"):
        logs = np.log(chances)
    logs = np.where(np.isfinite(logs), logs, -1e9)  # (2, turns, 7)
    by_group = factors * np.exp(logs @ counts.T)  # (2, turns, counts)
    rows = [
        np.bincount(index, np.outer(reserved, expressive).ravel(), minlength=len(sets))
        for reserved, expressive in zip(*by_group, strict=True)
    ]
    return np.stack(rows)


@dataclass(frozen=True)
class ConsensusTable:
    """Consensus distributions of every kind of turn, tabulated once.

    Attributes:
        by_emotion: `(7, strengths, sets)` on `STRENGTH_GRID`.
        by_pair: `(pairs, sets)` for mixed lines.
    """

    by_emotion: np.ndarray
    by_pair: np.ndarray

    def of_turns(self, turns: Turns) -> np.ndarray:
        """Return the consensus distribution of each turn, `(turns, sets)`."""
        strength = np.hypot(turns.valence, turns.arousal)
        nearest = np.rint(strength / STRENGTH_GRID[1]).astype(int).clip(0, len(STRENGTH_GRID) - 1)
        plain = self.by_emotion[turns.emotion, nearest]
        return np.where(turns.mixed[:, None] >= 0, self.by_pair[turns.mixed], plain)


def tabulate_consensus(parameters: Parameters) -> ConsensusTable:
    """Enumerate the consensus distribution of every emotion, strength and mixed pair."""
    emotions = np.repeat(np.arange(len(EMOTIONS)), len(STRENGTH_GRID))
    strengths = np.tile(STRENGTH_GRID, len(EMOTIONS))
    plain = _turns_of(emotions, strengths, mixed=np.full(len(emotions), -1))
    pairs = np.arange(len(MIXED_PAIRS))
    mixed = _turns_of(np.zeros_like(pairs), np.zeros(len(pairs)), mixed=pairs)
    by_emotion = consensus_probabilities(parameters, rater_probabilities(parameters, plain))
    return ConsensusTable(
        by_emotion=by_emotion.reshape(len(EMOTIONS), len(STRENGTH_GRID), -1),
        by_pair=consensus_probabilities(parameters, rater_probabilities(parameters, mixed)),
    )


def _turns_of(emotion: np.ndarray, strength: np.ndarray, *, mixed: np.ndarray) -> Turns:
    """Return turns of which only what the raters hear is set."""
    unset = np.zeros(len(emotion), dtype=int)
    return Turns(
        position=unset,
        stated_event=unset,
        event=unset,
        valence=strength,
        arousal=np.zeros_like(strength),
        emotion=emotion,
        mixed=mixed,
        line_kind=unset,
        line_topic=unset,
    )


def calibrate_neutral(parameters: Parameters, table: ConsensusTable) -> float:
    """Find the bias towards neutral that gives the share asked for in `parameters.neutral`.

    Args:
        parameters: the generative model.
        table: its consensus distributions.

    Returns:
        log-odds to add to neutral. The same on every machine and for every corpus seed.

    Raises:
        ValueError: if no bias gives that share.
    """
    rng = np.random.default_rng(CALIBRATION_SEED)
    turns = draw_turns(
        parameters,
        rng,
        dialogues=CALIBRATION_TURNS // 20,
        turns_per_dialogue=20,
        neutral_bias=0.0,
    )
    neutral_alone = (label_sets(parameters) == np.eye(len(EMOTIONS))[NEUTRAL]).all(1).argmax()
    alone = np.stack(
        [
            table.of_turns(replace(turns, emotion=np.full(len(turns), emotion)))[:, neutral_alone]
            for emotion in range(len(EMOTIONS))
        ],
        axis=1,
    )  # (turns, 7): chance of the consensus {neutral}, would the turn's emotion be each

    def share(bias: float) -> float:
        chances = emotion_probabilities(
            parameters, turns.event, turns.valence, turns.arousal, neutral_bias=bias
        )
        return float((chances * alone).sum(1).mean())

    low, high = -NEUTRAL_BIAS_LIMIT, NEUTRAL_BIAS_LIMIT
    if not share(low) <= parameters.neutral <= share(high):
        raise ValueError(
            f"`neutral` is {parameters.neutral}; with these parameters it must be between "
            f"{share(low):.3f} and {share(high):.3f}."
        )
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) < parameters.neutral else (low, middle)
    return (low + high) / 2
