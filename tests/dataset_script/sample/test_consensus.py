from itertools import product

import numpy as np
import pytest

from dataset_script.layout import EMOTIONS
from dataset_script.sample.consensus import (
    STRENGTH_GRID,
    calibrate_neutral,
    consensus_probabilities,
    label_sets,
    tabulate_consensus,
)
from dataset_script.sample.generative import draw_turns, draw_votes, rater_probabilities
from dataset_script.sample.parameters import Parameters

DEFAULT = Parameters()
HAPPY, SAD, NEUTRAL = (EMOTIONS.index(name) for name in ("happy", "sad", "neutral"))


@pytest.fixture(scope="module")
def table():
    return tabulate_consensus(DEFAULT)


def _distribution(reserved, expressive):
    """Consensus distribution of one turn as a dictionary, impossible sets left out."""
    chances = np.array([[reserved], [expressive]], dtype=float)
    probabilities = consensus_probabilities(DEFAULT, chances)[0]
    return {
        frozenset(np.flatnonzero(labels)): probability
        for labels, probability in zip(label_sets(DEFAULT), probabilities, strict=True)
        if probability > 0
    }


def _saying(**chances):
    return [chances.get(name, 0.0) for name in EMOTIONS]


def _draw(bias, *, dialogues=1000, parameters=DEFAULT, seed=3):
    rng = np.random.default_rng(seed)
    turns = draw_turns(
        parameters, rng, dialogues=dialogues, turns_per_dialogue=20, neutral_bias=bias
    )
    return turns, rng


def _consensus_of(votes):
    counts = np.stack([(votes == emotion).sum(1) for emotion in range(len(EMOTIONS))], axis=1)
    return counts == counts.max(1, keepdims=True)


def test_label_sets_are_what_ten_votes_can_give():
    sets = {tuple(row) for row in label_sets(DEFAULT)}
    assert len(sets) == len(label_sets(DEFAULT))
    # 1 to 5 emotions can share the lead of ten votes; 6 would need 6 or 12 votes and leave 4 over.
    possible = {row for row in product((0, 1), repeat=7) if 1 <= sum(row) <= 5}
    assert sets == possible


def test_unanimous_groups_leave_one_consensus():
    assert _distribution(_saying(sad=1), _saying(sad=1)) == {frozenset({SAD}): 1}
    assert _distribution(_saying(sad=1), _saying(happy=1)) == {frozenset({SAD, HAPPY}): 1}


def test_a_wavering_group_is_counted_by_hand():
    # Five votes for sad stand; happy ties if all five others say it.
    found = _distribution(_saying(sad=1), _saying(sad=0.5, happy=0.5))
    assert found == pytest.approx({frozenset({SAD}): 31 / 32, frozenset({SAD, HAPPY}): 1 / 32})
    # Ten coins: the odds of 6 or more, and of 5 to 5.
    found = _distribution(_saying(sad=0.5, happy=0.5), _saying(sad=0.5, happy=0.5))
    assert found[frozenset({SAD, HAPPY})] == pytest.approx(252 / 1024)
    assert found[frozenset({SAD})] == pytest.approx(386 / 1024)


def test_probabilities_agree_with_drawn_votes():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.full(7, 0.6), size=(2, 3))
    computed = consensus_probabilities(DEFAULT, chances)
    assert np.allclose(computed.sum(1), 1)
    draws = 60_000
    for turn in range(3):
        counts = sum(rng.multinomial(5, chances[group, turn], size=draws) for group in (0, 1))
        winners = counts == counts.max(1, keepdims=True)
        drawn = np.array([(winners == labels).all(1).mean() for labels in label_sets(DEFAULT) > 0])
        assert drawn.sum() == pytest.approx(1)
        assert np.abs(drawn - computed[turn]).sum() / 2 < 0.015


def test_the_table_holds_the_distribution_of_the_nearest_strength(table):
    turns, _ = _draw(2.0, dialogues=10)
    assert (turns.mixed >= 0).any()
    exact = consensus_probabilities(DEFAULT, rater_probabilities(DEFAULT, turns))
    looked_up = table.of_turns(turns)
    assert np.allclose(looked_up.sum(1), 1)
    assert np.abs(looked_up - exact).sum(1).mean() / 2 < 0.02
    mixed = turns.mixed >= 0
    assert np.allclose(looked_up[mixed], exact[mixed])
    assert table.by_emotion.shape == (7, len(STRENGTH_GRID), len(label_sets(DEFAULT)))


@pytest.mark.parametrize("neutral", [0.25, 0.42, 0.83, 0.9])
def test_drawn_votes_have_the_share_of_neutral_asked_for(neutral, table):
    parameters = Parameters(neutral=neutral)
    bias = calibrate_neutral(parameters, table)
    turns, rng = _draw(bias, parameters=parameters)
    votes, _ = draw_votes(parameters, rng, turns)
    alone = _consensus_of(votes)
    share = (alone[:, NEUTRAL] & (alone.sum(1) == 1)).mean()
    assert share == pytest.approx(neutral, abs=0.015)


def test_calibration_is_the_same_every_time(table):
    assert calibrate_neutral(DEFAULT, table) == calibrate_neutral(DEFAULT, table)


def test_a_share_that_cannot_be_had_is_refused():
    deaf = Parameters(rater_thresholds=(9.0, 9.0))  # nobody ever notices an emotion
    with pytest.raises(ValueError, match=r"`neutral` is 0.42; .* between 0\.9\d+ and 0\.9"):
        calibrate_neutral(deaf, tabulate_consensus(deaf))
