import re
from itertools import groupby

import numpy as np
import pytest

from dataset_script.clusters import cluster_scripts
from dataset_script.sample.acted import draw_acted_session
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.scripts import ENDINGS, draw_scripts, translate_lead
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.translator import translate_dialogue

LEXICON = load_lexicon()
NAME = re.compile(r"Sess(\d{2})_((?:script0[1-6])|(?:impro0[1-4]))_([FM])(\d{3})")


def _draw(sessions=4, **given):
    options = SampleOptions(sessions=sessions, layout="kemdy19", **given)
    scripts = draw_scripts(options, LEXICON, neutral_bias=2.0)
    return [
        draw_acted_session(number, options, LEXICON, scripts, neutral_bias=2.0)
        for number in range(1, sessions + 1)
    ]


@pytest.fixture(scope="module")
def sessions():
    return _draw()


def _by_dialogue(session):
    """Turns of each dialogue, in order."""
    groups = groupby(range(len(session.turns)), key=session.dialogues.__getitem__)
    return {dialogue: list(turns) for dialogue, turns in groups}


def test_seed_and_number_decide_a_session():
    one, more, other = _draw(2, seed=3), _draw(3, seed=3), _draw(2, seed=4)
    for mine, same, theirs in zip(one, more[:2], other, strict=True):
        assert mine.lines == same.lines and mine.segment_ids == same.segment_ids
        assert np.array_equal(mine.votes, same.votes) and mine.lines != theirs.lines
        assert np.array_equal(mine.listener_votes, same.listener_votes)


def test_segments_are_named_and_ordered_as_in_kemdy19(sessions):
    for session in sessions:
        dialogues = _by_dialogue(session)
        expected = [f"script{n:02d}" for n in range(1, 7)] + [f"impro{n:02d}" for n in range(1, 5)]
        assert list(dialogues) == [f"Sess{session.number:02d}_{name}" for name in expected]
        for turns in dialogues.values():
            spoken = {"F": 0, "M": 0}
            for turn in turns:
                parts = NAME.fullmatch(session.segment_ids[turn])
                assert parts[3] == session.speakers[turn].gender
                spoken[parts[3]] += 1
                assert int(parts[4]) == spoken[parts[3]]
        assert session.stem(0).as_posix() == (
            f"wav/Session0{session.number}/Sess0{session.number}_script01/{session.segment_ids[0]}"
        )


def test_a_man_and_a_woman_with_voices_of_their_fold():
    for session in _draw(10, turns=4):
        pair = {speaker.gender: speaker for speaker in session.speakers}
        assert set(pair) == {"F", "M"}
        assert (pair["F"].user, pair["M"].user) == (2 * session.number - 1, 2 * session.number)
        assert pair["F"].voice == f"f{(session.number - 1) % 5 + 1}"


def test_every_session_plays_each_script_under_another_number(sessions):
    orders = set()
    for session in sessions:
        played = [session.scripts[turns[0]] for turns in _by_dialogue(session).values()]
        assert sorted(played[:6]) == list("123456") and played[6:] == [""] * 4
        orders.add(tuple(played))
    assert len(orders) == len(sessions)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clusters_are_the_scripts_that_were_played(seed):
    texts, truth = {}, {}
    for session in _draw(4, seed=seed):
        for dialogue, turns in _by_dialogue(session).items():
            key = session.number, dialogue
            texts[key] = " ".join(session.lines[turn] for turn in turns)
            truth[key] = session.scripts[turns[0]]
    found = cluster_scripts(texts)
    assert found.is_separated and found.warnings == ()
    assert found.is_scripted == {key: bool(script) for key, script in truth.items()}
    pairs = {(truth[key], found.script[key]) for key in truth if truth[key]}
    assert len(pairs) == 6


def test_the_english_follows_from_the_transcript_alone(sessions):
    for session in sessions:
        for turns in _by_dialogue(session).values():
            leads, lines = zip(*(_split(session.lines[turn]) for turn in turns), strict=True)
            renderings = translate_dialogue(LEXICON, lines, cue_window=3)
            for turn, lead, rendering in zip(turns, leads, renderings, strict=True):
                english = translate_lead(lead)
                assert session.renderings[turn].literal == f"{english} {rendering.literal}"
                assert session.renderings[turn].contextual == f"{english} {rendering.contextual}"


def _split(said):
    words = said.split()
    end = next(place for place, word in enumerate(words, 1) if word in ENDINGS)
    return tuple(words[:end]), " ".join(words[end:])


def test_listeners_feel_alike_but_not_the_same():
    pairs = []
    for session in _draw(20):
        assert (session.listener.mixed == -1).all()
        for own, other in zip(session.votes, session.listener_votes, strict=True):
            counts = [np.bincount(votes, minlength=7) for votes in (own, other)]
            pairs.append([tuple(count == count.max()) for count in counts])
    same = np.mean([own == other for own, other in pairs])
    assert 0.35 <= same <= 0.5
    shuffled = np.random.default_rng(0).permutation(len(pairs))
    chance = np.mean([pairs[a][0] == pairs[b][1] for a, b in enumerate(shuffled)])
    assert same > chance + 0.08


def test_what_is_written_repeats_across_sessions_and_improvisation_does_not():
    felt = {}
    for session in _draw(6):
        for dialogue, turns in _by_dialogue(session).items():
            script = session.scripts[turns[0]] or f"{session.number}{dialogue}"
            for turn in turns:
                key = script, _split(session.lines[turn])
                felt.setdefault(key, set()).add((session.number, session.turns.emotion[turn]))
    again = {key: seen for key, seen in felt.items() if len({n for n, _ in seen}) > 1}
    assert len(again) > 40 and all(key[0] in "123456" for key in again)
    agreeing = [len({emotion for _, emotion in seen}) == 1 for seen in again.values()]
    assert np.mean(agreeing) > 0.95
