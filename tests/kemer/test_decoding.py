"""Decoders against hand-worked rules, another fit, and a truth whose best answer is known."""

import doctest
import itertools
import json
import math

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from decoding_kemer import LabelSetDecoder, decode_argmax, decode_threshold
from kemer import decoding
from kemer.training import inverse_frequency_weights

EMOTIONS = 7
NEUTRAL = 3
RATERS = 5  # in each of two groups: reserved and expressive raters
TEMPERATURE = 1.6  # of the over-confident model: its logits are too large by this factor


def consensus(*groups: np.ndarray) -> np.ndarray:
    """Return the distribution over label sets, (128,), of what most raters of two groups say.

    Each group has `RATERS` raters who say one emotion each, with the group's probabilities (7,); a
    tie of the ten votes is a set of several. All votes of both groups are enumerated.
    """
    votes = np.array([v for v in itertools.product(range(6), repeat=7) if sum(v) == RATERS])
    orders = np.array([math.factorial(RATERS) / math.prod(map(math.factorial, v)) for v in votes])
    chances = [orders * np.prod(group**votes, axis=1) for group in groups]
    total = votes[:, None] + votes[None]  # (votes, votes, emotions)
    codes = (total == total.max(axis=-1, keepdims=True)) @ (1 << np.arange(EMOTIONS))
    return np.bincount(codes.ravel(), weights=np.outer(*chances).ravel(), minlength=128)


def says(emotion: int, *, confused: float) -> np.ndarray:
    """Return what a rater says, (7,): one emotion, but in a share `confused` any other."""
    chances = np.full(EMOTIONS, confused / 6)
    chances[emotion] = 1 - confused
    return chances


