import ast
import doctest
from pathlib import Path

import numpy as np
import pytest

from dataset_script.layout import SAMPLING_RATE
from dataset_script.sample import speech
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.parameters import PROSODY
from dataset_script.sample.speech import (
    VOICES,
    Delivery,
    deal_voices,
    deliver,
    find_espeak,
    parse_voice,
    refuse_unknown_voices,
    speak,
)

from .written import write_failing_espeak

ENCODERS = Path(__file__).resolve().parents[3] / "demo_encoders" / "make_encoders.py"
LINE = load_lexicon().cues["nothing"][0].ko
FRAME, HOP = 960, 320  # samples: 60 and 20 ms
LAGS = np.arange(SAMPLING_RATE // 400, SAMPLING_RATE // 50)  # 50 to 400 Hz


def _encoder_voices():
    for node in ast.parse(ENCODERS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VOICES":
            return tuple(node.value.func.value.value.split())
    raise AssertionError(f"{ENCODERS} has no VOICES")


def _level(samples):
    return np.sqrt(np.square(samples, dtype=float).mean())


def _pitches(samples):
    """F0 in Hz of the frames that are loud and periodic, by normalised autocorrelation."""
    samples = samples.astype(float)
    found = []
    for start in range(0, len(samples) - FRAME - LAGS[-1], HOP):
        frame = samples[start : start + FRAME]
        if _level(frame) < _level(samples) / 2:
            continue
        later = np.stack([samples[start + lag : start + lag + FRAME] for lag in LAGS])
        peaks = later @ frame / np.sqrt(np.square(later).sum(1) * np.square(frame).sum() + 1e-9)
        first = np.flatnonzero(peaks > 0.85 * peaks.max())[0]  # not its octaves
        while first + 1 < len(peaks) and peaks[first + 1] > peaks[first]:
            first += 1
        if peaks[first] > 0.5:
            found.append(SAMPLING_RATE / LAGS[first])
    return np.array(found)


def _spoken_along(dimension, *, voice):
    """The line spoken at four values of one prosody number, the others 0."""
    place = np.eye(4)[PROSODY.index(dimension)]
    return [speak(LINE, deliver(voice, value * place)) for value in (-1.2, -0.4, 0.4, 1.2)]


def _rises(values, *, by):
    steps = np.diff(np.log(values))
    return (steps > 0).all() and steps.sum() > np.log(by)


@pytest.mark.parametrize("voice", ["m3", "f2"])
class TestProsodyOnTheSound:
    def test_pitch_raises_the_median_f0(self, voice):
        spoken = _spoken_along("pitch", voice=voice)
        assert _rises([np.median(_pitches(samples)) for samples in spoken], by=1.3)
        durations = [len(samples) for samples in spoken]
        assert max(durations) < 1.06 * min(durations)

    def test_rate_shortens_the_line(self, voice):
        spoken = _spoken_along("rate", voice=voice)
        assert _rises([1 / len(samples) for samples in spoken], by=1.6)
        medians = [np.median(_pitches(samples)) for samples in spoken]
        assert max(medians) < 1.05 * min(medians)

    def test_range_widens_the_f0(self, voice):
        spreads = []
        for samples in _spoken_along("range", voice=voice):
            low, high = np.percentile(_pitches(samples), [10, 90])
            spreads.append(np.log(high / low))
        assert _rises(spreads, by=2)

    def test_loudness_raises_the_level(self, voice):
        spoken = _spoken_along("loudness", voice=voice)
        assert _rises([_level(samples) for samples in spoken], by=1.8)
        assert len({len(samples) for samples in spoken}) == 1


def test_speech_is_16_bit_at_16_khz_and_always_the_same():
    delivery = deliver("m1", np.zeros(4))
    first, again = speak(LINE, delivery), speak(LINE, delivery)
    assert first.dtype == np.int16 and first.ndim == 1
    assert np.array_equal(first, again)
    assert 0.5 < len(first) / SAMPLING_RATE < 4
    assert 1000 < np.abs(first).max() < 32767
    # Half the rate of what was asked for would put the voice an octave lower.
    assert 80 < np.median(_pitches(first)) < 160


def test_what_would_be_markup_is_spoken():
    delivery = deliver("m1", np.zeros(4))
    plain = speak("가 나다라마 바", delivery)
    assert len(speak("가 <나다라마> 바", delivery)) > len(plain)
    assert len(speak("가 &lt; 나", delivery)) > len(speak("가 < 나", delivery))
    assert len(speak("가 & 나", delivery)) > len(speak("가 나", delivery))


def test_prosody_becomes_settings_within_their_limits():
    assert deliver("f:Annie", np.zeros(4)) == Delivery("Annie", 50, 200, 100, 90)
    assert deliver("m2", np.full(4, 99.0)) == Delivery("m2", 99, 400, 300, 200)
    assert deliver("m2", np.full(4, -99.0)) == Delivery("m2", 1, 90, 20, 30)
    lively = deliver("m2", np.array([1.0, -1.0, 1.0, -1.0]))
    assert lively == Delivery("m2", 68, 157, 182, 63)


def test_a_voice_has_a_gender_and_a_variant():
    assert parse_voice("m3") == ("M", "m3")
    assert parse_voice("f5") == ("F", "f5")
    assert parse_voice("f:Annie") == ("F", "Annie")
    assert parse_voice("m:Mr serious") == ("M", "Mr serious")


@pytest.mark.parametrize("voice", ["Annie", "x:Annie", "f:", ":Annie", "m9", ""])
def test_a_voice_without_a_gender_is_refused(voice):
    with pytest.raises(ValueError, match=f"`voices` has '{voice}'; allowed are m1, f1"):
        parse_voice(voice)


@pytest.mark.parametrize("pools", [1, 2, 3, 4, 5, 6])
def test_every_voice_is_dealt_to_one_pool(pools):
    dealt = deal_voices(VOICES, pools)
    assert len(dealt) == pools and min(map(len, dealt)) >= 2
    assert sorted(voice for pool in dealt for voice in pool) == sorted(VOICES)
    assert doctest.testmod(speech).failed == 0


def test_voices_that_cannot_be_dealt_are_refused():
    with pytest.raises(ValueError, match="`voices` has 13 voices for 7 folds; .* give 14 voices"):
        deal_voices(VOICES, 7)
    with pytest.raises(ValueError, match="`voices` has 'm1' more than once"):
        deal_voices(("m1", "f1", "m2", "m1"), 2)
    with pytest.raises(ValueError, match="`voices` has 'm1' more than once"):
        deal_voices(("m1", "f1", "m2", "m:m1"), 2)
    with pytest.raises(ValueError, match="`voices` has 'Annie'; allowed are"):
        deal_voices(("m1", "Annie"), 1)


def test_the_shipped_encoders_learned_from_other_voices_and_all_sound_apart():
    theirs = _encoder_voices()
    assert len(theirs) > 30
    assert not {parse_voice(voice)[1] for voice in theirs} & {parse_voice(v)[1] for v in VOICES}
    refuse_unknown_voices(VOICES + theirs)


@pytest.mark.parametrize(
    ("voices", "message"),
    [
        (("m1", "f:Nobody"), "'f:Nobody', which sounds like espeak-ng's plain voice"),
        (("m1", "f1", "m:m1"), "'m:m1', which sounds like 'm1'"),
    ],
)
def test_a_voice_that_espeak_lacks_is_refused(voices, message):
    with pytest.raises(ValueError, match=message):
        refuse_unknown_voices(voices)


def test_without_espeak_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for attempt in (find_espeak, lambda: speak(LINE, deliver("m1", np.zeros(4)))):
        with pytest.raises(RuntimeError, match="`espeak-ng` .*not installed; .*apt-get install"):
            attempt()


def test_a_failing_espeak_is_quoted(tmp_path, monkeypatch):
    write_failing_espeak(tmp_path / "bin", on="나쁜")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    delivery = deliver("m1", np.zeros(4))
    assert len(speak("좋은 말", delivery))
    with pytest.raises(RuntimeError, match="failed on '나쁜 말' with voice 'm1': no voice left"):
        speak("나쁜 말", delivery)


def test_an_espeak_that_writes_no_sound_is_named(tmp_path, monkeypatch):
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="failed on '말' with voice 'm1': exit status 0"):
        speak("말", deliver("m1", np.zeros(4)))
