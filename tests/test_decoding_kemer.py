"""Decisions by hand, and what is refused; what they are worth is in `kemer/test_decoding.py`."""

import doctest
import math

import numpy as np
import pytest

import decoding_kemer
from decoding_kemer import (
    LabelSetDecoder,
    decode_argmax,
    decode_by,
    decode_emotions,
    decode_threshold,
)

LOGITS = np.array([[3.0, 2.0, -1.0], [1.0, 2.0, 3.0], [-3.0, -1.0, -2.0], [0.0, 0.0, 0.0]])


def test_only_the_given_label_sets_are_answered():
    decoder = LabelSetDecoder((1.0,) * 3, (0.0,) * 3, ((1, 0, 0), (0, 1, 1), (0, 1, 0)))
    assert decoder(LOGITS).tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 0], [1, 0, 0]]


def test_slopes_and_biases_correct_the_logits():
    sets = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    decoder = LabelSetDecoder((1.0, 2.0, 1.0), (0.0, 0.0, 0.5), sets)
    assert decoder(LOGITS).argmax(axis=1).tolist() == [1, 1, 2, 2]


def test_threshold_and_argmax():
    assert decode_threshold(LOGITS).sum(axis=1).tolist() == [2, 3, 0, 0]  # 0.5 is not above 0.5
    by_probability = decode_threshold(LOGITS, threshold=0.9)  # the logit of 0.9 is 2.2
    assert by_probability.sum(axis=1).tolist() == [1, 1, 0, 0]
    assert decode_threshold(np.array([[-1e4, 1e4]])).tolist() == [[0, 1]]
    assert decode_argmax(LOGITS).argmax(axis=1).tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize(
    ("slopes", "biases", "sets", "message"),
    [
        ((1.0,), (0.0, 0.0), ((1,),), "`slopes` has 1 values and `biases` 2"),
        ((0.0,), (0.0,), ((1,),), "each slope more than 0"),
        ((1.0,), (math.nan,), ((1,),), "both must be finite"),
        ((1.0,), (0.0,), (), "`label_sets` is empty"),
        ((1.0,), (0.0,), ((1, 0),), r"`label_sets` holds \(1, 0\): allowed are 1 values"),
        ((1.0,), (0.0,), ((2,),), r"`label_sets` holds \(2,\)"),
        ((1.0,), (0.0,), ((1,), (1,)), "`label_sets` holds a set twice"),
    ],
)
def test_bad_decoders_are_refused(slopes, biases, sets, message):
    with pytest.raises(ValueError, match=message):
        LabelSetDecoder(slopes, biases, sets)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.1, 0.6, 0.7, 0.2, 0.0, 0.5, 0.9], [0, 1, 1, 0, 0, 0, 1]),  # 0.5 is not above 0.5
        ([0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1], [0, 0, 0, 1, 0, 0, 0]),  # none passes: the greatest
        ([0.0, 0.4, 0.1, 0.4, 0.0, 0.0, 0.0], [0, 1, 0, 0, 0, 0, 0]),  # the first of equals
        ([0.0] * 7, [1, 0, 0, 0, 0, 0, 0]),
        ([1.0] * 7, [1] * 7),
    ],
)
def test_decoding(probabilities: list[float], expected: list[int]) -> None:
    decisions = decode_emotions(np.array([probabilities, [0.9] * 7]))
    assert np.issubdtype(decisions.dtype, np.integer)
    assert decisions.tolist() == [expected, [1] * 7]


def test_decoding_with_another_threshold() -> None:
    probabilities = np.array([[0.2, 0.31, 0.3]])
    assert decode_emotions(probabilities, threshold=0.3).tolist() == [[0, 1, 0]]
    assert decode_emotions(probabilities, threshold=0.1).tolist() == [[1, 1, 1]]
    assert decode_emotions(np.zeros((0, 7))).shape == (0, 7)


@pytest.mark.parametrize(
    ("probabilities", "threshold", "message"),
    [
        (np.zeros(7), 0.5, r"shape \(7,\)"),
        (np.full((1, 7), 1.2), 0.5, r"outside \[0, 1\]"),
        (np.full((1, 7), np.nan), 0.5, "NaN"),
        (np.zeros((1, 7)), 1.5, "`threshold` is 1.5"),
    ],
)
def test_decoding_refuses(probabilities: np.ndarray, threshold: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_emotions(probabilities, threshold=threshold)


def test_other_bad_values_are_refused():
    decoder = LabelSetDecoder((1.0, 1.0), (0.0, 0.0), ((1, 0),))
    with pytest.raises(ValueError, match=r"`logits` has the shape \(4, 3\): allowed is \(items, 2"):
        decoder(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="`logits` holds nan or infinity"):
        decode_argmax(np.array([[np.nan, 0.0]]))
    with pytest.raises(ValueError, match="`threshold` is 1.5"):
        decode_threshold(np.zeros((4, 3)), threshold=1.5)
    with pytest.raises(ValueError, match=r"`values` has the keys \['slopes'\]: a decoder has"):
        LabelSetDecoder.from_dict({"slopes": [1.0]})


def test_examples_run():
    result = doctest.testmod(decoding_kemer)
    assert (result.failed, result.attempted) == (0, 6)


def test_each_way_is_found_by_its_name():
    decoder = LabelSetDecoder((1.0,) * 3, (0.0,) * 3, ((0, 1, 1),))
    for name, expected in (
        ("threshold", decode_threshold(LOGITS)),
        ("argmax", decode_argmax(LOGITS)),
        ("label_sets", decoder(LOGITS)),
    ):
        assert (decode_by(name, LOGITS, decoder=decoder) == expected).all()
    with pytest.raises(ValueError, match="`decoding` is 'best'; allowed is one of threshold"):
        decode_by("best", LOGITS, decoder=decoder)
    with pytest.raises(ValueError, match="`decoder` is None; give the fitted one"):
        decode_by("label_sets", LOGITS)
