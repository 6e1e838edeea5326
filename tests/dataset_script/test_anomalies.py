"""Every known fault of the delivered corpora, planted alone, from the files to the records."""

import csv

import pytest

from dataset_script.corpus import open_corpus
from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport

from .corpus_files import (
    Segment,
    encode_wav,
    join_rows,
    make_segments,
    make_segments19,
    write_corpus,
    write_corpus19,
)

TWO_WAY = ("happy", "neutral") * 5
FIVE_WAY = ("sad", "neutral", "fear", "happy", "angry") * 2


def _read(root, config):
    report = BuildReport(config)
    records = list(open_corpus(config, CorpusFolder(root), report))
    assert report.rows_in == len(records) + report.rows_dropped
    return records, report


@pytest.fixture(params=["kemdy19", "kemdy20"])
def config(request):
    return request.param


def _write(root, config, *, spoil=lambda segments: None, **options):
    segments = make_segments19(3) if config == "kemdy19" else make_segments(3)
    spoil(segments)
    return (write_corpus19 if config == "kemdy19" else write_corpus)(root, segments, **options)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [False, True])
def test_line_ends_and_byte_order_marks_change_nothing(tmp_path, config, newline, bom):
    corpus = _write(tmp_path, config, newline=newline, bom=bom)
    records, report = _read(tmp_path, config)
    assert [r.annotation.segment_id for r in records] == [s.segment_id for s in corpus.segments]
    assert report.problems == report.notes == []


@pytest.mark.parametrize(
    ("votes", "emotions"),
    [(TWO_WAY, ("neutral", "happy")), (FIVE_WAY, ("angry", "fear", "neutral", "sad", "happy"))],
)
def test_ties_are_several_emotions_and_no_fault(tmp_path, config, votes, emotions):
    def spoil(segments):
        segments[0].votes = votes

    _write(tmp_path, config, spoil=spoil)
    records, report = _read(tmp_path, config)
    assert records[0].annotation.ratings.emotions == emotions and report.problems == []


def test_misspelt_disgust_is_read_and_noted(tmp_path):
    segments = make_segments(3)
    segments[2].votes, segments[2].total = ("disgust",) * 10, "disqust"
    write_corpus(tmp_path, segments)
    records, report = _read(tmp_path, "kemdy20")
    assert records[2].annotation.ratings.emotions == ("disgust",) and report.problems == []
    (note,) = report.notes
    assert (note.kind, note.place) == ("label_spelling", "annotation/Sess01_eval.csv:5")
    assert note.message == "disqust was read as disgust"


def test_a_long_and_a_silent_wav_are_kept(tmp_path, config):
    corpus = _write(tmp_path, config)
    corpus.wav(corpus.segments[0]).write_bytes(encode_wav([1] * 16_000 * 77))
    corpus.wav(corpus.segments[1]).write_bytes(encode_wav([0] * 16_000))
    records, report = _read(tmp_path, config)
    assert records[0].facts.duration == 77.0 and records[1].facts.is_silent
    assert len(records) == 24 and report.problems == []
    assert [note.kind for note in report.notes] == ["long_wav", "silent_wav"]


def test_transcripts_may_be_missing_or_nothing_but_marks(tmp_path, config):
    def spoil(segments):
        segments[0].text, segments[1].text, segments[2].text = None, "l/ b/ (응)", ""

    corpus = _write(tmp_path, config, spoil=spoil)
    records, report = _read(tmp_path, config)
    assert [record.transcript for record in records[:3]] == ["", "l/ b/ (응)", ""]
    assert [problem.kind for problem in report.problems] == ["missing_transcript"]
    assert [(note.kind, note.file.rsplit("/", 1)[1]) for note in report.notes] == [
        ("marks_only", corpus.txt(corpus.segments[1]).name),
        ("empty_transcript", corpus.txt(corpus.segments[2]).name),
    ]


def test_users_are_read_and_not_computed(tmp_path):
    users = {12: (81, 82), 17: (83, 84)}
    segments = [
        Segment(
            session,
            1,
            user=users.get(session, (2 * session - 1, 2 * session))[who],
            gender="F",
            number=1,
        )
        for session in (11, 12, 17)
        for who in (0, 1)
    ]
    write_corpus(tmp_path, segments)
    records, report = _read(tmp_path, "kemdy20")
    assert [record.annotation.speaker for record in records] == [
        "Sess11_User021F",
        "Sess11_User022F",
        "Sess12_User081F",
        "Sess12_User082F",
        "Sess17_User083F",
        "Sess17_User084F",
    ]
    assert report.problems == []  # two women in each session stay two people


def test_turns_that_overlap_keep_the_order_of_their_rows(tmp_path, config):
    corpus = _write(tmp_path, config)
    genders = "FM" if config == "kemdy19" else " "
    for gender in genders:
        path = corpus.annotation(1, gender) if config == "kemdy19" else corpus.annotation(1)
        rows = list(csv.reader(path.read_text().splitlines()))
        rows[2][1:3], rows[3][1:3] = ["0.5", "9.75"], ["2.25", "4.5"]  # the second ends first
        path.write_text(join_rows(rows))
    records, report = _read(tmp_path, config)
    assert [r.annotation.segment_id for r in records] == [s.segment_id for s in corpus.segments]
    assert [r.annotation.turn for r in records[:4]] == [0, 1, 2, 3] and report.problems == []


def test_a_foreign_session_prefix_is_that_of_the_file(tmp_path, config):
    def spoil(segments):
        wrong = segments[0].segment_id.replace("Sess01", "Sess42")
        if config == "kemdy19":
            segments[0].name_in_f = segments[0].name_in_m = wrong
        else:
            segments[0].written_id = wrong

    corpus = _write(tmp_path, config, spoil=spoil)
    records, report = _read(tmp_path, config)
    assert records[0].annotation.segment_id == corpus.segments[0].segment_id
    assert {problem.kind for problem in report.problems} == {"session_prefix"}
    assert report.rows_dropped == 0 and len(records) == 24
