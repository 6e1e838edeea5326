import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dataset_script.layout import EMOTIONS
from dataset_script.sample.generative import LINE_KINDS, expected_prosody
from dataset_script.sample.lexicon import EVENTS, MIXED_PAIRS, load_lexicon
from dataset_script.sample.parameters import Parameters
from dataset_script.sample.session import SampleOptions, draw_session
from dataset_script.sample.speech import VOICES, deal_voices, parse_voice
from dataset_script.sample.translator import translate_dialogue

LEXICON = load_lexicon()


def _draw(number=1, **options):
    return draw_session(number, SampleOptions(**options), LEXICON, neutral_bias=2.0)


def _visible(session):
    return (
        session.segment_ids,
        session.lines,
        session.renderings,
        session.prosody.tolist(),
        session.votes.tolist(),
        session.ratings.tolist(),
        [(speaker.user, speaker.voice) for speaker in session.speakers],
    )


def test_seed_and_number_decide_a_session():
    first = _visible(_draw(seed=3))
    assert first == _visible(_draw(seed=3))
    assert first == _visible(_draw(seed=3, sessions=99))
    for other in (_draw(seed=4), _draw(number=2, seed=3)):
        assert all(mine != theirs for mine, theirs in zip(first, _visible(other), strict=True))


def test_two_speakers_with_their_own_numbers_voices_and_habits():
    for number in (1, 2, 7, 120):
        session = _draw(number)
        speakers = {speaker.user: speaker for speaker in session.speakers}
        assert set(speakers) == {2 * number - 1, 2 * number}
        one, two = speakers.values()
        assert one.voice != two.voice
        assert not np.array_equal(one.habits, two.habits)
        for speaker in session.speakers:
            assert speaker is speakers[speaker.user]
            assert speaker.gender == parse_voice(speaker.voice)[0] == speaker.voice[0].upper()


def test_voices_come_from_the_pool_of_the_fold():
    for folds in (3, 5):
        pools = deal_voices(VOICES, folds)
        heard = [set() for _ in pools]
        for number in range(1, 31):
            speakers = _draw(number, turns=4, folds=folds).speakers
            heard[(number - 1) % folds] |= {speaker.voice for speaker in speakers}
        assert [sorted(voices) for voices in heard] == [sorted(pool) for pool in pools]


def test_utterances_are_counted_by_speaker_and_dialogue():
    session = _draw(3, turns=30)
    counts = Counter()
    for turn, (name, speaker) in enumerate(zip(session.segment_ids, session.speakers, strict=True)):
        script = turn // 30 + 1
        counts[script, speaker.user] += 1
        number = counts[script, speaker.user]
        user = f"User{speaker.user:03d}{speaker.gender}"
        assert name == f"Sess03_script{script:02d}_{user}_{number:03d}"
    assert len(set(session.segment_ids)) == 180 == len(session.turns)


def test_speakers_mostly_take_turns():
    changes = []
    for number in range(1, 21):
        users = np.reshape([speaker.user for speaker in _draw(number).speakers], (6, 20))
        changes += list(users[:, 1:] != users[:, :-1])
    assert np.mean(changes) == pytest.approx(0.85, abs=0.03)


def test_every_line_says_what_was_drawn_for_it():
    by_kind = {
        "cue": [LEXICON.cues[event] for event in EVENTS],
        "emotion": [LEXICON.emotions[name] for name in EMOTIONS],
        "mixed": [LEXICON.mixed[pair] for pair in MIXED_PAIRS],
        "filler": [LEXICON.filler],
        "ambiguous": [LEXICON.ambiguous],
    }
    spoken = {kind: Counter() for kind in LINE_KINDS}
    for number in range(1, 41):
        session = _draw(number)
        for turn, line in enumerate(session.lines):
            kind = LINE_KINDS[session.turns.line_kind[turn]]
            choices = by_kind[kind][max(0, session.turns.line_topic[turn])]
            assert line in {choice.ko for choice in choices}
            spoken[kind][line] += 1
    for kind, groups in by_kind.items():  # and every line of the lexicon is in use
        assert set(spoken[kind]) == {line.ko for group in groups for line in group}


def test_english_is_rendered_dialogue_by_dialogue():
    session = _draw(turns=9)
    assert len(session.renderings) == 54
    for start in range(0, 54, 9):
        lines = session.lines[start : start + 9]
        assert session.renderings[start : start + 9] == translate_dialogue(
            LEXICON, lines, cue_window=3
        )


def test_a_narrow_window_hides_cues():
    seen = _draw(seed=1).renderings
    hidden = _draw(seed=1, parameters=Parameters(cue_window=0)).renderings
    assert [r.literal for r in seen] == [r.literal for r in hidden]
    assert all(r.contextual == r.literal for r in hidden)
    assert not all(r.contextual == r.literal for r in seen)


def test_prosody_carries_the_speakers_habits():
    quiet = Parameters(prosody_noise_sd=(0.0, 0.0, 0.0, 0.0))
    session = _draw(parameters=quiet)
    habits = np.stack([speaker.habits for speaker in session.speakers])
    assert np.allclose(session.prosody, expected_prosody(quiet, session.turns) + habits)


def test_speakers_differ_as_much_as_the_model_says():
    habits = [
        next(speaker.habits for speaker in _draw(number, turns=1).speakers)
        for number in range(1, 601)
    ]
    assert np.allclose(np.std(habits, axis=0), Parameters().speaker_sd, rtol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sessions": 0}, "`sessions` is 0; it must be 1 or more"),
        ({"turns": 0}, "`turns` is 0"),
        ({"folds": 0}, "`folds` is 0"),
        ({"seed": -1}, "`seed` is -1; it must be 0 or more"),
        ({"folds": 7}, "`voices` has 13 voices for 7 folds"),
        ({"voices": ("m1", "m1"), "folds": 1}, "`voices` has 'm1' more than once"),
        ({"voices": ("m1", "bob"), "folds": 1}, "`voices` has 'bob'"),
    ],
)
def test_options_that_make_no_corpus_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SampleOptions(**options)
    with pytest.raises(ValueError, match=message):
        replace(SampleOptions(), **options)


def test_a_hundred_sessions_are_drawn_in_seconds():
    started = time.process_time()
    turns = sum(len(_draw(number).lines) for number in range(1, 101))
    assert turns == 12_000
    assert time.process_time() - started < 10


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="`layout` is 'kemdy21'; allowed are kemdy20, kemdy19"):
        SampleOptions(layout="kemdy21")


def test_anomalies_bring_bio_signals_and_need_recordings():
    assert not SampleOptions().has_bio and SampleOptions(bio=True).has_bio
    assert SampleOptions(anomalies=True).has_bio
    with pytest.raises(ValueError, match="`recordings` is False and `anomalies` is True"):
        SampleOptions(anomalies=True, recordings=False)
