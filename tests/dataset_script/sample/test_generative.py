import math
from dataclasses import fields

import numpy as np
import pytest

from dataset_script.layout import EMOTIONS
from dataset_script.sample.generative import (
    LINE_KINDS,
    Turns,
    draw_prosody,
    draw_turns,
    draw_votes,
    emotion_probabilities,
    expected_prosody,
    rater_probabilities,
)
from dataset_script.sample.lexicon import EVENTS, MIXED_PAIRS
from dataset_script.sample.parameters import Parameters

CUE, FILLER, AMBIGUOUS, EMOTION, MIXED = range(len(LINE_KINDS))
ANGRY, NEUTRAL, SAD = (EMOTIONS.index(name) for name in ("angry", "neutral", "sad"))


def _draw(parameters=None, *, seed=0, dialogues=1500, turns=20, bias=2.0):
    rng = np.random.default_rng(seed)
    return draw_turns(
        parameters or Parameters(),
        rng,
        dialogues=dialogues,
        turns_per_dialogue=turns,
        neutral_bias=bias,
    )


def _turns(*, valence, arousal, emotion, mixed=None):
    """Turns of which only what raters hear is set."""
    unset = np.zeros(len(emotion), dtype=int)
    return Turns(
        position=unset,
        stated_event=unset,
        event=unset,
        valence=np.asarray(valence, dtype=float),
        arousal=np.asarray(arousal, dtype=float),
        emotion=np.asarray(emotion),
        mixed=unset - 1 if mixed is None else np.asarray(mixed),
        line_kind=unset,
        line_topic=unset,
    )


def _shares(values, size):
    return np.bincount(values, minlength=size) / len(values)


def _dependence(left, right, *, sizes):
    """How far the joint distribution is from independence: total variation, in [0, 1]."""
    joint = np.zeros(sizes)
    np.add.at(joint, (left, right), 1 / len(left))
    return np.abs(joint - np.outer(joint.sum(1), joint.sum(0))).sum() / 2


@pytest.fixture(scope="module")
def turns():
    return _draw()


def test_the_seed_decides_everything():
    first, same, other = (_draw(seed=seed, dialogues=3) for seed in (4, 4, 5))
    for field in fields(Turns):
        assert np.array_equal(getattr(first, field.name), getattr(same, field.name))
    assert not np.array_equal(first.valence, other.valence)
    assert len(first) == 60


def test_a_segment_opens_with_its_cue_and_keeps_its_event(turns):
    position = turns.position.reshape(-1, 20)
    assert (position == np.tile(np.arange(5), 4)).all()
    assert ((turns.line_kind == CUE) == (turns.position == 0)).all()
    assert np.array_equal(turns.event, turns.stated_event)
    assert (turns.event.reshape(-1, 5) == turns.event.reshape(-1, 5)[:, :1]).all()
    assert (turns.line_topic[turns.line_kind == CUE] == turns.event[turns.line_kind == CUE]).all()
    cues = turns.event[turns.position == 0]
    assert np.allclose(_shares(cues, len(EVENTS)), Parameters().event_prior, atol=0.02)


def test_a_last_segment_may_be_short():
    turns = _draw(dialogues=2, turns=7)
    assert turns.position.reshape(2, 7)[0].tolist() == [0, 1, 2, 3, 4, 0, 1]


def test_valence_and_arousal_spread_around_their_event(turns):
    parameters = Parameters()
    for event in range(len(EVENTS)):
        here = turns.event == event
        assert turns.valence[here].mean() == pytest.approx(
            parameters.event_valence[event], abs=0.02
        )
        assert turns.valence[here].std() == pytest.approx(math.hypot(0.12, 0.20), abs=0.01)
        assert turns.arousal[here].mean() == pytest.approx(
            parameters.event_arousal[event], abs=0.03
        )
        assert turns.arousal[here].std() == pytest.approx(math.hypot(0.15, 0.52), abs=0.02)


def test_emotion_probabilities_are_the_formula():
    parameters = Parameters()
    places = [(1, -0.7, 0.6), (3, 0.1, -0.2), (0, 0.5, 1.9)]
    event, valence, arousal = (np.array(column) for column in zip(*places, strict=True))
    chances = emotion_probabilities(parameters, event, valence, arousal, neutral_bias=0.7)
    for row, (e, v, a) in zip(chances, places, strict=True):
        weights = []
        for index, name in enumerate(EMOTIONS):
            pv, pa = parameters.prototypes[index]
            squared = (v - pv) ** 2 + (a - pa) ** 2
            log = parameters.compatibility[index][e] - squared / (2 * 0.36**2)
            weights.append(math.exp(log + (0.7 if name == "neutral" else 0)))
        assert row == pytest.approx([weight / sum(weights) for weight in weights])


