import shutil

import pytest

from dataset_script.corpus import Kemdy20Corpus
from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport, CorpusError

from .corpus_files import Segment, encode_wav, make_segments, write_corpus


def _open(root):
    report = BuildReport("kemdy20")
    return Kemdy20Corpus(CorpusFolder(root), report), report


def _read(root):
    corpus, report = _open(root)
    return list(corpus), report


def _kinds(report):
    return [problem.kind for problem in report.problems]


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "KEMDy20", make_segments(3))


def test_records_come_in_the_order_of_the_annotation(corpus):
    records, report = _read(corpus.root)
    assert [r.annotation.segment_id for r in records] == [s.segment_id for s in corpus.segments]
    assert [r.wav for r in records] == [corpus.wav(s).read_bytes() for s in corpus.segments]
    assert [r.transcript for r in records] == [s.text for s in corpus.segments]
    assert report.problems == [] and report.rows_in == len(corpus.segments)


def test_row_order_stands_against_file_names(tmp_path):
    segments = make_segments(3)[::-1]  # utterance 2 before utterance 1, script02 before script01
    write_corpus(tmp_path, segments)
    records, _ = _read(tmp_path)
    first = [r.annotation for r in records if r.annotation.session == 1]
    assert [a.segment_id for a in first] == [s.segment_id for s in segments if s.session == 1]
    assert [a.turn for a in first] == [0, 1, 2, 3] * 2


def test_sessions_come_by_number_even_beyond_99(tmp_path):
    write_corpus(tmp_path, [Segment(s, 1, user=s, gender="F", number=1) for s in (100, 9, 20)])
    records, _ = _read(tmp_path)
    assert [r.annotation.session for r in records] == [9, 20, 100]


def test_a_nested_renamed_root_and_upper_case_extensions_are_found(corpus, tmp_path):
    root = tmp_path / "unpacked"
    shutil.copytree(corpus.root, root / "my copy" / "v1_2")
    for path in sorted(root.rglob("*.*")):
        if path.suffix in (".wav", ".txt", ".csv"):
            path.rename(path.with_suffix(path.suffix.upper()))
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "Sess09_eval.csv").write_text("junk")
    (root / "my copy" / "v1_2" / "annotation" / "._Sess01_eval.csv").write_bytes(b"\x00\x05")
    for folder in (root, root / "my copy"):
        (folder / "notes.txt").write_text("junk")
        (folder / "music.wav").write_text("junk")
    records, report = _read(root)
    assert len(records) == len(corpus.segments) and report.problems == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (None, "missing_wav"),
        (b"RIFF", "unreadable_wav"),
        (encode_wav([1] * 100)[:-20], "truncated_wav"),
        (encode_wav([]), "empty_wav"),
        (encode_wav([1] * 100, rate=8_000), "wav_format"),
    ],
)
def test_a_broken_wav_is_named_and_the_rest_stands(corpus, content, kind):
    broken = corpus.segments[5]
    path = corpus.wav(broken)
    path.unlink() if content is None else path.write_bytes(content)
    records, report = _read(corpus.root)
    (problem,) = report.problems
    assert (problem.kind, problem.rows_dropped) == (kind, 1)
    assert problem.segment_id == broken.segment_id
    expected = "annotation/Sess01_eval.csv" if content is None else f"{broken.segment_id}.wav"
    assert problem.file.endswith(expected)
    kept = [s.segment_id for s in corpus.segments if s is not broken]
    assert [r.annotation.segment_id for r in records] == kept
    assert records[5].annotation.turn == 2  # the dropped row was turn 1 of its dialogue


def test_a_silent_wav_is_kept_and_flagged(corpus):
    corpus.wav(corpus.segments[0]).write_bytes(encode_wav([0] * 1600))
    records, report = _read(corpus.root)
    assert [r.facts.is_silent for r in records[:2]] == [True, False] and report.problems == []
    (note,) = report.notes
    assert note.kind == "silent_wav" and note.file.endswith(corpus.wav(corpus.segments[0]).name)


def test_a_wav_of_77_seconds_is_kept_whole_and_noted(corpus):
    path = corpus.wav(corpus.segments[1])
    path.write_bytes(encode_wav([1] * 16_000 * 77))
    records, report = _read(corpus.root)
    assert records[1].facts.duration == 77.0 and records[1].wav == path.read_bytes()
    assert report.problems == [] and [note.kind for note in report.notes] == ["long_wav"]


def test_a_transcript_without_row_and_wav_is_named(corpus):
    corpus.txt(corpus.segments[0]).with_name("Sess01_script06_User001F_009.txt").write_text("x")
    records, report = _read(corpus.root)
    assert _kinds(report) == ["unknown_transcript"] and len(records) == len(corpus.segments)


def test_missing_and_unreadable_transcripts_are_empty_and_named(corpus):
    corpus.txt(corpus.segments[0]).unlink()
    corpus.txt(corpus.segments[1]).write_bytes(b"\xff\xff")
    records, report = _read(corpus.root)
    assert [r.transcript for r in records[:3]] == ["", "", corpus.segments[2].text]
    assert _kinds(report) == ["missing_transcript", "unreadable_transcript"]
    assert [p.file.rsplit("/", 1)[1] for p in report.problems] == [
        f"{s.segment_id}.txt" for s in corpus.segments[:2]
    ]
    assert report.missing_transcripts == 2 and report.rows_dropped == 0


