import io
import struct

import pytest
import soundfile

from dataset_script.audio import BadWavError, inspect_wav

from .corpus_files import encode_wav

SAMPLES = (0, 1, -1, 0) * 2000
WHOLE = encode_wav(SAMPLES)


def test_a_whole_wav_is_measured_as_libsndfile_measures_it():
    facts = inspect_wav(WHOLE)
    assert facts.duration == len(SAMPLES) / 16_000 == soundfile.info(io.BytesIO(WHOLE)).duration
    assert not facts.is_silent


def test_silence_is_zeros_and_nothing_else():
    assert inspect_wav(encode_wav([0] * 100)).is_silent
    assert not inspect_wav(encode_wav([0] * 99 + [1])).is_silent
    assert not inspect_wav(encode_wav([256] + [0] * 99)).is_silent


def test_a_long_wav_is_kept():
    assert inspect_wav(encode_wav([1] * 16_000 * 77)).duration == 77.0


@pytest.mark.parametrize("missing", [1, 2, 100, 15_000])
def test_a_cut_off_wav_is_told_from_a_short_one(missing):
    with pytest.raises(BadWavError, match="is cut off: its header promises 8000 samples") as caught:
        inspect_wav(WHOLE[:-missing])
    assert caught.value.kind == "truncated_wav"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "unreadable_wav"),
        (b"RIFF", "unreadable_wav"),
        (WHOLE[:30], "unreadable_wav"),
        (b"ID3\x04" + bytes(1000), "unreadable_wav"),
        (WHOLE[:20] + struct.pack("<H", 3) + WHOLE[22:], "wav_format"),  # IEEE float
        (encode_wav([]), "empty_wav"),
        (encode_wav(SAMPLES, rate=44_100), "wav_format"),
        (encode_wav(SAMPLES, channels=2), "wav_format"),
        (encode_wav([0, 1], width=4), "wav_format"),
    ],
)
def test_what_cannot_be_a_row_is_told_by_kind(content, kind):
    with pytest.raises(BadWavError) as caught:
        inspect_wav(content)
    assert caught.value.kind == kind and len(str(caught.value)) > 10


def test_chunks_before_and_behind_the_samples_mean_nothing():
    extra = b"LIST" + struct.pack("<I", 5) + b"notes\0"
    content = WHOLE[:36] + extra + WHOLE[36:] + extra
    assert inspect_wav(content) == inspect_wav(WHOLE)


def test_no_damage_to_a_header_escapes():
    for position in range(44):
        for value in (0, 127, 255):
            try:
                inspect_wav(WHOLE[:position] + bytes([value]) + WHOLE[position + 1 :])
            except BadWavError:
                continue
    for end in range(44):
        with pytest.raises(BadWavError):
            inspect_wav(WHOLE[:end])
