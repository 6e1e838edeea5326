import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dataset_script.archive import ZipCorpus, open_files
from dataset_script.check import check_corpora
from dataset_script.corpus import open_corpus
from dataset_script.files import CorpusFolder, UnreadableFileError
from dataset_script.release import build_release
from dataset_script.report import BuildReport, CorpusError

from .corpus_files import (
    make_segments,
    make_segments19,
    pack,
    pack_folder,
    write_corpus,
    write_corpus19,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def set_flags(path, name, flags):
    """Set the flags of one member in its local header and in the directory of the zip."""
    content = bytearray(path.read_bytes())
    for signature, flag_at, name_at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        start = content.find(signature)
        while not content[start + name_at :].startswith(name.encode()):
            start = content.find(signature, start + 1)
        content[start + flag_at] |= flags
    path.write_bytes(content)


def spoil(path, name):
    """Change the packed bytes of one member."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(name)
    content = bytearray(path.read_bytes())
    start = member.header_offset + 30 + len(name)
    for position in range(start, start + member.compress_size):
        content[position] ^= 0xFF
    path.write_bytes(content)


def _read(path, config="kemdy20"):
    report = BuildReport(config)
    return list(open_corpus(config, open_files(path), report)), report


@pytest.mark.parametrize("config", ["kemdy19", "kemdy20"])
def test_a_zip_gives_what_its_folder_gives(tmp_path, config):
    root = tmp_path / "corpus"
    if config == "kemdy19":
        write_corpus19(root, make_segments19(3))
    else:
        write_corpus(root, make_segments(3))
    archive = pack_folder(root, tmp_path / "corpus.zip", prefix="delivered/KEMDy v1_2/")
    before = sorted(tmp_path.iterdir())
    packed, report = _read(archive, config)
    unpacked, _ = _read(root, config)
    assert [(r.wav, r.transcript, r.facts) for r in packed] == [
        (r.wav, r.transcript, r.facts) for r in unpacked
    ]
    assert [r.annotation.ratings for r in packed] == [r.annotation.ratings for r in unpacked]
    assert report.problems == [] and len(packed) == 24
    assert sorted(tmp_path.iterdir()) == before  # nothing was unpacked


def test_litter_is_passed_over_and_backslashes_are_slashes(tmp_path):
    archive = pack(
        tmp_path / "a.zip",
        [
            ("K\\wav\\Sess01_script01_User001F_001.WAV", b"1"),
            ("K/annotation/", b""),
            ("K/.hidden/x.csv", b"2"),
            ("__MACOSX/K/x.csv", b"3"),
            ("K/._x.csv", b"4"),
            ("../../etc/x.csv", b"5"),
            ("/root/y.csv", b"6"),
        ],
    )
    corpus = ZipCorpus(archive)
    assert corpus.names == [
        "../../etc/x.csv",
        "/root/y.csv",
        "K/wav/Sess01_script01_User001F_001.WAV",
    ]
    assert [corpus.read(name) for name in corpus.names] == [b"5", b"6", b"1"]


def test_a_path_that_leaves_the_zip_writes_nothing(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3))
    archive = pack_folder(corpus.root, tmp_path / "sub.zip", prefix="../../../evil/")
    shutil.rmtree(corpus.root)
    records, report = _read(archive)
    assert len(records) == 24 and report.problems == []
    assert [path.name for path in tmp_path.iterdir()] == ["sub.zip"]
    assert not (tmp_path.parent / "evil").exists()


def test_an_encrypted_or_damaged_recording_is_named_and_the_rest_stands(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3))
    archive = pack_folder(corpus.root, tmp_path / "corpus.zip")
    first, second, third = (
        path.relative_to(corpus.root).as_posix()
        for path in (
            corpus.wav(corpus.segments[0]),
            corpus.wav(corpus.segments[1]),
            corpus.txt(corpus.segments[2]),
        )
    )
    set_flags(archive, first, 0x1)
    spoil(archive, second)
    spoil(archive, third)
    records, report = _read(archive)
    kinds = [(problem.kind, problem.file, problem.rows_dropped) for problem in report.problems]
    assert kinds == [
        ("unreadable_wav", first, 1),
        ("unreadable_wav", second, 1),
        ("unreadable_transcript", third, 0),
    ]
    assert "is encrypted; unpack the zip with its password" in report.problems[0].message
    assert "cannot be unpacked" in report.problems[1].message
    assert len(records) == 22 and records[0].transcript == "" and report.missing_transcripts == 1


@pytest.mark.parametrize("config", ["kemdy19", "kemdy20"])
def test_an_encrypted_annotation_is_named(tmp_path, config):
    root = tmp_path / "corpus"
    if config == "kemdy19":
        write_corpus19(root, make_segments19(3))
        names = ["annotation/Session02_F_res.csv", "annotation/Session02_M_res.csv"]
    else:
        write_corpus(root, make_segments(3))
        names = ["annotation/Sess02_eval.csv"]
    archive = pack_folder(root, tmp_path / "corpus.zip")
    for name in names:
        set_flags(archive, name, 0x1)
    records, report = _read(archive, config)
    assert {record.annotation.session for record in records} == {1, 3}
    assert [(p.kind, p.file) for p in report.problems][: len(names)] == [
        ("annotation_file", name) for name in names
    ]


def test_an_encrypted_partner_costs_the_session_its_rows(tmp_path):
    write_corpus19(tmp_path / "corpus", make_segments19(3))
    archive = pack_folder(tmp_path / "corpus", tmp_path / "corpus.zip")
    set_flags(archive, "annotation/Session02_F_res.csv", 0x1)
    records, report = _read(archive, "kemdy19")
    assert report.rows_in == 24 == len(records) + report.rows_dropped and len(records) == 16


def test_a_zip_without_recordings_is_refused(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3))
    shutil.rmtree(corpus.root / "wav")
    archive = pack_folder(corpus.root, tmp_path / "corpus.zip")
    with pytest.raises(CorpusError, match="comes with the recordings"):
        _read(archive)


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "notes.zip").write_bytes(b"PK no zip")
    with pytest.raises(CorpusError, match="notes.zip' is no whole zip"):
        open_files(tmp_path / "notes.zip")
    whole = pack(tmp_path / "whole.zip", [("a", b"x" * 100)])
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(CorpusError, match="is no whole zip"):
        open_files(whole)
    with pytest.raises(CorpusError, match="nowhere' is not a folder or zip"):
        open_files(tmp_path / "nowhere")
    assert isinstance(open_files(tmp_path), CorpusFolder)


def test_reading_a_damaged_member_is_its_own_error(tmp_path):
    archive = pack(tmp_path / "a.zip", [("a.txt", b"some text " * 20)])
    spoil(archive, "a.txt")
    with pytest.raises(UnreadableFileError, match="cannot be unpacked"):
        ZipCorpus(archive).read("a.txt")


def test_the_fingerprint_follows_the_content(tmp_path):
    prints = set()
    for content in (b"a", b"b", b"a"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("x.wav", (2020, 1, 1, 0, 0, 0)), content)
        prints.add(ZipCorpus(tmp_path / "a.zip").fingerprint())
    assert len(prints) == 2


def test_lines_of_a_member_are_those_of_its_file_and_faults_are_its_own_error(tmp_path):
    text = "1,2\r\n" * 50_000 + "가"
    names = ("good.csv", "cut.csv", "secret.csv")
    archive = pack(tmp_path / "a.zip", [(name, text.encode()) for name in names])
    spoil(archive, "cut.csv")
    set_flags(archive, "secret.csv", 0x1)
    corpus = ZipCorpus(archive)
    (tmp_path / "good.csv").write_bytes(text.encode())
    assert list(corpus.read_lines("good.csv")) == list(
        CorpusFolder(tmp_path).read_lines("good.csv")
    )
    with pytest.raises(UnreadableFileError, match="cannot be unpacked"):
        list(corpus.read_lines("cut.csv"))
    with pytest.raises(UnreadableFileError, match="is encrypted"):
        list(corpus.read_lines("secret.csv"))


class _KoreanName(zipfile.ZipInfo):
    """A member as Korean programs name it: in CP949, and nothing that says so."""

    def _encodeFilenameFlags(self):  # noqa: N802 (the name is the library's)
        return self.filename.encode("cp949"), self.flag_bits


def test_korean_names_are_read_and_can_be_said_on_any_terminal(tmp_path):
    corpus = write_corpus(tmp_path / "c", make_segments(3))
    corpus.txt(corpus.segments[0]).unlink()
    with zipfile.ZipFile(tmp_path / "k.zip", "w") as archive:
        for path in sorted(path for path in corpus.root.rglob("*") if path.is_file()):
            name = f"감정 말뭉치/{path.relative_to(corpus.root).as_posix()}"
            archive.writestr(_KoreanName(name), path.read_bytes())
    names = ZipCorpus(tmp_path / "k.zip").names
    assert names[0] == "감정 말뭉치/annotation/Sess01_eval.csv"
    command = [sys.executable, "-m", "dataset_script", "check", str(tmp_path / "k.zip")]
    for encoding, said in (("cp949", "감정 말뭉치/wav"), ("ascii", r"\uac10\uc815")):
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"missing_transcript  {said}" in done.stdout.decode(encoding)


def test_a_folder_whose_name_no_encoding_has_is_built(tmp_path):
    corpus = write_corpus(tmp_path / "c", make_segments(3))
    corpus.txt(corpus.segments[0]).unlink()
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/root/\xb0\xa8\xc1\xa4")
    os.makedirs(os.path.dirname(folder))
    os.rename(corpus.root, folder)
    report = build_release(tmp_path / "root", tmp_path / "r", config="kemdy20", n_folds=3)
    assert report["rows_out"] == len(corpus.segments)
    assert "\\udcb0" in (tmp_path / "r" / "reports" / "kemdy20.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_member_is_named_however_it_was_packed(tmp_path, method):
    corpus = write_corpus(tmp_path / "c", make_segments(3))
    target = tmp_path / "k.zip"
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(path for path in corpus.root.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(corpus.root))
        member = next(m for m in archive.infolist()[::-1] if m.filename.endswith(".wav"))
    content = bytearray(target.read_bytes())
    start = member.header_offset + 30 + len(member.filename)
    content[start + 12 : start + 40] = b"\xff" * 28
    target.write_bytes(bytes(content))
    (result,) = check_corpora(target)
    (problem,) = result["problems"]
    assert problem["file"] == member.filename
    assert "cannot be unpacked" in problem["message"] and "give the folder" in problem["message"]
