"""A folder or a file is replaced whole or not at all."""

import doctest
from pathlib import Path

import pytest

from dataset_script import replacement
from dataset_script.replacement import replace_file, replace_folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    return folder


def test_the_new_folder_takes_the_old_ones_place(target: Path) -> None:
    with replace_folder(target) as fresh:
        (fresh / "new.txt").write_text("new")
        assert (target / "old.txt").is_file()  # until the end
    assert [path.name for path in target.iterdir()] == ["new.txt"]
    assert [path.name for path in target.parent.iterdir()] == ["kept"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_folder(target: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), replace_folder(target) as fresh:
        (fresh / "half.txt").write_text("half")
        raise failure
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert [path.name for path in target.parent.iterdir()] == ["kept"]


def test_a_failing_rename_brings_the_old_folder_back(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fail_for_the_new(path: Path, destination: Path) -> Path:
        if path.name == "new":
            raise OSError("disk")
        return rename(path, destination)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(OSError, match="disk"), replace_folder(target):
        pass
    assert [path.name for path in target.iterdir()] == ["old.txt"]


def test_the_documented_example_is_true() -> None:
    assert doctest.testmod(replacement).failed == 0
    assert doctest.testmod(replacement).attempted > 0


def test_a_new_file_takes_the_old_ones_place(tmp_path: Path) -> None:
    target = tmp_path / "new" / "kept.txt"
    for text in ("old", "new"):
        with replace_file(target) as fresh:
            fresh.write(text)
            assert target.is_file() == (text == "new")
        assert target.read_text() == text
    assert [path.name for path in target.parent.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("old")
    with pytest.raises(failure), replace_file(target) as fresh:
        fresh.write("new")
        raise failure
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_half_a_surrogate_pair_ends_no_report(tmp_path: Path) -> None:
    with replace_file(tmp_path / "a.txt") as fresh:
        fresh.write("half \ud800 가")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "half ? 가"
