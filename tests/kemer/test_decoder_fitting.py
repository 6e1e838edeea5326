import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from decoding_kemer import decode_threshold
from kemer import decoder_fitting
from kemer.decoder_fitting import answer_logits, fit_run_decoder, sampler_shift
from kemer.decoding import prior_shift
from kemer.training import inverse_frequency_weights

SHARES = np.array([0.05, 0.1, 0.05, 0.5, 0.1, 0.05, 0.15])


def draw_labels(items: int, seed: int = 0, shares: np.ndarray = SHARES) -> np.ndarray:
    """One emotion an item."""
    return np.random.default_rng(seed).multinomial(1, shares, size=items)


def validation_of(labels: np.ndarray, *, shift: np.ndarray, seed: int = 1) -> pd.DataFrame:
    """Answers of a model that hears something, after a sampler that moved its log odds."""
    noise = np.random.default_rng(seed).normal(0, 1.0, labels.shape)
    logits = 2.0 * labels + noise - 1.5 - shift
    return pd.DataFrame(
        {"probabilities": expit(logits).tolist(), "labels_reference": labels.tolist()}
    )


def exact_match(answers: np.ndarray, labels: np.ndarray) -> float:
    return float((answers == labels).all(axis=1).mean())


@pytest.mark.parametrize("items", [240, 1500])
def test_the_decoder_takes_the_samplers_effect_back(items: int) -> None:
    training = draw_labels(3000, seed=5)
    shift = sampler_shift(training, sampler="inverse_frequency")
    decoder = fit_run_decoder(
        validation_of(draw_labels(items), shift=shift),
        training_labels=training,
        sampler="inverse_frequency",
    )
    labels = draw_labels(20_000, seed=9)
    logits = answer_logits(validation_of(labels, shift=shift, seed=10))
    found, raw = (
        exact_match(answers, labels) for answers in (decoder(logits), decode_threshold(logits))
    )
    assert found > raw + 0.05
    # Neutral is common, so its bias must be above that of what the sampler drew more often.
    assert decoder.biases[3] == max(decoder.biases)


def test_few_items_share_one_slope_and_many_do_not() -> None:
    training = draw_labels(500, seed=5)
    few, many = (
        fit_run_decoder(
            validation_of(draw_labels(items), shift=np.zeros(7)),
            training_labels=training,
            sampler="uniform",
        )
        for items in (decoder_fitting.ITEMS_FOR_ALL_EMOTIONS - 1, 700)
    )
    assert len(set(few.slopes)) == 1
    assert few.biases == (0.0,) * 7
    assert len(set(many.slopes)) == 7


def test_emotions_that_nobody_has_do_not_stop_it() -> None:
    shares = np.array([0.2, 0.2, 0.0, 0.4, 0.1, 0.0, 0.1])
    training = draw_labels(400, seed=5, shares=shares)
    decoder = fit_run_decoder(
        validation_of(draw_labels(900, shares=shares), shift=np.zeros(7)),
        training_labels=training,
        sampler="inverse_frequency",
    )
    assert decoder.biases[2] == decoder.biases[5] == 0
    assert not np.array(decoder.label_sets)[:, [2, 5]].any()


def test_the_shift_is_that_of_the_weights() -> None:
    training = draw_labels(400, seed=5)
    expected = prior_shift(training, inverse_frequency_weights(training))
    np.testing.assert_allclose(sampler_shift(training, sampler="inverse_frequency"), expected)
    assert not sampler_shift(training, sampler="uniform").any()


def test_logits_are_those_of_the_probabilities() -> None:
    frame = pd.DataFrame({"probabilities": [[0.5, expit(2.0), 0.0, 1.0]]})
    found = answer_logits(frame)[0]
    np.testing.assert_allclose(found[:2], [0.0, 2.0], atol=1e-12)
    assert np.isfinite(found).all()
