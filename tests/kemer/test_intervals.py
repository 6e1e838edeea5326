"""Intervals against SciPy's bootstrap, the paired t interval, and truths that they must cover."""

import doctest
import math

import numpy as np
import pytest
from scipy import stats

from kemer import intervals
from kemer.comparisons import paired_difference
from kemer.scoring import paired_session_interval, session_interval
from kemer.session_sums import (
    SessionSums,
    concordance_sums,
    macro_f1_sums,
    mean_sums,
    over_seeds,
)
from tests.kemer import simulations


def ratings(sessions: int = 12, items: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(31)
    places = np.repeat(np.arange(sessions), items)
    offsets = generator.normal(0, 0.4, sessions)[places]
    references = generator.uniform(1, 5, sessions * items)
    predictions = 0.6 * references + offsets + generator.normal(1.2, 0.5, sessions * items)
    return predictions, references, places


def test_a_mean_has_the_session_t_interval():
    generator = np.random.default_rng(32)
    sessions = generator.integers(0, 11, 300)
    seeds = generator.random((3, 300))
    sums = over_seeds([mean_sums(values, sessions) for values in seeds])
    interval = intervals.interval_over_sessions(sums)
    expected = session_interval(seeds.mean(axis=0), sessions.tolist())
    assert (interval.value, interval.low, interval.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert (interval.sessions, interval.scripts, interval.method) == (11, None, "session t")
    assert str(interval) == f"{expected.mean:.3f} [{expected.low:.3f}, {expected.high:.3f}]"


def test_a_difference_of_means_has_the_paired_interval():
    generator = np.random.default_rng(33)
    sessions = generator.integers(0, 11, 300)
    first, second = generator.random((2, 300))
    difference = paired_difference(mean_sums(first, sessions), mean_sums(second, sessions))
    interval = intervals.interval_over_sessions(difference, confidence=0.9)
    expected = paired_session_interval(first, second, sessions.tolist(), confidence=0.9)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_the_bootstrap_is_that_of_scipy_stretched():
    predictions, references, sessions = ratings()

    def concordance(drawn: np.ndarray) -> float:
        rows = (drawn[:, None] * 30 + np.arange(30)).ravel()
        p, r = predictions[rows], references[rows]
        apart = np.mean((p - r) ** 2)
        return 2 * np.cov(p, r, bias=True)[0, 1] / (apart + 2 * np.cov(p, r, bias=True)[0, 1])

    sums = concordance_sums(predictions, references, sessions)
    interval = intervals.interval_over_sessions(sums)
    assert interval.method == "session bootstrap"
    generator = np.random.default_rng(34)
    plain = stats.bootstrap(
        (np.arange(12),), concordance, n_resamples=4000, method="percentile",
        vectorized=False, rng=generator,
    ).confidence_interval  # fmt: skip
    stretch = stats.t.ppf(0.975, df=11) / 1.959964 * math.sqrt(12 / 11)
    value = concordance(np.arange(12))
    expected = [value + stretch * (end - value) for end in plain]
    width = expected[1] - expected[0]
    assert interval.value == pytest.approx(value)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=0.06 * width)
    assert stretch > 1.15  # so that the stretch would be missed


def test_the_bootstrap_is_repeatable():
    sums = concordance_sums(*ratings())
    first, second, other = (
        intervals.interval_over_sessions(sums, replicates=200, seed=seed) for seed in (1, 1, 2)
    )
    assert first == second != other


# 400 replicates in place of 5,000: with 1,000 the shares are the same to one point.
@pytest.mark.parametrize("sessions", [20, 40])
@pytest.mark.parametrize("draw", ["draw_exact_matches", "draw_decisions", "draw_ratings"])
def test_intervals_cover_the_truth(draw, sessions):
    generator, covered, rounds = np.random.default_rng(sessions), 0, 1000
    for seed in range(rounds):
        sums, truth = getattr(simulations, draw)(generator, sessions)
        interval = intervals.interval_over_sessions(sums, replicates=400, seed=seed)
        covered += interval.low <= truth <= interval.high
    assert 0.92 <= covered / rounds <= 0.98, covered


def test_new_scripts_need_the_two_way_interval():
    generator, rounds = np.random.default_rng(35), 400
    covered = np.zeros(2)
    for seed in range(rounds):
        sums, truth = simulations.draw_scripts(generator, 20, 6)
        two_way = intervals.interval_over_sessions_and_scripts(sums, replicates=400, seed=seed)
        for kind, interval in enumerate((two_way, intervals.interval_over_sessions(sums))):
            covered[kind] += interval.low <= truth <= interval.high
    assert (two_way.sessions, two_way.scripts) == (20, 6)
    assert two_way.method == "sessions x scripts bootstrap"
    assert covered[0] / rounds >= 0.92  # wider than need be: .97 here
    assert covered[1] / rounds < 0.75  # why sessions alone are not enough


def test_two_way_replicates_by_hand():
    # Sessions 1 and 2 play x and y; session 1 alone plays z, and has an item without a script.
    values, sessions = [1, 2, 4, 8, 16, 32], [1, 1, 2, 2, 1, 1]
    scripts = ["x", "y", "x", "y", "z", None]
    sums = mean_sums(values, sessions, scripts=scripts)
    codes = dict(zip(zip(sums.sessions, sums.scripts, strict=True), range(6), strict=True))
    recurring = intervals._recurring_scripts(sums)
    assert recurring[codes[1, "x"]] == recurring[codes[2, "x"]] >= 0
    assert recurring[codes[1, "y"]] == recurring[codes[2, "y"]] >= 0
    assert recurring[codes[1, "x"]] != recurring[codes[1, "y"]]
    assert recurring[codes[1, "z"]] == recurring[codes[1, None]] == -1


def test_what_one_session_plays_is_drawn_with_its_session():
    # What is scripted never varies, so the draws of scripts add nothing.
    generator = np.random.default_rng(36)
    sessions = np.repeat(np.arange(16), 6)
    scripts = ["w", "x", "y", "z", None, "own"] * 16
    scripts = [f"own {g}" if s == "own" else s for s, g in zip(scripts, sessions, strict=True)]
    values = np.array([0.5, 0.5, 0.5, 0.5, 0.0, 0.0] * 16)
    values[4::6], values[5::6] = generator.random((2, 16))
    references = np.tile([0.0, 1.0], 48)
    sums = concordance_sums(values + references, references, sessions, scripts=scripts)
    mean = mean_sums(values, sessions, scripts=scripts)
    two_way = intervals.interval_over_sessions_and_scripts(mean)
    stretch = stats.t.ppf(0.975, df=3) / stats.t.ppf(0.975, df=15)
    stretch *= math.sqrt((4 / 3) / (16 / 15))
    one_way = intervals.interval_over_sessions(mean)
    ratio = (two_way.high - two_way.low) / (one_way.high - one_way.low)
    # The t interval holds sqrt(16 / 15) already, as its variance divides by 15.
    assert ratio == pytest.approx(stretch, rel=0.06)
    assert intervals.interval_over_sessions(sums).sessions == 16


def test_too_few_sessions_are_shown_one_by_one():
    sums = mean_sums([1, 0, 1, 1, 0], [6, 6, 1, 1, 11])
    result = intervals.interval_over_sessions(sums)
    assert result == intervals.TooFewSessions(0.6, {1: 1.0, 6: 0.5, 11: 0.0})
    assert str(result) == (
        "0.600 (3 sessions: 1: 1.000, 6: 0.500, 11: 0.000; too few sessions for an interval)"
    )
    one = concordance_sums([2, 2, 3], [2, 2, 4], [1, 1, 2])
    assert "1: undefined" in str(intervals.interval_over_sessions(one))
    nine, ten = (
        intervals.interval_over_sessions(simulations.draw_decisions(np.random.default_rng(1), n)[0])
        for n in (9, 10)
    )
    assert isinstance(nine, intervals.TooFewSessions) and len(nine.session_values) == 9
    assert isinstance(ten, intervals.ScoreInterval) and ten.sessions == 10
    scripted, _ = simulations.draw_scripts(np.random.default_rng(1), 9, 6)
    two_way = intervals.interval_over_sessions_and_scripts(scripted)
    assert isinstance(two_way, intervals.TooFewSessions) and len(two_way.session_values) == 9


def cells(*, scripts: list) -> SessionSums:
    return mean_sums(np.arange(12) % 2, list(range(12)), scripts=scripts)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: intervals.interval_over_sessions(cells(scripts=["x"] * 12), confidence=95),
            "`confidence` is 95: choose a share between 0 and 1",
        ),
        (
            lambda: intervals.interval_over_sessions(cells(scripts=["x"] * 12), replicates=0),
            "`replicates` is 0: allowed is a whole number from 1 up",
        ),
        (
            lambda: intervals.interval_over_sessions(concordance_sums([2] * 9, [2] * 9, range(9))),
            "`sums` has a score that is 0/0",
        ),
        (
            lambda: intervals.interval_over_sessions(
                concordance_sums([2] * 12, [2] * 11 + [3], range(12))
            ),
            "0/0 for some choices of sessions",
        ),
        (
            lambda: intervals.interval_over_sessions_and_scripts(mean_sums([1, 0], [1, 2])),
            "`sums` has whole sessions: make it with `scripts`",
        ),
        (
            lambda: intervals.interval_over_sessions_and_scripts(cells(scripts=["x"] * 12)),
            r"`sums` has 1 script\(s\) that several sessions play: two at least",
        ),
        (
            lambda: intervals.interval_over_sessions_and_scripts(cells(scripts=list(range(12)))),
            r"`sums` has 0 script\(s\)",
        ),
    ],
)
def test_what_has_no_interval_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_macro_f1_of_a_run_has_an_interval():
    generator = np.random.default_rng(37)
    references = (generator.random((200, 7)) < 0.3).astype(int)
    predictions = np.where(generator.random((200, 7)) < 0.2, 1 - references, references)
    sums = macro_f1_sums(predictions, references, np.repeat(np.arange(10), 20))
    interval = intervals.interval_over_sessions(sums, replicates=500)
    assert interval.low < interval.value < interval.high
    narrower = intervals.interval_over_sessions(sums, replicates=500, confidence=0.5)
    assert interval.low < narrower.low < narrower.high < interval.high


def test_examples_run():
    result = doctest.testmod(intervals)
    assert (result.failed, result.attempted) == (0, 3)
