"""Sums by session against the metric, scikit-learn and a concordance worked out another way."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from kemer import session_sums
from kemer.scoring import score
from tests.kemer.predictions import make_predictions


def labels(items: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions and references without an emotion that is 0/0, and sessions in no order."""
    generator = np.random.default_rng(21)
    references = (generator.random((items, 7)) < 0.3).astype(int)
    predictions = np.where(generator.random((items, 7)) < 0.2, 1 - references, references)
    return predictions, references, generator.integers(0, 5, items)


def series(items: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(22)
    references = generator.uniform(1, 5, items)
    return 0.6 * references + generator.normal(1.5, 0.5, items), references


def concordance(predictions: np.ndarray, references: np.ndarray) -> float:
    """Lin's definition: 1 - E(p - r)² / (that expectation, were the two independent)."""
    apart = np.mean((predictions - references) ** 2)
    return 1 - apart / np.mean((predictions[:, None] - references[None]) ** 2)


def test_macro_f1_is_that_of_scikit_learn():
    predictions, references, sessions = labels()
    sums = session_sums.macro_f1_sums(predictions, references, sessions)
    expected = metrics.f1_score(references, predictions, average="macro")
    assert sums.value() == pytest.approx(expected)
    for session, value in sums.session_values().items():
        rows = sessions == session
        expected = metrics.f1_score(references[rows], predictions[rows], average="macro")
        assert value == pytest.approx(expected)


def test_an_emotion_that_neither_side_holds_counts_as_0():
    sums = session_sums.macro_f1_sums(np.array([[1, 0]]), np.array([[1, 0]]), [1])
    assert sums.value() == 0.5


def test_concordance_is_that_of_the_definition():
    predictions, references = series()
    sessions = np.repeat(np.arange(6), 50)
    sums = session_sums.concordance_sums(predictions, references, sessions)
    assert sums.value() == pytest.approx(concordance(predictions, references))
    assert list(sums.session_values()) == [0, 1, 2, 3, 4, 5]
    for session, value in sums.session_values().items():
        rows = sessions == session
        assert value == pytest.approx(concordance(predictions[rows], references[rows]))
    far = session_sums.concordance_sums(predictions + 1e4, references + 1e4, sessions)
    assert far.value() == pytest.approx(sums.value(), abs=1e-6)


def test_concordance_of_equal_values():
    for value in (1.0, 2.1, 2.7, 3.7, 4.3):  # their sums are not all exact
        equal = session_sums.concordance_sums([value] * 49, [value] * 49, [1] * 49)
        assert math.isnan(equal.value()), value
    apart = session_sums.concordance_sums([2.7] * 7, [2.8] * 7, [1] * 7)
    assert apart.value() == pytest.approx(0)


def test_weights_are_as_items_that_occur_so_often():
    predictions, references, sessions = labels()
    sums = session_sums.macro_f1_sums(predictions, references, sessions)
    weights = np.array([[2, 0, 1, 0, 3], [1, 1, 1, 1, 1]])
    rows = np.concatenate([np.flatnonzero(sessions == g) for g in (0, 0, 2, 4, 4, 4)])
    drawn = metrics.f1_score(references[rows], predictions[rows], average="macro")
    assert sums.values(weights) == pytest.approx([drawn, sums.value()])


def test_every_score_of_a_run_is_that_of_the_metric():
    generator, table = np.random.default_rng(23), pd.concat([make_predictions()] * 8)
    table = table.assign(id=np.arange(40).astype(str), session=generator.integers(1, 5, 40))
    table["valence_predicted"] += generator.normal(0, 0.3, 40)
    sums, scores = session_sums.prediction_sums(table), score(table)
    assert list(sums) == ["exact_match", "distance", "f1_macro", "ccc_valence", "ccc_arousal"]
    for name, one in sums.items():
        assert one.value() == pytest.approx(scores[name]), name
        assert one.sessions == (1, 2, 3, 4)
        assert one.sizes.sum() == 40
    with pytest.raises(ValueError, match="corpora kemdy19, kemdy20: give one corpus at a time"):
        session_sums.prediction_sums(table.assign(corpus=["kemdy19", "kemdy20"] * 20))


def test_the_order_of_items_does_not_matter():
    predictions, references, sessions = labels()
    order = np.random.default_rng(24).permutation(len(sessions))
    first = session_sums.macro_f1_sums(predictions, references, sessions)
    second = session_sums.macro_f1_sums(predictions[order], references[order], sessions[order])
    session_sums.check_same_items(first, second)
    assert np.array_equal(first.sums, second.sums)


def test_sessions_may_be_pairs():
    sums = session_sums.mean_sums([1, 0, 1], [("b", 1), ("a", 2), ("b", 1)])
    assert sums.session_values() == {("a", 2): 0.0, ("b", 1): 1.0}


def test_parts_of_scripts_add_up_to_sessions():
    values, sessions = [1, 0, 0, 1, 1, 1], [1, 1, 1, 2, 2, 2]
    scripts = ["y", "x", None, None, "x", "x"]
    cells = session_sums.mean_sums(values, sessions, scripts=scripts)
    assert list(zip(cells.sessions, cells.scripts, cells.sizes.tolist(), strict=True)) == [
        *[(1, None, 1), (1, "x", 1), (1, "y", 1)],
        *[(2, None, 1), (2, "x", 2)],
    ]
    whole = session_sums.mean_sums(values, sessions)
    merged = cells.by_session()
    session_sums.check_same_items(merged, whole)
    assert np.array_equal(merged.sums, whole.sums)
    assert cells.session_values() == pytest.approx({1: 1 / 3, 2: 1.0})


def test_seeds_are_averaged():
    runs = [session_sums.mean_sums(v, [1, 1, 2]) for v in ([1, 0, 0], [1, 1, 0], [1, 1, 1])]
    both = session_sums.over_seeds(runs)
    assert both.sums.shape == (3, 2, 2)
    assert both.value() == pytest.approx(2 / 3)
    assert both.session_values() == pytest.approx({1: 5 / 6, 2: 1 / 3})
    predictions, references, sessions = labels()
    first = session_sums.macro_f1_sums(predictions, references, sessions)
    second = session_sums.macro_f1_sums(1 - predictions, references, sessions)
    mean = session_sums.over_seeds([first, second]).value()
    assert mean == pytest.approx((first.value() + second.value()) / 2)


def test_sums_of_other_items_are_not_put_together():
    one = session_sums.mean_sums([1, 0, 0], [1, 1, 2])
    with pytest.raises(ValueError, match="`runs` is empty"):
        session_sums.over_seeds([])
    with pytest.raises(ValueError, match="of 2 and 2 cells with 3 and 3 items"):
        session_sums.over_seeds([one, session_sums.mean_sums([1, 0, 0], [1, 2, 2])])
    other = session_sums.concordance_sums([1, 2, 3], [1, 2, 3], [1, 1, 2])
    with pytest.raises(ValueError, match="the two sums are of different scores"):
        session_sums.over_seeds([one, other])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: session_sums.mean_sums([], []), r"`values` has the shape \(0,\)"),
        (lambda: session_sums.mean_sums([math.nan], [1]), "`values` holds nan or infinity"),
        (lambda: session_sums.mean_sums([1, 0], [1]), "`sessions` has 1 entries for 2 items"),
        (lambda: session_sums.mean_sums([1, 0], [1, None]), "`sessions` holds None or nan"),
        (
            lambda: session_sums.mean_sums([1, 0], [1, 2], scripts=["x"]),
            "`scripts` has 1 entries for 2 items",
        ),
        (
            lambda: session_sums.macro_f1_sums([[0.5]], [[1]], [1]),
            "values other than 0 and 1: decide on each emotion",
        ),
        (
            lambda: session_sums.macro_f1_sums([[1, 0]], [[1]], [1]),
            r"`predictions` has the shape \(1, 2\) and `references` \(1, 1\)",
        ),
        (lambda: session_sums.macro_f1_sums([1], [1], [1]), r"allowed is \(items, emotions\)"),
        (lambda: session_sums.concordance_sums([1, 2], [1], [1, 1]), r"`references` \(1,\)"),
    ],
)
def test_bad_values_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_examples_run():
    result = doctest.testmod(session_sums)
    assert (result.failed, result.attempted) == (0, 1)
