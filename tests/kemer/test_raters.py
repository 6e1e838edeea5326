import doctest
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from dataset_script.sample.consensus import (
    calibrate_neutral,
    consensus_probabilities,
    label_sets,
    tabulate_consensus,
)
from dataset_script.sample.generative import draw_turns, draw_votes
from dataset_script.sample.parameters import Parameters
from kemer import raters
from kemer.raters import (
    consensus_chances,
    count_votes,
    error_floor,
    estimate_ceiling,
    fit_alpha,
    match_nine,
    one_rater_error,
    single_rater,
    split_half,
    summarise_raters,
)

DIRICHLET = np.array([0.2, 0.3, 0.1, 1.5, 0.4, 0.25, 0.5])


def votes(*row: int) -> np.ndarray:
    return np.array([[*row, *[0] * (7 - len(row))]])


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    """Who said what of 6,000 turns of the sample corpus, whose distribution is known."""
    parameters, rng = Parameters(), np.random.default_rng(0)
    table = tabulate_consensus(parameters)
    bias = calibrate_neutral(parameters, table)
    turns = draw_turns(parameters, rng, dialogues=300, turns_per_dialogue=20, neutral_bias=bias)
    said, ratings = draw_votes(parameters, rng, turns)
    return {
        "said": said,
        "ratings": ratings,
        "counts": np.stack([(said == emotion).sum(1) for emotion in range(7)], axis=1),
        "truth": table.of_turns(turns),
    }


def literal_majority(said: np.ndarray) -> np.ndarray:
    """Emotions with the most votes, `(items, 7)`, from who said what, `(items, raters)`."""
    counts = np.stack([(said == emotion).sum(1) for emotion in range(7)], axis=1)
    return counts == counts.max(1, keepdims=True)


@pytest.mark.parametrize(
    ("row", "strict", "lenient", "ties", "halves"),
    [
        ((10,), 1.0, 1.0, 0.0, 252),
        # Without one of five, the other five are more.
        ((5, 5), 0.0, 0.0, 0.0, 0),
        # Halves 3:2 and 3:2, in 20 x 6 of 252 ways.
        ((6, 4), 0.6, 0.6, 0.0, 120),
        ((4, 3, 3), 0.0, 0.4, 0.4, None),
        ((5, 4, 1), 0.0, 0.5, 0.5, None),
        # The one of nine is in one half: 5:0 and 4:1, always the same.
        ((9, 1), 0.9, 0.9, 0.0, 252),
        # One of the two less is a tie of the others. Halves 2:2:1 twice, in 6 x 6 x 2 ways.
        ((4, 4, 2), 0.0, 0.0, 0.2, 72),
    ],
)
def test_single_items_worked_out_by_hand(
    row: tuple[int, ...], strict: float, lenient: float, ties: float, halves: int | None
) -> None:
    found = single_rater(votes(*row)).iloc[0]
    assert found.to_dict() == pytest.approx({"strict": strict, "lenient": lenient, "ties": ties})
    if halves is not None:
        assert split_half(votes(*row))[0] == pytest.approx(halves / 252)


def test_order_of_emotions_and_items_changes_nothing() -> None:
    counts = np.concatenate([votes(6, 4), votes(0, 0, 4, 6), votes(10), votes(0, 4, 0, 0, 6)])
    assert split_half(counts) == pytest.approx([120 / 252, 120 / 252, 1, 120 / 252])
    assert single_rater(counts)["strict"].tolist() == pytest.approx([0.6, 0.6, 1.0, 0.6])


def test_counts_give_what_a_look_at_each_rater_gives(sample: dict[str, np.ndarray]) -> None:
    said = sample["said"]
    strict, lenient, ties = np.zeros((3, len(said)))
    for rater in range(10):
        nine = literal_majority(np.delete(said, rater, axis=1))
        hit = nine[np.arange(len(said)), said[:, rater]]
        several = nine.sum(1) > 1
        strict += (hit & ~several) / 10
        lenient += hit / 10
        ties += several / 10
    found = single_rater(sample["counts"])
    for name, expected in (("strict", strict), ("lenient", lenient), ("ties", ties)):
        assert found[name].to_numpy() == pytest.approx(expected), name