def test_felt_emotions_follow_their_probabilities(turns):
    plain = turns.mixed < 0
    expected = emotion_probabilities(
        Parameters(), turns.event, turns.valence, turns.arousal, neutral_bias=2.0
    )[plain].mean(0)
    assert np.allclose(_shares(turns.emotion[plain], 7), expected, atol=0.01)


def test_some_turns_are_mixed_and_a_line_says_so(turns):
    later = turns.position > 0
    mixed = turns.mixed >= 0
    assert not mixed[~later].any()
    assert mixed[later].mean() == pytest.approx(0.05, abs=0.005)
    assert np.allclose(
        _shares(turns.mixed[mixed], len(MIXED_PAIRS)), Parameters().mixed_prior, atol=0.04
    )
    assert ((turns.line_kind == MIXED) == mixed).all()
    assert (turns.line_topic[mixed] == turns.mixed[mixed]).all()
    expressive = [EMOTIONS.index(MIXED_PAIRS[pair][1]) for pair in turns.mixed[mixed]]
    assert turns.emotion[mixed].tolist() == expressive


def test_other_lines_have_their_shares_and_their_accuracy(turns):
    others = (turns.position > 0) & (turns.mixed < 0)
    shares = _shares(turns.line_kind[others], len(LINE_KINDS))
    assert np.allclose(shares, (0, 0.05, 0.80, 0.15, 0), atol=0.01)
    assert (turns.line_topic[np.isin(turns.line_kind, (FILLER, AMBIGUOUS))] == -1).all()
    spoken = turns.line_kind == EMOTION
    right = turns.line_topic[spoken] == turns.emotion[spoken]
    assert right.mean() == pytest.approx(0.60, abs=0.03)
    away = (turns.line_topic[spoken] - turns.emotion[spoken])[~right] % 7
    assert np.allclose(_shares(away, 7)[1:], 1 / 6, atol=0.04)


def test_without_text_signal_the_wording_tells_nothing():
    turns = _draw(Parameters(text_signal=0))
    cue, spoken = turns.line_kind == CUE, turns.line_kind == EMOTION
    assert (turns.mixed >= 0).any() and not (turns.line_kind == MIXED).any()
    named = turns.line_topic
    assert _dependence(named[cue], turns.event[cue], sizes=(4, 4)) < 0.03
    assert _dependence(named[spoken], turns.emotion[spoken], sizes=(7, 7)) < 0.06
    kind, emotion = turns.line_kind[~cue], turns.emotion[~cue]
    assert _dependence(kind, emotion, sizes=(5, 7)) < 0.02
    told = _draw()
    cue, spoken = told.line_kind == CUE, told.line_kind == EMOTION
    assert _dependence(told.line_topic[cue], told.event[cue], sizes=(4, 4)) > 0.6
    assert _dependence(told.line_topic[spoken], told.emotion[spoken], sizes=(7, 7)) > 0.3


def test_without_context_signal_a_cue_is_true_of_itself_alone():
    turns = _draw(Parameters(context_signal=0))
    cue = turns.position == 0
    assert np.array_equal(turns.stated_event[cue], turns.event[cue])
    assert _dependence(turns.stated_event[~cue], turns.event[~cue], sizes=(4, 4)) < 0.03
    later = turns.event.reshape(-1, 5)[:, 1:]
    assert (later == later[:, :1]).all()


def test_half_a_context_signal_keeps_half_of_the_segments():
    turns = _draw(Parameters(context_signal=0.5))
    cue = turns.position == 0
    by_chance = np.square(Parameters().event_prior).sum()
    stays = (turns.stated_event == turns.event)[~cue].mean()
    assert stays == pytest.approx(0.5 + 0.5 * by_chance, abs=0.02)


def test_raters_speak_of_what_passes_their_threshold():
    strong = _turns(valence=[0, 0, 0], arousal=[3, 0.25, 0.70], emotion=[ANGRY] * 3)
    reserved, expressive = rater_probabilities(Parameters(), strong)
    says_angry = np.full(7, 0.22 / 6)
    says_angry[ANGRY] = 0.78
    says_neutral = np.full(7, 0.14 / 6)
    says_neutral[NEUTRAL] = 0.86
    assert np.allclose(reserved[0], says_angry) and np.allclose(expressive[0], says_angry)
    assert np.allclose(expressive[1], (says_angry + says_neutral) / 2)
    assert np.allclose(reserved[2], (says_angry + says_neutral) / 2)
    noticed = 1 / (1 + math.exp((0.70 - 0.25) / 0.12))
    assert np.allclose(reserved[1], noticed * says_angry + (1 - noticed) * says_neutral)


