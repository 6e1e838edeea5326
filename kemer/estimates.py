"""A score with what is known of its uncertainty: an interval, each session's value, or why neither.

Between `intervals`, which computes it, and what shows or stores it: `metrics.json` of a run and the
table of many.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from kemer.intervals import ScoreInterval, TooFewSessions, interval_over_sessions
from kemer.session_sums import SessionSums


@dataclass(frozen=True)
class NoInterval:
    """A score without an interval, and why.

    Attributes:
        value: the score, nan where it is 0/0.
        reason: why there is none.
    """

    value: float
    reason: str


Estimate = ScoreInterval | TooFewSessions | NoInterval


def estimate(sums: SessionSums) -> Estimate:
    """Return a score with its interval over sessions, or without where there can be none."""
    value = sums.value()
    if math.isnan(value):
        return NoInterval(value, "undefined")
    try:
        return interval_over_sessions(sums)
    except ValueError:  # a draw of sessions in which the score is 0/0
        return NoInterval(value, "undefined for some choices of sessions")


def estimate_to_dict(found: Estimate) -> dict[str, Any]:
    """Return an estimate as plain values, with None for what is undefined.

    Example:
        >>> estimate_to_dict(TooFewSessions(0.61, {1: 0.58, 6: 0.64}))
        {'value': 0.61, 'session_values': {'1': 0.58, '6': 0.64}}
    """
    if isinstance(found, ScoreInterval):
        return asdict(found)
    if isinstance(found, TooFewSessions):
        sessions = {str(name): finite_or_none(one) for name, one in found.session_values.items()}
        return {"value": finite_or_none(found.value), "session_values": sessions}
    return {"value": finite_or_none(found.value), "reason": found.reason}


def finite_or_none(value: float) -> float | None:
    """Return a score as JSON can hold it."""
    return None if math.isnan(value) else value