def test_counts_give_what_all_126_halves_give(sample: dict[str, np.ndarray]) -> None:
    said = sample["said"][:1000]
    agreed = np.zeros(len(said))
    halves = [half for half in itertools.combinations(range(10), 5) if 0 in half]
    for half in halves:
        rest = [rater for rater in range(10) if rater not in half]
        both = literal_majority(said[:, list(half)]) == literal_majority(said[:, rest])
        agreed += both.all(1)
    assert len(halves) == 126
    assert split_half(sample["counts"][:1000]) == pytest.approx(agreed / 126)


def test_figures_of_the_sample_corpus(sample: dict[str, np.ndarray]) -> None:
    """Measured on 20,000 turns; a mean over 6,000 has a standard error of .004 and less."""
    single = single_rater(sample["counts"]).mean()
    assert single["strict"] == pytest.approx(0.709, abs=0.012)
    assert single["lenient"] == pytest.approx(0.733, abs=0.012)
    assert split_half(sample["counts"]).mean() == pytest.approx(0.814, abs=0.012)
    ceiling = estimate_ceiling(sample["counts"], draws=6000)
    assert ceiling.exact_match == pytest.approx(0.858, abs=0.012)
    # Its raters are of two kinds, not exchangeable: who knows that can score more.
    assert sample["truth"].max(1).mean() > ceiling.exact_match + 0.05


def test_a_model_is_scored_as_a_rater_is(sample: dict[str, np.ndarray]) -> None:
    counts, said = sample["counts"], sample["said"]
    model = np.eye(7, dtype=int)[said[:, 3]]
    model[:100] = 0
    model[100:200, :2] = 1
    expected = np.zeros(len(said))
    for rater in range(10):
        nine = literal_majority(np.delete(said, rater, axis=1))
        expected += (nine == model.astype(bool)).all(1) / 10
    assert match_nine(model.tolist(), counts) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"`predictions` has shape \(5, 7\) and `counts` \(6000"):
        match_nine(model[:5], counts)


def test_chances_of_label_sets_are_those_of_the_sample_corpus() -> None:
    """An enumeration of its own, of two groups of five raters with the same chances."""
    chances = np.random.default_rng(0).dirichlet(DIRICHLET, 5)
    chances[0] = [0.5, 0.5, 0, 0, 0, 0, 0]
    expected = consensus_probabilities(Parameters(), np.stack([chances, chances]))
    found = consensus_chances(chances)
    codes = label_sets(Parameters()) @ (1 << np.arange(7))
    assert codes.tolist() == sorted(codes.tolist())  # the order that is promised
    assert found == pytest.approx(expected, abs=1e-9)
    assert found.sum(1) == pytest.approx(np.ones(5))
    # Two emotions, each as likely: a tie in C(10, 5) of 1,024 ways, each alone in half the rest.
    assert sorted(found[0])[-3:] == pytest.approx([252 / 1024, 386 / 1024, 386 / 1024])


@pytest.fixture(scope="module")
def exchangeable() -> tuple[np.ndarray, np.ndarray]:
    """Chances drawn from a known Dirichlet distribution, and the votes."""
    rng = np.random.default_rng(1)
    chances = rng.dirichlet(DIRICHLET, 4000)
    return chances, rng.multinomial(10, chances)


def test_alpha_is_found_again(exchangeable: tuple[np.ndarray, np.ndarray]) -> None:
    alpha = fit_alpha(exchangeable[1])
    assert alpha == pytest.approx(DIRICHLET, rel=0.12)


def test_alpha_is_that_of_the_largest_likelihood(
    exchangeable: tuple[np.ndarray, np.ndarray],
) -> None:
    counts = exchangeable[1][:300]

    def likelihood(alpha: np.ndarray) -> float:
        total = alpha.sum()
        value = len(counts) * (math.lgamma(total) - math.lgamma(total + 10))
        return value + sum(
            math.lgamma(a + n) - math.lgamma(a)
            for row in counts
            for a, n in zip(alpha, row, strict=True)
        )

    alpha = fit_alpha(counts)
    for emotion, factor in itertools.product(range(7), (0.97, 1.03)):
        other = alpha.copy()
        other[emotion] *= factor
        assert likelihood(other) < likelihood(alpha)