class RatedTruth:
    """A truth as KEMDy's: what ten raters say of lines whose emotion the input tells in part.

    A line has an emotion and a strength. Reserved raters say the emotion of strong lines only,
    expressive raters that of weak ones too, and neutral otherwise. The input gives a distribution
    over emotions (Dirichlet) and strengths; 1 line in 20 is mixed, and the groups say two emotions.
    """

    codes = (np.arange(128)[:, None] >> np.arange(EMOTIONS)) & 1  # (sets, emotions)

    def __init__(self) -> None:
        others = [emotion for emotion in range(EMOTIONS) if emotion != NEUTRAL]
        neutral = says(NEUTRAL, confused=0.14)
        lines = [consensus(neutral, neutral)]
        for emotion, strength in itertools.product(others, (0.3, 0.5, 0.7, 0.9)):
            told = expit((strength - np.array([0.7, 0.25])) / 0.12)
            lines.append(
                consensus(*(t * says(emotion, confused=0.22) + (1 - t) * neutral for t in told))
            )
        self.lines = np.array(lines)  # (25, sets)
        pairs = itertools.permutations(range(EMOTIONS), 2)
        self.mixed = np.array([consensus(*(says(e, confused=0.07) for e in p)) for p in pairs])

    def draw(
        self, generator: np.random.Generator, items: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (items, 128) probabilities of the sets, and (items, 7) marginals and labels."""
        prior = np.array([0.08, 0.16, 0.08, 0.22, 0.16, 0.12, 0.18])
        emotion = generator.dirichlet(1.5 * prior, items)
        strength = generator.dirichlet(np.full(4, 0.5), items)
        others = np.delete(emotion, NEUTRAL, axis=1)[:, :, None] * strength[:, None]
        lines = np.concatenate([emotion[:, [NEUTRAL]], others.reshape(items, -1)], axis=1)
        sets = lines @ self.lines  # (items, 25) → (items, sets)
        mixed = np.flatnonzero(generator.random(items) < 0.05)
        sets[mixed] = self.mixed[generator.integers(0, len(self.mixed), len(mixed))]
        drawn = (generator.random((items, 1)) > sets.cumsum(axis=1)).sum(axis=1).clip(max=127)
        return sets, sets @ self.codes, self.codes[drawn]


def exact_match(answers: np.ndarray, labels: np.ndarray) -> float:
    return float((answers == labels).all(axis=1).mean())


def test_label_sets_come_close_to_the_best_answer_where_the_threshold_does_not():
    truth, generator, rounds = RatedTruth(), np.random.default_rng(6), []
    for _ in range(20):
        *_, training = truth.draw(generator, 3000)
        sampled = decoding.prior_shift(training, inverse_frequency_weights(training))
        _, marginals, labels = truth.draw(generator, 1500)
        validation = TEMPERATURE * (logit(marginals) - sampled)
        fits = [
            decoding.fit_label_set_decoder(
                validation, labels, training_labels=training, shift=shift
            )
            for shift in (None, sampled)
        ]
        sets, marginals, labels = truth.draw(generator, 20_000)
        logits = TEMPERATURE * (logit(marginals) - sampled)
        answers = {
            "best": truth.codes[sets.argmax(axis=1)],
            "sets": fits[0](logits),
            "sets, two numbers": fits[1](logits),
            "threshold": decode_threshold(logits),
            "argmax": decode_argmax(logits),
        }
        rounds.append([exact_match(answer, labels) for answer in answers.values()])
    means = dict(zip(answers, np.mean(rounds, axis=0), strict=True))
    assert means["best"] - means["sets"] <= 0.010, means
    assert means["best"] - means["sets, two numbers"] <= 0.010, means
    assert means["best"] - means["threshold"] >= 0.03, means
    assert means["threshold"] < means["argmax"] < means["sets"], means
    shares = decoding.answer_shares(answers["sets"])
    assert shares.empty == 0 and 0.03 < shares.pairs < 0.10


def test_with_independent_emotions_threshold_and_label_sets_are_equal():
    generator, rounds = np.random.default_rng(7), []
    for _ in range(20):
        chances = [generator.beta(0.25, 1.0, (items, EMOTIONS)) for items in (5000, 1500, 20_000)]
        chances = [chance.clip(1e-6, 1 - 1e-6) for chance in chances]
        training, validation, labels = (
            (generator.random(chance.shape) < chance).astype(int) for chance in chances
        )
        decoder = decoding.fit_label_set_decoder(
            logit(chances[1]), validation, training_labels=training
        )
        assert (0,) * EMOTIONS in decoder.label_sets
        logits = logit(chances[2])
        rounds.append(
            [
                exact_match(decode_threshold(logits), labels),
                exact_match(decoder(logits), labels),
            ]
        )
    threshold, sets = np.mean(rounds, axis=0)
    assert threshold > 0.3 and abs(threshold - sets) <= 0.003, (threshold, sets)


def sample(items: int = 400) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    logits = generator.normal(-1.0, 2.0, (items, 3))
    truth = 0.5 * logits + np.array([1.0, 0.0, -1.0])
    return logits, (generator.random((items, 3)) < expit(truth)).astype(int)


def test_the_fit_is_that_of_logistic_regression():
    logits, labels = sample()
    decoder = decoding.fit_label_set_decoder(logits, labels, training_labels=labels, ridge=0.0)
    for k in range(3):
        other = LogisticRegression(C=math.inf, tol=1e-10).fit(logits[:, [k]], labels[:, k])
        assert decoder.slopes[k] == pytest.approx(other.coef_[0, 0], abs=1e-4)
        assert decoder.biases[k] == pytest.approx(other.intercept_[0], abs=1e-4)


def test_the_ridge_pulls_to_no_correction():
    logits, labels = sample()
    distances = []
    for ridge in (0.0, 20.0, 1e7):
        decoder = decoding.fit_label_set_decoder(
            logits, labels, training_labels=labels, ridge=ridge
        )
        distances.append((np.array(decoder.slopes) - 1) ** 2 + np.array(decoder.biases) ** 2)
    free, pulled, fixed = distances
    assert (pulled < 0.9 * free).all() and (pulled > 0.01).all()
    assert fixed == pytest.approx([0, 0, 0], abs=1e-6)


def test_two_numbers_find_the_temperature_and_the_shift():
    generator, shift = np.random.default_rng(4), np.array([-1.0, 0.5, -0.5])
    truth = generator.normal(-1.0, 2.0, (40_000, 3))
    labels = (generator.random(truth.shape) < expit(truth)).astype(int)
    decoder = decoding.fit_label_set_decoder(
        2.0 * (truth - shift), labels, training_labels=labels, shift=shift
    )
    assert decoder.slopes == pytest.approx((0.5,) * 3, abs=0.02)
    assert decoder.biases == pytest.approx(shift.tolist(), abs=0.05)


def test_two_numbers_are_fitted_without_an_emotion_in_validation():
    logits, labels = sample(60)
    absent = labels * [1, 1, 0]
    shift = np.array([-1.0, 0.0, -2.0])
    decoder = decoding.fit_label_set_decoder(logits, absent, training_labels=labels, shift=shift)
    assert len(set(decoder.slopes)) == 1
    assert decoder.biases[0] / -1.0 == pytest.approx(decoder.biases[2] / -2.0)


def test_a_logit_that_tells_the_opposite_is_ignored_and_not_turned_round():
    logits, labels = sample()
    decoder = decoding.fit_label_set_decoder(-logits, labels, training_labels=labels)
    assert decoder.slopes == pytest.approx((decoding.SMALLEST_SLOPE,) * 3)


def test_prior_shift_by_hand():
    # Emotion 0 is in 1 of 4 items, and 1/2 of the weight; emotion 1 in 3 of 4, and 1/2.
    labels = np.array([[1, 0], [0, 1], [0, 1], [0, 1]])
    shift = decoding.prior_shift(labels, inverse_frequency_weights(labels))
    assert shift == pytest.approx([-math.log(3), math.log(3)])
    assert decoding.prior_shift(labels, np.ones(4)) == pytest.approx([0, 0])


def test_label_sets_are_listed_by_their_number():
    training = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0]])
    sets = decoding.observed_label_sets(training)
    assert sets == ((1, 0, 0), (0, 1, 1), (0, 1, 0))


def test_a_decoder_survives_json():
    logits, labels = sample()
    decoder = decoding.fit_label_set_decoder(logits, labels, training_labels=labels)
    restored = LabelSetDecoder.from_dict(json.loads(json.dumps(decoder.to_dict())))
    assert restored == decoder
    assert (restored(logits) == decoder(logits)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros(3)}, r"`logits` has the shape \(3,\)"),
        ({"logits": np.full((400, 3), np.inf)}, "`logits` holds nan or infinity"),
        ({"labels": np.zeros((399, 3))}, r"`logits` has the shape \(400, 3\) and `labels` \(399"),
        ({"labels": np.full((400, 3), 0.5)}, "`labels` holds values other than 0 and 1"),
        ({"labels": np.ones((400, 3)) * [1, 0, 0]}, "index 0 in 400 of 400 items.*give `shift`"),
        ({"labels": sample()[1] * [1, 0, 1]}, "index 1 in 0 of 400 items"),
        ({"training_labels": np.zeros((0, 3))}, r"`training_labels` has the shape \(0, 3\)"),
        ({"training_labels": np.ones((5, 2))}, r"`training_labels` has the shape \(5, 2\).*, 3\)"),
        ({"shift": np.zeros(2)}, r"`shift` has the shape \(2,\)"),
        ({"ridge": -1.0}, "`ridge` is -1.0"),
    ],
)
def test_bad_fits_are_refused(change, message):
    logits, labels = sample()
    given = {"logits": logits, "labels": labels, "training_labels": labels} | change
    with pytest.raises(ValueError, match=message):
        decoding.fit_label_set_decoder(given.pop("logits"), given.pop("labels"), **given)


def test_other_bad_values_are_refused():
    with pytest.raises(ValueError, match=r"`answers` has the shape \(0, 7\)"):
        decoding.answer_shares(np.zeros((0, 7)))
    with pytest.raises(ValueError, match=r"`weights` has the shape \(3,\) for 2 items"):
        decoding.prior_shift(np.eye(2), np.ones(3))
    with pytest.raises(ValueError, match="index 1 in 0 of 2 items"):
        decoding.prior_shift(np.array([[1, 0], [0, 0]]), np.ones(2))


def test_examples_run():
    result = doctest.testmod(decoding)
    assert (result.failed, result.attempted) == (0, 3)
