"""Brier scores, ECE and reliability curves against scikit-learn and a loop over the items."""

import doctest
import math

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from kemer import calibration
from tests.kemer.predictions import make_predictions


def sample(items: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sure, some of them exactly on an edge of the bins."""
    generator = np.random.default_rng(11)
    probabilities = generator.beta(0.4, 0.9, (items, 7))
    labels = generator.random((items, 7)) < 0.2 + 0.6 * probabilities
    probabilities[: items // 4] = probabilities[: items // 4].round(1)
    return probabilities, labels.astype(int)


def loop_ece(probabilities: list[float], labels: list[int], *, bins: int) -> float:
    """The definition, item by item: |mean probability - share of positives| by bin."""
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for index in range(bins):
        low, high = edges[index], edges[index + 1]
        inside = [
            (p, y)
            for p, y in zip(probabilities, labels, strict=True)
            if low < p <= high or (index == 0 and p == 0)
        ]
        if inside:
            mean = sum(p for p, _ in inside) / len(inside)
            share = sum(y for _, y in inside) / len(inside)
            error += len(inside) / len(probabilities) * abs(mean - share)
    return error


def test_brier_is_that_of_scikit_learn():
    probabilities, labels = sample()
    expected = [metrics.brier_score_loss(labels[:, k], probabilities[:, k]) for k in range(7)]
    assert calibration.brier_scores(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
def test_ece_is_that_of_a_loop(bins):
    probabilities, labels = sample()
    expected = [loop_ece(probabilities[:, k], labels[:, k], bins=bins) for k in range(7)]
    errors = calibration.calibration_errors(probabilities, labels, bins=bins)
    assert errors == pytest.approx(expected)
    assert (errors > 0.01).all()


@pytest.mark.parametrize("bins", [3, 10])
def test_reliability_curves_are_those_of_scikit_learn(bins):
    probabilities, labels = sample()
    curves = calibration.reliability_curves(probabilities, labels, bins=bins)
    for k, points in enumerate(curves):
        shares, means = calibration_curve(labels[:, k], probabilities[:, k], n_bins=bins)
        assert [point.share for point in points] == pytest.approx(shares.tolist())
        assert [point.probability for point in points] == pytest.approx(means.tolist())
        assert sum(point.items for point in points) == len(labels)
        assert all(point.low <= point.probability <= point.high for point in points)


def test_bins_by_hand():
    # 0.0 and 0.5 are in the first of two bins, 0.6 and 1.0 in the second.
    probabilities, labels = np.array([[0.0], [0.5], [0.6], [1.0]]), np.array([[1], [0], [1], [1]])
    points = calibration.reliability_curves(probabilities, labels, bins=2)[0]
    assert points == [
        calibration.ReliabilityPoint(low=0.0, high=0.5, items=2, probability=0.25, share=0.5),
        calibration.ReliabilityPoint(low=0.5, high=1.0, items=2, probability=0.8, share=1.0),
    ]
    error = calibration.calibration_errors(probabilities, labels, bins=2)[0]
    assert error == pytest.approx((2 * 0.25 + 2 * 0.2) / 4)
    one_bin_of_two = calibration.reliability_curves(probabilities[2:], labels[2:], bins=2)[0]
    assert [point.low for point in one_bin_of_two] == [0.5]


def test_true_probabilities_have_nearly_no_error():
    generator = np.random.default_rng(12)
    probabilities = generator.random((50_000, 2))
    labels = generator.random((50_000, 2)) < probabilities
    assert (calibration.calibration_errors(probabilities, labels) < 0.01).all()
    assert (calibration.calibration_errors(probabilities**2, labels) > 0.1).all()


def test_the_table_of_a_run():
    # 4 of 5 are sad, with .9 for three of them and 0 for the fourth.
    table = calibration.calibration_table(make_predictions())
    assert list(table.columns) == ["references", "brier", "brier_constant", "ece"]
    sad = table.loc["sad"]
    assert sad["references"] == 4
    assert sad["brier"] == pytest.approx((3 * 0.1**2 + 1.0) / 5)
    assert sad["brier_constant"] == pytest.approx(0.8 * 0.2)
    assert sad["ece"] == pytest.approx((3 * 0.1 + 2 * 0.5) / 5)
    assert table.loc["fear"].tolist() == [0, 0, 0, 0]
    one_bin = calibration.calibration_table(make_predictions(), bins=1)
    assert one_bin.loc["sad", "ece"] == pytest.approx(0.8 - 2.7 / 5)


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "message"),
    [
        ([[0.5]], [[0.5]], 10, "`labels` holds values other than 0 and 1"),
        ([[1.5]], [[1]], 10, r"`probabilities` holds values outside \[0, 1\]"),
        ([[math.nan]], [[1]], 10, r"`probabilities` holds values outside \[0, 1\] or nan"),
        ([[0.5]], [[1, 0]], 10, r"shape \(1, 1\) and `labels` \(1, 2\)"),
        ([0.5], [1], 10, r"`probabilities` has the shape \(1,\)"),
        (np.zeros((0, 7)), np.zeros((0, 7)), 10, "with one item at least"),
        ([[0.5]], [[1]], 0, "`bins` is 0: allowed is a whole number from 1 up"),
        ([[0.5]], [[1]], 2.5, "`bins` is 2.5"),
    ],
)
def test_bad_values_are_refused(probabilities, labels, bins, message):
    with pytest.raises(ValueError, match=message):
        calibration.calibration_errors(probabilities, labels, bins=bins)


def test_examples_run():
    result = doctest.testmod(calibration)
    assert (result.failed, result.attempted) == (0, 3)