@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig"])
def test_each_encoding_of_a_corpus_is_read(tmp_path, encoding):
    segments = make_segments(3)
    for segment in segments:
        segment.encoding, segment.text = encoding, "각나 똠방각하"
    write_corpus(tmp_path, segments)
    records, report = _read(tmp_path)
    assert {r.transcript for r in records} == {"각나 똠방각하"} and report.problems == []


def test_one_transcript_in_another_encoding_is_read_and_named(corpus):
    odd = corpus.segments[3]
    corpus.txt(odd).write_bytes("똠방각하 웃겨".encode())
    records, report = _read(corpus.root)
    assert records[3].transcript == "똠방각하 웃겨"
    assert _kinds(report) == ["transcript_encoding"] and report.missing_transcripts == 0


def test_a_repeated_segment_is_dropped_and_named(corpus):
    path = corpus.annotation(2)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[4]]))
    records, report = _read(corpus.root)
    (problem,) = report.problems
    assert problem.kind == "repeated_segment" and problem.line == len(lines) + 1
    assert "line 5" in problem.message
    assert report.rows_in == len(records) + report.rows_dropped == len(corpus.segments) + 1


def test_copies_of_files_are_named_and_not_read(corpus):
    segment = corpus.segments[0]
    spare = corpus.root / "zz copies"
    spare.mkdir()
    (spare / corpus.wav(segment).name).write_bytes(b"junk")
    (spare / "Sess02_eval.csv").write_text("junk")
    records, report = _read(corpus.root)
    assert len(records) == len(corpus.segments)
    assert _kinds(report) == ["duplicate_file"] * 2
    assert all(problem.file.startswith("zz copies/") for problem in report.problems)


def test_copies_of_a_wav_without_a_row_are_named_as_such_too(corpus):
    name = corpus.wav(corpus.segments[0]).name.replace("_001.", "_099.")
    for folder in ("a", "b"):
        (corpus.root / folder).mkdir()
        (corpus.root / folder / name).write_bytes(b"junk")
    _, report = _read(corpus.root)
    assert sorted(_kinds(report)) == ["duplicate_file", "unknown_wav"]


def test_a_wav_without_a_row_is_named(corpus):
    stray = corpus.wav(corpus.segments[0]).with_name("Sess01_script06_User001F_009.wav")
    stray.write_bytes(encode_wav([1]))
    _, report = _read(corpus.root)
    assert _kinds(report) == ["unknown_wav"] and report.problems[0].file.endswith(stray.name)


def test_a_session_without_annotation_is_named_once(corpus):
    corpus.annotation(2).unlink()
    records, report = _read(corpus.root)
    assert {r.annotation.session for r in records} == {1, 3}
    (problem,) = report.problems
    assert problem.kind == "unannotated_session" and "8 wavs of session 2" in problem.message


def test_a_bad_row_is_one_problem_and_its_wav_none(corpus):
    line = corpus.edit_cell(corpus.segments[1], 4, "furious")
    _, report = _read(corpus.root)
    assert [p.place for p in report.problems] == [f"annotation/Sess01_eval.csv:{line}"]


def test_a_user_of_two_sessions_is_named(tmp_path):
    write_corpus(tmp_path, [Segment(s, 1, user=7, gender="F", number=1) for s in (1, 2)])
    _, report = _open(tmp_path)
    (problem,) = report.problems
    assert problem.kind == "shared_user" and "User007F also speaks in session 1" in problem.message


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="holds no annotation file of KEMDy20"):
        _open(tmp_path)


def test_a_version_without_recordings_is_refused(corpus):
    shutil.rmtree(corpus.root / "wav")
    with pytest.raises(CorpusError, match="comes with the recordings"):
        _open(corpus.root)


def test_annotations_without_a_usable_row_are_refused(corpus):
    for session in (1, 2, 3):
        corpus.annotation(session).write_text("a,b,c\n1,2,3\n")
    with pytest.raises(CorpusError, match="None of the 3 annotation file.*has 3 columns"):
        _open(corpus.root)


def test_files_that_the_system_cannot_read_are_named_and_the_rest_stands(corpus):
    wav, txt, other = corpus.segments[0], corpus.segments[1], corpus.segments[2]
    for path in (corpus.wav(wav), corpus.txt(txt)):
        path.unlink()
        path.symlink_to(corpus.root / "gone")
    (corpus.root / "wav" / "dangling.wav").symlink_to(corpus.root / "gone")
    records, report = _read(corpus.root)
    assert len(records) == len(corpus.segments) - 1
    assert records[0].annotation.segment_id == txt.segment_id and records[0].transcript == ""
    assert records[1].transcript == other.text
    assert sorted(_kinds(report)) == ["unreadable_transcript", "unreadable_wav"]
    assert (report.missing_transcripts, report.rows_dropped) == (1, 1)
    assert CorpusFolder(corpus.root).fingerprint()


def test_an_annotation_file_that_cannot_be_read_is_named(corpus):
    corpus.annotation(2).unlink()
    corpus.annotation(2).symlink_to(corpus.root / "gone")
    records, report = _read(corpus.root)
    assert {record.annotation.session for record in records} == {1, 3}
    assert "annotation_file" in _kinds(report)
