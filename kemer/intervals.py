"""Intervals of any score with the session as the unit, and of sessions and scripts together.

`session_sums` gives what is drawn anew here; `comparisons` sets two models side by side with it.

- A mean (exact match, Distance) has the linearised t interval of `scoring.session_interval`.
- Macro-F1 and CCC have a session bootstrap: whole sessions are drawn with replacement and the whole
  score is computed again. Its percentile interval is too narrow with few sessions, so both half
  widths are stretched by t(G - 1) / z times sqrt(G / (G - 1)), with G sessions and the t and normal
  quantiles of the confidence (Hesterberg, The American Statistician 69, 2015).
- Where scripts are held out too, the scripts that several sessions play are drawn as well, and a
  session's part of a script counts as often as the session times the script was drawn: the
  pigeonhole bootstrap (Owen, Annals of Applied Statistics 1, 2007). What one session alone plays
  is drawn with its session. The stretch is that of the smaller number, sessions or scripts; where
  scripts differ little, the interval is wider than it need be. Few scripts bound what can be
  claimed, whatever the width.

Fewer than `SESSIONS_FOR_AN_INTERVAL` sessions have no interval: their scores are shown one by one.
Every interval holds for these trained models; the folds share training data, and it does not see
that. There is none inside a fold.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kemer.scoring import SESSIONS_FOR_AN_INTERVAL, session_interval
from kemer.session_sums import SessionSums, mean_from_sums

REPLICATES = 5000
SESSION_T, SESSION_BOOTSTRAP = "session t", "session bootstrap"
TWO_WAY_BOOTSTRAP = "sessions x scripts bootstrap"


@dataclass(frozen=True)
class ScoreInterval:
    """A score and its interval.

    Attributes:
        value: the score over all items, averaged over the seeds.
        low: lower end; not cut at the ends of the score's range.
        high: upper end; not cut either.
        sessions: number of sessions.
        scripts: number of scripts that several sessions play, or None for sessions alone.
        method: `SESSION_T`, `SESSION_BOOTSTRAP` or `TWO_WAY_BOOTSTRAP`.
    """

    value: float
    low: float
    high: float
    sessions: int
    scripts: int | None
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class TooFewSessions:
    """A score of sessions too few for an interval.

    Attributes:
        value: the score over all items, averaged over the seeds.
        session_values: the score within each session; nan where it is 0/0.

    Example:
        >>> print(TooFewSessions(0.61, {1: 0.58, 6: 0.64}))
        0.610 (2 sessions: 1: 0.580, 6: 0.640; too few sessions for an interval)
    """

    value: float
    session_values: dict[Hashable, float]

    def __str__(self) -> str:
        shown = ", ".join(
            f"{session}: {'undefined' if math.isnan(value) else format(value, '.3f')}"
            for session, value in self.session_values.items()
        )
        count = f"{len(self.session_values)} session{'s' if len(self.session_values) > 1 else ''}"
        return f"{self.value:.3f} ({count}: {shown}; too few sessions for an interval)"


def interval_over_sessions(
    sums: SessionSums, *, confidence: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> ScoreInterval | TooFewSessions:
    """Compute the interval of a score with the session as the unit.

    Args:
        sums: of one corpus, each utterance once.
        confidence: share of such intervals that hold the truth, in (0, 1).
        replicates: bootstrap draws, 1 or more; a mean needs none.
        seed: of the bootstrap.

    Returns:
        The t interval of a mean, the bootstrap interval of another score; with fewer than
        `SESSIONS_FOR_AN_INTERVAL` sessions the score of each.

    Raises:
        ValueError: where `confidence` or `replicates` is not allowed, or the score is 0/0.

    Example:
        >>> from kemer.session_sums import mean_sums
        >>> print(interval_over_sessions(mean_sums([1, 0, 1, 1] * 6, sorted([*range(12)] * 2))))
        0.750 [0.584, 0.916]
    """
    _check(sums, confidence=confidence, replicates=replicates)
    sums = sums.by_session()
    count = len(sums.sizes)
    if count < SESSIONS_FOR_AN_INTERVAL:
        return TooFewSessions(value=sums.value(), session_values=sums.session_values())
    if sums.statistic == mean_from_sums:
        # The interval depends on sums and sizes of the sessions only: every item gets the mean of
        # its session, over the seeds too.
        means = sums.sums[:, :, 0].mean(axis=0) / sums.sizes
        interval = session_interval(
            np.repeat(means, sums.sizes),
            np.repeat(np.arange(count), sums.sizes).tolist(),
            confidence=confidence,
        )
        low, high, method = interval.low, interval.high, SESSION_T
    else:
        weights = _draws(np.random.default_rng(seed), count, replicates=replicates)
        low, high = _stretched(sums, weights, units=count, confidence=confidence)
        method = SESSION_BOOTSTRAP
    return ScoreInterval(
        value=sums.value(), low=low, high=high, sessions=count, scripts=None, method=method
    )


def interval_over_sessions_and_scripts(
    sums: SessionSums, *, confidence: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> ScoreInterval | TooFewSessions:
    """Compute the interval of a score for new sessions that play new scripts.

    Args:
        sums: made with `scripts`, of one corpus, each utterance once.
        confidence: share of such intervals that hold the truth, in (0, 1).
        replicates: bootstrap draws, 1 or more.
        seed: of the bootstrap.

    Returns:
        The two-way bootstrap interval, stretched for the smaller of the two numbers, of sessions
        and of scripts; with fewer than `SESSIONS_FOR_AN_INTERVAL` sessions the score of each.

    Raises:
        ValueError: where `confidence` or `replicates` is not allowed, the score is 0/0, or fewer
            than two scripts are played by several sessions.
    """
    _check(sums, confidence=confidence, replicates=replicates)
    session_codes, names = pd.factorize(pd.Series(list(sums.sessions), dtype=object))
    script_codes = _recurring_scripts(sums)
    scripts, count = int(script_codes.max()) + 1, len(names)
    if scripts < 2:
        raise ValueError(
            f"`sums` has {scripts} script(s) that several sessions play: two at least are needed; "
            "without any, sessions and scripts are held out by sessions alone."
        )
    if count < SESSIONS_FOR_AN_INTERVAL:
        return TooFewSessions(value=sums.value(), session_values=sums.session_values())
    generator = np.random.default_rng(seed)
    session_weights = _draws(generator, count, replicates=replicates)
    script_weights = _draws(generator, scripts, replicates=replicates)
    # The last column is for what one session alone plays (code -1).
    script_weights = np.concatenate([script_weights, np.ones((replicates, 1))], axis=1)
    weights = session_weights[:, session_codes] * script_weights[:, script_codes]
    low, high = _stretched(sums, weights, units=min(count, scripts), confidence=confidence)
    return ScoreInterval(
        value=sums.value(),
        low=low,
        high=high,
        sessions=count,
        scripts=scripts,
        method=TWO_WAY_BOOTSTRAP,
    )


def _recurring_scripts(sums: SessionSums) -> np.ndarray:
    """Return (cells,) the number of each cell's script, -1 where one session alone plays it."""
    if sums.scripts is None:
        raise ValueError("`sums` has whole sessions: make it with `scripts`.")
    sessions_of = pd.Series(list(sums.scripts), dtype=object).value_counts()
    recurring = [
        script if script is not None and sessions_of[script] > 1 else None
        for script in sums.scripts
    ]
    return pd.factorize(pd.Series(recurring, dtype=object))[0]


