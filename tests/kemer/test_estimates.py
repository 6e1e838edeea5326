import doctest
import json
import math

import pytest

from kemer import estimates
from kemer.estimates import NoInterval, estimate, estimate_to_dict
from kemer.intervals import ScoreInterval, TooFewSessions
from kemer.session_sums import concordance_sums, mean_sums


def test_enough_sessions_have_an_interval_and_few_their_own_values() -> None:
    many = estimate(mean_sums([1, 0, 1, 1] * 6, sorted([*range(12)] * 2)))
    assert isinstance(many, ScoreInterval)
    told = estimate_to_dict(many)
    assert told["low"] == pytest.approx(0.584, abs=1e-3) and told["sessions"] == 12
    few = estimate(mean_sums([1, 0, 1, 1], [1, 1, 2, 2]))
    assert isinstance(few, TooFewSessions)
    assert estimate_to_dict(few) == {"value": 0.75, "session_values": {"1": 0.5, "2": 1.0}}


def test_what_is_undefined_is_said_and_json_can_hold_it() -> None:
    same = estimate(concordance_sums([1.0] * 12, [1.0] * 12, [*range(12)]))
    assert isinstance(same, NoInterval) and math.isnan(same.value)
    assert json.loads(json.dumps(estimate_to_dict(same), allow_nan=False)) == {
        "value": None,
        "reason": "undefined",
    }


def test_examples_run() -> None:
    assert doctest.testmod(estimates).failed == 0
