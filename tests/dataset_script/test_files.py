import os

import pytest

from dataset_script.files import (
    CorpusFolder,
    UnreadableFileError,
    fingerprint_file,
    index_by_stem,
)
from dataset_script.report import CorpusError


def _touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_are_found_at_any_depth_and_system_litter_is_not(tmp_path):
    _touch(
        tmp_path,
        "a.csv",
        "one/two/b.WAV",
        "__MACOSX/one/c.wav",
        "one/._b.wav",
        ".git/d.wav",
    )
    assert CorpusFolder(tmp_path).names == ["a.csv", "one/two/b.WAV"]


def test_links_are_followed_and_loops_are_not(tmp_path):
    _touch(tmp_path, "elsewhere/wav/a.wav")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "wav").symlink_to(tmp_path / "elsewhere" / "wav")
    (tmp_path / "elsewhere" / "wav" / "loop").symlink_to(tmp_path / "corpus")
    assert CorpusFolder(tmp_path / "corpus").names == ["wav/a.wav"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(CorpusError, match="nowhere' is not a folder or zip"):
        CorpusFolder(tmp_path / "nowhere")


def test_stems_are_indexed_with_all_their_copies():
    names = ["a/x.WAV", "b/x.wav", "b/x.txt", "b/y.wav"]
    assert index_by_stem(names, extension=".wav") == {"x": names[:2], "y": names[3:]}


def test_fingerprint_tells_changes_of_content_time_and_name(tmp_path):
    _touch(tmp_path, "a.wav")
    prints = [CorpusFolder(tmp_path).fingerprint()]
    assert CorpusFolder(tmp_path).fingerprint() == prints[0]
    os.utime(tmp_path / "a.wav", ns=(0, 1))
    prints.append(CorpusFolder(tmp_path).fingerprint())
    (tmp_path / "a.wav").write_bytes(b"xy")
    os.utime(tmp_path / "a.wav", ns=(0, 1))
    prints.append(CorpusFolder(tmp_path).fingerprint())
    (tmp_path / "a.wav").rename(tmp_path / "b.wav")
    prints.append(CorpusFolder(tmp_path).fingerprint())
    assert len(set(prints)) == 4


def test_fingerprint_of_a_file_follows_its_bytes(tmp_path):
    _touch(tmp_path, "a")
    before = fingerprint_file(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"y")
    assert fingerprint_file(tmp_path / "a") != before
    with pytest.raises(CorpusError, match="is not a file"):
        fingerprint_file(tmp_path / "b")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_read_whatever_ends_them(tmp_path, newline):
    text = newline.join(["\ufeffein", "zwei,3", "", "가"])
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert list(CorpusFolder(tmp_path).read_lines("a.csv")) == ["ein\n", "zwei,3\n", "\n", "가"]


def test_a_file_that_is_no_text_or_gone_says_so_when_that_is_found_out(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n" * 100_000 + b"\xff")
    (tmp_path / "b.csv").write_bytes(b"")
    folder = CorpusFolder(tmp_path)
    lines = folder.read_lines("a.csv")
    assert next(lines) == "x\n"
    with pytest.raises(UnreadableFileError, match="is not UTF-8"):
        list(lines)
    (tmp_path / "b.csv").unlink()
    with pytest.raises(UnreadableFileError, match="cannot be read by this system"):
        list(folder.read_lines("b.csv"))