def _draws(generator: np.random.Generator, count: int, *, replicates: int) -> np.ndarray:
    """Return (replicates, count): how often each of `count` units is drawn with replacement."""
    return generator.multinomial(count, np.full(count, 1 / count), size=replicates).astype(float)


def _stretched(
    sums: SessionSums, weights: np.ndarray, *, units: int, confidence: float
) -> tuple[float, float]:
    """Return the ends of the percentile interval, stretched for a small number of units.

    Args:
        sums: what is drawn.
        weights: (replicates, cells) how often each cell was drawn.
        units: number of units drawn.
        confidence: as above.
    """
    replicates = sums.values(weights)
    if not np.isfinite(replicates).all():
        raise ValueError(
            "the score is 0/0 for some choices of sessions: too few sessions hold items that "
            "differ; show the score without an interval."
        )
    tail = (1 - confidence) / 2
    ends = np.quantile(replicates, [tail, 1 - tail])
    stretch = stats.t.ppf(1 - tail, df=units - 1) / stats.norm.ppf(1 - tail)
    stretch *= math.sqrt(units / (units - 1))
    value = sums.value()
    low, high = value + stretch * (ends - value)
    return float(low), float(high)


def _check(sums: SessionSums, *, confidence: float, replicates: int) -> None:
    """Raise ValueError for options that are not allowed and for a score that is 0/0."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"`confidence` is {confidence}: choose a share between 0 and 1.")
    if isinstance(replicates, bool) or not isinstance(replicates, int) or replicates < 1:
        raise ValueError(f"`replicates` is {replicates!r}: allowed is a whole number from 1 up.")
    if math.isnan(sums.value()):
        raise ValueError(
            "`sums` has a score that is 0/0 (every prediction and reference is one same value): "
            "show it as undefined."
        )
