import pytest

from dataset_script.corpus import Kemdy19Corpus, Kemdy20Corpus, open_corpus
from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport, CorpusError

from .corpus_files import make_segments, make_segments19, write_corpus, write_corpus19


def _read(root, *, config="kemdy19", role="speaker"):
    report = BuildReport(config)
    return list(open_corpus(config, CorpusFolder(root), report, role=role)), report


@pytest.fixture
def corpus(tmp_path):
    return write_corpus19(tmp_path / "KEMDy19_v1_3", make_segments19(3))


def test_each_config_has_its_reader(corpus, tmp_path):
    write_corpus(tmp_path / "KEMDy20", make_segments(3))
    folder = CorpusFolder(tmp_path)  # both below one root
    for config, reader, rows in (("kemdy19", Kemdy19Corpus, 24), ("kemdy20", Kemdy20Corpus, 24)):
        report = BuildReport(config)
        opened = open_corpus(config, folder, report)
        assert type(opened) is reader and len(list(opened)) == rows and report.problems == []


def test_records_of_kemdy19_come_in_row_order_with_their_files(corpus):
    records, report = _read(corpus.root)
    assert [r.annotation.segment_id for r in records] == [s.segment_id for s in corpus.segments]
    assert [r.wav for r in records] == [corpus.wav(s).read_bytes() for s in corpus.segments]
    assert [r.transcript for r in records] == [s.text for s in corpus.segments]
    assert report.problems == [] and report.rows_in == len(corpus.segments)


def test_speaker_and_listener_are_never_both_there(corpus):
    for role, emotion in (("speaker", "neutral"), ("listener", "sad")):
        records, _ = _read(corpus.root, role=role)
        assert {r.annotation.ratings.emotions for r in records} == {(emotion,)}
        assert len(records) == len({r.annotation.segment_id for r in records}) == 24


def test_kemdy20_has_no_labels_of_listeners(tmp_path):
    write_corpus(tmp_path, make_segments(3))
    with pytest.raises(CorpusError, match="`role` is 'listener' for kemdy20; allowed are speaker"):
        _read(tmp_path, config="kemdy20", role="listener")


def test_utf8_that_cp949_would_read_too_stays_utf8(tmp_path):
    segments = make_segments19(3)
    for segment in segments:
        segment.text = "각나"
    write_corpus19(tmp_path, segments)
    records, report = _read(tmp_path)
    assert {r.transcript for r in records} == {"각나"} and report.problems == []


def test_wavs_need_not_be_as_long_as_the_annotation_says(corpus):
    records, report = _read(corpus.root)  # rows say 1.375 s, wavs last 0.1 s
    assert {r.facts.duration for r in records} == {0.1} and report.problems == []


def test_a_row_whose_wav_has_another_name_gets_the_only_unused_one(tmp_path):
    segments = make_segments19(3)
    last = next(
        s for s in segments if (s.session, s.scene, s.gender, s.number) == (2, "impro01", "F", 2)
    )
    last.name_in_f, last.name_in_m = "Sess02_impro01_M031", "Sess02_impro01_F031"
    last.votes = ("happy",) * 10
    corpus = write_corpus19(tmp_path, segments)
    records, report = _read(tmp_path)
    assert [r.annotation.segment_id for r in records] == [s.segment_id for s in corpus.segments]
    found = next(r for r in records if r.annotation.segment_id == last.segment_id)
    assert found.annotation.ratings.emotions == ("happy",)
    assert found.wav == corpus.wav(last).read_bytes() and found.annotation.turn == 2
    (problem,) = report.problems
    assert problem.kind == "repaired_segment" and problem.rows_dropped == 0
    assert problem.place == "annotation/Session02_M_res.csv:9"


def test_no_wav_is_given_away_in_a_session_that_lost_a_row(tmp_path):
    segments = make_segments19(3)
    segments[0].name_in_f = segments[0].name_in_m = "Sess01_script01_F031"
    segments[5].name_in_f = segments[5].name_in_m = "nothing"
    write_corpus19(tmp_path, segments)
    records, report = _read(tmp_path)
    assert len(records) == 22 and report.rows_dropped == 2
    assert sorted(report.count_problems()) == ["bad_row", "missing_wav", "unknown_wav"]


def test_no_other_wav_is_taken_for_a_lost_one_whose_transcript_is_there(corpus):
    lost = corpus.segments[2]
    corpus.wav(lost).rename(corpus.wav(lost).with_name("Sess01_script01_F009.wav"))
    records, report = _read(corpus.root)
    assert len(records) == 23 and report.rows_dropped == 1
    assert sorted(report.count_problems()) == ["missing_wav", "unknown_wav"]


def test_a_misnamed_transcript_is_found(corpus):
    segment = corpus.segments[3]  # Sess01_script01_M002
    corpus.txt(segment).rename(corpus.txt(segment).with_name("Sess01_script01_M003.txt"))
    records, report = _read(corpus.root)
    assert records[3].transcript == segment.text and report.missing_transcripts == 0
    (problem,) = report.problems
    assert problem.kind == "misnamed_transcript" and problem.file.endswith("_M003.txt")


def test_a_transcript_that_may_be_anyones_is_nobodys(corpus):
    segment = corpus.segments[3]
    corpus.txt(segment).rename(corpus.txt(segment).with_name("Sess01_script01_M009.txt"))
    records, report = _read(corpus.root)
    assert records[3].transcript == "" and report.missing_transcripts == 1
    assert sorted(report.count_problems()) == ["missing_transcript", "unknown_transcript"]


def test_rows_of_one_name_in_both_files_are_dropped_and_named(tmp_path):
    segments = make_segments19(3)
    segments[2].name_in_f = segments[2].name_in_m = segments[0].segment_id
    write_corpus19(tmp_path, segments)
    records, report = _read(tmp_path)
    assert report.rows_in == len(records) + report.rows_dropped and report.rows_dropped == 2
    assert report.count_problems()["repeated_segment"] == 2
