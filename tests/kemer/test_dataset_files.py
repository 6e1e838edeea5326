from pathlib import Path

from dataset_script import layout
from kemer.dataset_files import DATASET_FILES, SYNTHETIC_MARKER, is_synthetic


def test_a_marker_says_that_nobody_spoke(tmp_path: Path) -> None:
    assert not is_synthetic(tmp_path)
    (tmp_path / layout.SYNTHETIC_MARKER).write_text("{}")
    assert is_synthetic(tmp_path)
    assert SYNTHETIC_MARKER == layout.SYNTHETIC_MARKER


def test_every_file_of_a_build_has_a_name_here(bench: Path) -> None:
    release = bench / "release"
    known = {path for pattern in DATASET_FILES for path in release.glob(pattern)}
    assert {path for path in release.rglob("*") if path.is_file()} == known
