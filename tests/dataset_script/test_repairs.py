import pytest

from dataset_script.pairs import SegmentPair
from dataset_script.repairs import find_misnamed_transcript, find_unused_wav


def _pairs(*names, name_in_f=None):
    return [
        SegmentPair(f"Sess04_impro03_{n}", 4, "Sess04_impro03", turn, name_in_f, {}, {})
        for turn, n in enumerate(names)
    ]


def _stems(*names):
    return [f"Sess04_impro03_{name}" for name in names]


def test_the_only_unused_wav_is_that_of_the_only_row_without():
    pairs = _pairs("F001", "M001", "F031")
    assert find_unused_wav(pairs, _stems("F001", "F002", "M001")) == (
        pairs[2],
        "Sess04_impro03_F002",
    )


def test_either_file_may_tell_the_gender():
    pairs = _pairs("F001", "F031", name_in_f="Sess04_impro03_M031")
    assert find_unused_wav(pairs, _stems("F001", "M002"))[1] == "Sess04_impro03_M002"


@pytest.mark.parametrize(
    ("rows", "wavs"),
    [
        (("F001", "F031"), ("F001",)),  # nothing is unused
        (("F001", "F002"), ("F001", "F002")),  # nothing is missing
        (("F001", "F031"), ("F001", "F002", "F003")),  # either may be meant
        (("F001", "F031", "F032"), ("F001", "F002")),  # either may claim it
        (("F001", "F001", "F031"), ("F001", "F002")),  # the repeated row may claim it
        (("F001", "F031"), ("F001", "M002")),  # another person speaks in it
    ],
)
def test_nothing_is_guessed_about_wavs(rows, wavs):
    assert find_unused_wav(_pairs(*rows), _stems(*wavs)) is None


@pytest.mark.parametrize("spare", ["M015", "M017"])
def test_a_transcript_one_number_off_is_found(spare):
    found = find_misnamed_transcript(
        _stems("M014", "M016"), _stems("M014", spare), wavs=_stems("M014", "M016")
    )
    assert found == tuple(_stems("M016", spare))


@pytest.mark.parametrize(
    ("segments", "transcripts", "wavs"),
    [
        (("M016",), ("M018",), ("M016",)),  # two numbers off
        (("M016",), ("F015",), ("M016",)),  # the other speaker
        (("M016",), ("M015",), ("M015", "M016")),  # it belongs to a wav
        (("M016",), ("M015", "M017"), ("M016",)),  # either may be meant
        (("M014", "M016"), ("M015",), ("M014", "M016")),  # either may claim it
        (("M016",), ("M016", "M015"), ("M016",)),  # nothing is missing
    ],
)
def test_nothing_is_guessed_about_transcripts(segments, transcripts, wavs):
    found = find_misnamed_transcript(_stems(*segments), _stems(*transcripts), wavs=_stems(*wavs))
    assert found is None
