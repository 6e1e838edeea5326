import doctest
from dataclasses import fields, replace

import numpy as np
import pytest

from dataset_script.sample import scripts
from dataset_script.sample.generative import Turns
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.scripts import (
    ENDINGS,
    PARTICLES,
    SYLLABLES,
    draw_dialogue,
    draw_scripts,
    join_turns,
    perform,
    take_turns,
)
from dataset_script.sample.session import SampleOptions

LEXICON = load_lexicon()


def _draw_scripts(**options):
    return draw_scripts(SampleOptions(**options), LEXICON, neutral_bias=2.0)


def _text(dialogue):
    return [
        " ".join([*lead, line]) for lead, line in zip(dialogue.leads, dialogue.lines, strict=True)
    ]


def test_the_examples_are_true():
    assert doctest.testmod(scripts).failed == 0


def test_seed_alone_decides_the_scripts():
    written = [_text(script) for script in _draw_scripts(seed=3)]
    assert written == [_text(script) for script in _draw_scripts(seed=3, sessions=40)]
    other = [_text(script) for script in _draw_scripts(seed=4)]
    assert len(written) == len(other) == 6
    assert all(mine != theirs for mine, theirs in zip(written, other, strict=True))


def test_scripts_share_no_people():
    names = [set(script.names) for script in _draw_scripts()]
    for index, mine in enumerate(names):
        for theirs in names[index + 1 :]:
            assert len(mine & theirs) <= 3
    for script in _draw_scripts():
        for *words, ending in script.leads:
            assert ending in ENDINGS and 2 <= len(words) <= 4
            for word in words:
                assert word[:-2] in script.names and word[-2:] in PARTICLES
                assert set(word[:-2]) <= set(SYLLABLES)


def test_both_roles_speak_and_mostly_in_turn():
    roles = np.stack([script.roles for script in _draw_scripts(turns=200)])
    assert set(roles.ravel()) == {0, 1}
    assert 0.8 < (np.diff(roles, axis=1) != 0).mean() < 0.9


def test_a_performance_skips_lines_and_says_words_otherwise():
    written = _draw_scripts(turns=400)[0]
    script = replace(written, lines=[str(place) for place in range(400)])
    rng = np.random.default_rng(0)
    skipped, changed, words = [], 0, 0
    for _ in range(20):
        played = perform(script, rng)
        skipped.append(1 - len(played.turns) / 400)
        places = [int(line) for line in played.lines]
        assert places == sorted(set(places))
        for turn, place in enumerate(places):
            assert played.roles[turn] == script.roles[place]
            pairs = list(zip(played.leads[turn], script.leads[place], strict=True))
            changed += sum(said != meant for said, meant in pairs)
            words += len(pairs) + len(written.lines[place].split())
    assert 0.04 < min(skipped) < 0.08 and 0.12 < max(skipped) < 0.19
    assert 0.08 < changed / words < 0.13


def test_actors_feel_nearly_what_is_written():
    script = _draw_scripts(turns=500)[0]
    script = replace(script, turns=replace(script.turns, valence=np.zeros(500)))
    played = perform(script, np.random.default_rng(1))
    assert played.turns.valence.std() == pytest.approx(0.1, rel=0.2)


def test_a_performance_has_a_turn_even_of_a_single_line():
    script = _draw_scripts(turns=1)[0]
    rng = np.random.default_rng(0)
    assert {len(perform(script, rng).turns) for _ in range(60)} == {1}


def test_dialogues_are_joined_and_taken_apart():
    rng = np.random.default_rng(0)
    options = SampleOptions(turns=5)
    parts = [draw_dialogue(rng, options, LEXICON, neutral_bias=2.0).turns for _ in range(3)]
    joined = join_turns(parts)
    assert len(joined) == 15
    back = take_turns(joined, np.arange(5, 10))
    for field in fields(Turns):
        assert np.array_equal(getattr(back, field.name), getattr(parts[1], field.name))
