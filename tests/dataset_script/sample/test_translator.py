import pytest

from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.translator import translate_dialogue

LEXICON = load_lexicon()
GOOD, LOSS = LEXICON.cues["good"][0], LEXICON.cues["loss"][2]
FILLER = LEXICON.filler[0]
WELL_DONE = LEXICON.ambiguous[0]


def _contextual(lines, *, cue_window=3):
    renderings = translate_dialogue(LEXICON, [line.ko for line in lines], cue_window=cue_window)
    return [rendering.contextual for rendering in renderings]


def test_a_line_with_one_sense_has_it_everywhere():
    lines = [GOOD, FILLER, LEXICON.emotions["sad"][1], LEXICON.mixed["fear", "sad"][0]]
    renderings = translate_dialogue(LEXICON, [line.ko for line in lines], cue_window=3)
    assert [rendering.literal for rendering in renderings] == [line.en for line in lines]
    assert [rendering.contextual for rendering in renderings] == [line.en for line in lines]


def test_the_cue_in_sight_decides_the_sense():
    for event, cues in LEXICON.cues.items():
        for cue in cues:
            assert _contextual([cue, WELL_DONE]) == [cue.en, WELL_DONE.senses[event]]
    literal = translate_dialogue(LEXICON, [GOOD.ko, WELL_DONE.ko], cue_window=3)[1].literal
    assert literal == WELL_DONE.literal


def test_a_cue_is_seen_as_far_as_the_window_and_no_further():
    lines = [GOOD, FILLER, FILLER, WELL_DONE, WELL_DONE]
    assert _contextual(lines)[3:] == [WELL_DONE.senses["good"], WELL_DONE.literal]
    assert _contextual(lines, cue_window=2)[3] == WELL_DONE.literal
    assert _contextual([GOOD, WELL_DONE], cue_window=0)[1] == WELL_DONE.literal


def test_the_nearest_cue_wins_and_a_later_one_is_not_seen():
    assert _contextual([GOOD, LOSS, WELL_DONE])[2] == WELL_DONE.senses["loss"]
    assert _contextual([WELL_DONE, LOSS])[0] == WELL_DONE.literal


def test_a_line_from_elsewhere_is_refused():
    with pytest.raises(ValueError, match=r"`lines\[1\]` is '없는 말', which is not in the lexicon"):
        translate_dialogue(LEXICON, [GOOD.ko, "없는 말"], cue_window=3)