def test_an_emotion_that_nobody_names_has_no_chance() -> None:
    counts = np.concatenate([votes(6, 4), votes(3, 7), votes(10), votes(0, 10)])
    ceiling = estimate_ceiling(counts, draws=200)
    assert ceiling.alpha[2:] == (0.0,) * 5 and min(ceiling.alpha[:2]) > 0
    assert 0.5 < ceiling.exact_match < 1


def test_the_ceiling_is_true_for_exchangeable_raters(
    exchangeable: tuple[np.ndarray, np.ndarray],
) -> None:
    chances, counts = exchangeable
    truth = np.concatenate([consensus_chances(part).max(1) for part in np.split(chances, 8)])
    ceiling = estimate_ceiling(counts, draws=4000)
    # Of 4,000 drawn chances each mean has a standard error of .003; half of them are shared votes.
    assert ceiling.exact_match == pytest.approx(truth.mean(), abs=0.012)
    assert 0 < ceiling.standard_error < 0.5 / math.sqrt(4000)


def test_the_ceiling_follows_its_seed_and_its_error_holds() -> None:
    counts = np.random.default_rng(2).multinomial(10, [0.3, 0.3, 0.1, 0.1, 0.1, 0.05, 0.05], 40)
    found = [estimate_ceiling(counts, draws=400, seed=seed) for seed in range(12)]
    assert found[0] == estimate_ceiling(counts, draws=400, seed=0)
    values = [one.exact_match for one in found]
    assert len(set(values)) == 12
    # An upper bound: chances differ between items, which is no error of simulation.
    assert np.std(values) < 1.5 * found[0].standard_error


def test_one_rater_against_nine_and_the_floor_worked_out_by_hand() -> None:
    ratings = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]  # population variance 2, sample variance 20/9
    errors = [(r - (sum(ratings) - r) / 9) ** 2 for r in ratings]
    deviations = [math.sqrt(2), 0.0]
    assert one_rater_error(deviations) == pytest.approx(sum(errors) / 10 / 2)
    assert one_rater_error(deviations) == pytest.approx(100 / 81)
    assert error_floor(deviations) == pytest.approx(20 / 9 / 10 / 2)


def test_all_figures_come_from_the_columns_of_a_release(sample: dict[str, np.ndarray]) -> None:
    counts, ratings = sample["counts"][:500], sample["ratings"][:500]
    rows = pd.DataFrame(
        {
            "emotion_votes": list((counts / 10).astype(np.float32)),
            "valence_std": ratings[:, :, 0].std(1).astype(np.float32),
            "arousal_std": ratings[:, :, 1].std(1).astype(np.float32),
        }
    )
    found = summarise_raters(rows, draws=500).to_dict()
    assert found["single_strict"] == pytest.approx(single_rater(counts)["strict"].mean())
    assert found["single_lenient"] == pytest.approx(single_rater(counts)["lenient"].mean())
    assert found["ties"] == pytest.approx(single_rater(counts)["ties"].mean())
    assert found["panel"] == pytest.approx(split_half(counts).mean())
    assert found["ceiling"] == estimate_ceiling(counts, draws=500).exact_match
    for place, name in enumerate(("valence", "arousal")):
        given = ratings[:, :, place]
        nine = (given.sum(1, keepdims=True) - given) / 9
        assert found[f"{name}_single"] == pytest.approx(((given - nine) ** 2).mean())
        assert found[f"{name}_floor"] == pytest.approx(given.var(1, ddof=1).mean() / 10)
    assert found["single_strict"] <= found["single_lenient"] < found["panel"] < found["ceiling"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([], r"has shape \(0,\): give 7 shares"),
        ([[0.5, 0.5]], r"has shape \(1, 2\)"),
        ([[0.25, 0.75, 0, 0, 0, 0, 0]], "of item 0 are .*not the votes of 10 raters"),
        ([[1, 0, 0, 0, 0, 0, 0], [0.9, 0, 0, 0, 0, 0, 0]], "of item 1 are"),
        ([[1.1, -0.1, 0, 0, 0, 0, 0]], "of item 0 are"),
    ],
)
def test_what_is_no_vote_of_ten_is_refused(shares: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_votes(shares)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(raters).failed == 0