def test_raters_hear_two_emotions_in_a_mixed_line():
    pair = MIXED_PAIRS.index(("fear", "sad"))
    turns = _turns(valence=[0, 0], arousal=[0, 2], emotion=[SAD, ANGRY], mixed=[pair, -1])
    reserved, expressive = rater_probabilities(Parameters(), turns)
    assert reserved[0][EMOTIONS.index("fear")] == pytest.approx(0.93)
    assert expressive[0][SAD] == pytest.approx(0.93)
    assert reserved[0][NEUTRAL] == pytest.approx(0.07 / 6)
    assert expressive[1][ANGRY] == pytest.approx(0.78, abs=1e-3)


def test_votes_follow_the_raters_probabilities():
    states = _turns(
        valence=[-0.4, 0, 0.2],
        arousal=[0.3, 0, 0.3],
        emotion=[ANGRY, NEUTRAL, SAD],
        mixed=[-1, -1, 1],
    )
    copies = 4000
    many = Turns(
        **{field.name: np.repeat(getattr(states, field.name), copies) for field in fields(Turns)}
    )
    votes, _ = draw_votes(Parameters(), np.random.default_rng(0), many)
    assert votes.shape == (3 * copies, 10)
    expected = rater_probabilities(Parameters(), states)
    for rater in range(10):
        for state in range(3):
            drawn = _shares(votes[state * copies : (state + 1) * copies, rater], 7)
            assert np.allclose(drawn, expected[rater % 2][state], atol=0.035)


def test_raters_do_not_copy_each_other():
    same = _turns(valence=[-0.3] * 20_000, arousal=[0.1] * 20_000, emotion=[ANGRY] * 20_000)
    votes, ratings = draw_votes(Parameters(), np.random.default_rng(1), same)
    angry = (votes == ANGRY).astype(float)
    for values in (angry, ratings[..., 0], ratings[..., 1]):
        apart = np.corrcoef(values.T)[~np.eye(10, dtype=bool)]
        assert np.abs(apart).max() < 0.05


def test_ratings_are_integers_from_one_to_five_around_the_hidden_place():
    valence = np.repeat([-4.0, -0.5, 0.0, 0.5, 4.0], 1000)
    turns = _turns(valence=valence, arousal=valence, emotion=[NEUTRAL] * 5000)
    _, ratings = draw_votes(Parameters(), np.random.default_rng(0), turns)
    assert ratings.shape == (5000, 10, 2) and ratings.dtype.kind == "i"
    assert set(np.unique(ratings)) == {1, 2, 3, 4, 5}
    means = ratings.reshape(5, -1, 2).mean(1)
    assert np.allclose(means[1:4, 0], (2.4, 3.0, 3.6), atol=0.03)
    assert np.allclose(means[1:4, 1], (2.45, 3.0, 3.55), atol=0.03)
    assert (ratings[valence == -4] == 1).all() and (ratings[valence == 4] == 5).all()


def test_expected_prosody_is_arousal_and_emotion():
    parameters = Parameters()
    turns = _turns(valence=[0, 0], arousal=[0.5, -1], emotion=[NEUTRAL, ANGRY])
    driven = expected_prosody(parameters, turns)
    assert np.allclose(driven[0], (0.5, 0.45, 0.4, 0.4))
    assert np.allclose(driven[1], (-1 - 0.10, -0.9 + 0.30, -0.8 - 0.30, -0.8 + 0.55))
    assert np.allclose(expected_prosody(Parameters(speech_signal=0.5), turns), driven / 2)


def test_prosody_is_expectation_habit_and_noise(turns):
    habits = np.array([1.0, -1.0, 0.5, 0.25])
    prosody = draw_prosody(
        Parameters(), np.random.default_rng(0), turns, speaker_offsets=np.tile(habits, (30_000, 1))
    )
    rest = prosody - expected_prosody(Parameters(), turns) - habits
    assert np.allclose(rest.mean(0), 0, atol=0.01)
    assert np.allclose(rest.std(0), Parameters().prosody_noise_sd, atol=0.01)


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_prosody_tells_of_arousal_only_with_a_speech_signal(signal):
    parameters = Parameters(speech_signal=signal)
    turns = _draw(parameters)
    prosody = draw_prosody(
        parameters, np.random.default_rng(1), turns, speaker_offsets=np.zeros((len(turns), 4))
    )
    for column in prosody.T:
        with_arousal = np.corrcoef(column, turns.arousal)[0, 1]
        gap = column[turns.emotion == SAD].mean() - column[turns.emotion == ANGRY].mean()
        if signal:
            assert with_arousal > 0.7 and abs(gap) > 0.3
        else:
            assert abs(with_arousal) < 0.02 and abs(gap) < 0.02
