"""Paired tests against SciPy's permutation test and plain loops, and Holm's correction by hand."""

import doctest
import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from kemer import comparisons
from kemer.intervals import ScoreInterval, TooFewSessions
from kemer.scoring import paired_session_interval
from kemer.session_sums import concordance_sums, macro_f1_sums, mean_sums, over_seeds


def two_models(
    sessions: int, *, gain: float = 0.0, seed: int = 41
) -> tuple[np.ndarray, np.ndarray, list]:
    """Correctness of two models on 200 items in sessions of unequal size."""
    generator = np.random.default_rng(seed)
    places = np.concatenate([np.arange(sessions), generator.integers(0, sessions, 200 - sessions)])
    effect = generator.normal(0, 0.15, (2, sessions))[:, places]
    chances = 0.5 + effect + np.array([[gain], [0.0]])
    first, second = (generator.random((2, 200)) < chances).astype(float)
    return first, second, places.tolist()


def test_the_test_of_a_mean_is_that_of_scipy():
    first, second, sessions = two_models(9, gain=0.2)
    sums = [np.bincount(sessions, weights=values) for values in (first, second)]
    expected = stats.permutation_test(
        sums, lambda a, b, axis: (a - b).sum(axis=axis) / 200, permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    test = comparisons.sign_flip_test(mean_sums(first, sessions), mean_sums(second, sessions))
    assert test.difference == pytest.approx(expected.statistic)
    assert test.p_value == pytest.approx(expected.pvalue)
    assert 0.01 < test.p_value < 0.9
    assert (test.permutations, test.exact) == (512, True)


def test_the_test_of_macro_f1_exchanges_whole_sessions():
    generator = np.random.default_rng(42)
    references = (generator.random((60, 3)) < 0.4).astype(int)
    first, second = (
        np.where(generator.random((60, 3)) < share, 1 - references, references)
        for share in (0.15, 0.25)
    )
    sessions = np.repeat(np.arange(5), 12)
    differences = []
    for swapped in itertools.product([False, True], repeat=5):
        swap = np.array(swapped)[sessions][:, None]
        ours, theirs = np.where(swap, second, first), np.where(swap, first, second)
        differences.append(
            metrics.f1_score(references, ours, average="macro")
            - metrics.f1_score(references, theirs, average="macro")
        )
    expected = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    test = comparisons.sign_flip_test(
        macro_f1_sums(first, references, sessions), macro_f1_sums(second, references, sessions)
    )
    assert test.difference == pytest.approx(differences[0])
    assert test.p_value == pytest.approx(expected)
    assert 2 / 32 <= test.p_value < 1


def test_drawn_signs_are_near_to_all_signs():
    first, second, sessions = two_models(16, gain=0.06)
    pair = mean_sums(first, sessions), mean_sums(second, sessions)
    drawn = comparisons.sign_flip_test(*pair)
    all_signs = comparisons.sign_flip_test(*pair, permutations=2**16)
    assert (drawn.permutations, drawn.exact) == (20_000, False)
    assert (all_signs.permutations, all_signs.exact) == (65_536, True)
    assert drawn.p_value == pytest.approx(all_signs.p_value, abs=0.015)
    assert 0.05 < all_signs.p_value < 0.9
    assert drawn == comparisons.sign_flip_test(*pair)
    assert drawn != comparisons.sign_flip_test(*pair, seed=1)


def test_drawn_signs_never_give_0():
    sums = mean_sums([1] * 40, range(40)), mean_sums([0] * 40, range(40))
    assert comparisons.sign_flip_test(*sums, permutations=99).p_value == 1 / 100


def test_equally_good_models_are_told_apart_in_one_test_of_twenty():
    rounds = 400
    found = 0
    for seed in range(rounds):
        first, second, sessions = two_models(12, seed=seed)
        pair = mean_sums(first, sessions), mean_sums(second, sessions)
        found += comparisons.sign_flip_test(*pair).p_value <= 0.05
    assert 0.025 <= found / rounds <= 0.08


def test_the_order_of_adding_up_does_not_decide():
    # Every session differs by .1 + .2 - .3, which is not 0 in floating point: all signs tie.
    first = mean_sums([0.1, 0.2, 0.3] * 4, np.repeat(np.arange(4), 3))
    second = mean_sums([0.3, 0.0, 0.3] * 4, np.repeat(np.arange(4), 3))
    assert comparisons.sign_flip_test(first, second).p_value == 1.0


def test_scripts_are_exchanged_with_their_session():
    first, second, sessions = two_models(6, gain=0.1)
    scripts = (["x", "y"] * 100, ["x", "y"] * 100)
    cells = [
        mean_sums(values, sessions, scripts=script)
        for values, script in zip((first, second), scripts, strict=True)
    ]
    whole = mean_sums(first, sessions), mean_sums(second, sessions)
    assert comparisons.sign_flip_test(*cells).permutations == 2**6
    by_cells, by_sessions = comparisons.sign_flip_test(*cells), comparisons.sign_flip_test(*whole)
    assert by_cells.p_value == by_sessions.p_value


def test_difference_of_other_scores():
    generator = np.random.default_rng(43)
    references, sessions = generator.uniform(1, 5, 120), np.repeat(np.arange(12), 10)
    first, second = references + generator.normal(0, [[0.5], [1.5]], (2, 120))
    pair = [concordance_sums(p, references, sessions) for p in (first, second)]
    difference = comparisons.paired_difference(*pair)
    assert difference.value() == pytest.approx(pair[0].value() - pair[1].value())
    values = [one.session_values() for one in pair]
    assert difference.session_values() == pytest.approx(
        {session: values[0][session] - values[1][session] for session in range(12)}
    )
    seeds = over_seeds(pair), over_seeds(pair[::-1])
    assert comparisons.paired_difference(*seeds).value() == pytest.approx(0)
    none = comparisons.sign_flip_test(*seeds)
    assert none.p_value == 1.0 and none.difference == pytest.approx(0)


def test_holm_by_hand():
    # Sorted .01, .02, .03, .5: 4 x .01, 3 x .02, then 2 x .03 (no smaller than .06), .5.
    p_values = {"c": 0.03, "a": 0.01, "d": 0.5, "b": 0.02}
    expected = {"c": 0.06, "a": 0.04, "d": 0.5, "b": 0.06}
    assert comparisons.holm(p_values) == pytest.approx(expected)
    assert list(comparisons.holm(p_values)) == ["c", "a", "d", "b"]
    # The second would be .06 < .09, and the last 1.4.
    assert comparisons.holm({"a": 0.03, "b": 0.03, "c": 0.9}) == {"a": 0.09, "b": 0.09, "c": 0.9}
    assert comparisons.holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    with pytest.raises(ValueError, match=r"`p_values` has 1.2 for 'a': allowed is \[0, 1\]"):
        comparisons.holm({"a": 1.2})


def test_a_model_against_named_others():
    first, second, sessions = two_models(12, gain=0.3)
    third = two_models(12, gain=0.25)[0]
    ours, others = mean_sums(first, sessions), {"speech": second, "text": third}
    sums = {name: mean_sums(values, sessions) for name, values in others.items()}
    results = comparisons.compare(ours, sums)
    assert list(results) == ["speech", "text"]
    for name, result in results.items():
        expected = paired_session_interval(first, others[name], sessions)
        assert isinstance(result.difference, ScoreInterval)
        assert (result.difference.low, result.difference.high) == pytest.approx(
            (expected.low, expected.high)
        )
        assert result.test == comparisons.sign_flip_test(ours, sums[name])
    p_values = {name: result.test.p_value for name, result in results.items()}
    assert {name: r.p_holm for name, r in results.items()} == comparisons.holm(p_values)
    speech = results["speech"]
    assert str(speech) == f"{speech.difference}, p = {speech.p_holm:.4f} (sign-flip, Holm)"
    assert speech.p_holm <= 0.05 < results["text"].p_holm


def test_few_sessions_are_compared_without_an_interval():
    result = comparisons.compare(
        mean_sums([1, 1, 0, 1], [1, 1, 6, 6]), {"speech": mean_sums([0, 1, 0, 0], [1, 1, 6, 6])}
    )["speech"]
    assert result.difference == TooFewSessions(0.5, {1: 0.5, 6: 0.5})
    assert str(result) == (
        "0.500 (2 sessions: 1: 0.500, 6: 0.500; too few sessions for an interval), "
        "p = 0.5000 (sign-flip, Holm)"
    )


def test_models_that_do_not_match_are_refused():
    one = mean_sums([1, 0, 1], [1, 1, 2])
    with pytest.raises(ValueError, match="score the same utterances of the same sessions"):
        comparisons.paired_difference(one, mean_sums([1, 0, 1], [1, 2, 2]))
    with pytest.raises(ValueError, match="of 2 and 1 seeds: compare rows of the same seeds"):
        comparisons.sign_flip_test(over_seeds([one, one]), one)
    with pytest.raises(ValueError, match="the two sums are of different scores"):
        comparisons.paired_difference(one, concordance_sums([1, 0, 1], [1, 2, 3], [1, 1, 2]))
    with pytest.raises(ValueError, match="`permutations` is 0"):
        comparisons.sign_flip_test(one, one, permutations=0)
    with pytest.raises(ValueError, match="`others` is empty"):
        comparisons.compare(one, {})
    undefined = concordance_sums([2, 2], [2, 2], [1, 2])
    with pytest.raises(ValueError, match="a score is 0/0: it cannot be compared"):
        comparisons.sign_flip_test(undefined, undefined)


def test_examples_run():
    result = doctest.testmod(comparisons)
    assert (result.failed, result.attempted) == (0, 7)
