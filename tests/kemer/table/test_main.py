from pathlib import Path

import pytest
from filelock import FileLock

from kemer.table.__main__ import LOCK_FILE, main, make_parser, read_options

ROOT = Path(__file__).resolve().parents[3]
PLAN = str(ROOT / "configs/table1.yaml")


def options_of(tmp_path: Path, *flags: str):
    words = [str(tmp_path), "--config", PLAN, "--output", str(tmp_path / "out"), *flags]
    return read_options(make_parser().parse_args(words))


def test_flags_stand_in_place_of_the_plans(tmp_path: Path) -> None:
    plan, options = options_of(tmp_path)
    assert plan.seeds == (0, 1, 2) and plan.controls == () and options.launch == ()
    flags = ["--seeds", "7", "--protocols", "random", "session", "--controls", "late_fusion"]
    flags += ["--rows", "multimodal", "--jobs", "2", "--launch=-m accelerate.commands.launch"]
    plan, options = options_of(tmp_path, *flags)
    assert plan.seeds == (7,) and plan.protocols == ("random", "session")
    assert [row.name for row in plan.trained_rows()] == [
        *("speecht5_vc", "speecht5_tts", "multimodal", "late_fusion")
    ]
    assert options.launch == ("-m", "accelerate.commands.launch") and options.jobs == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--jobs", "0"], "`--jobs` is 0; allowed is a whole number from 1 up"),
        (["--rows", "speecht5_vc"], "`--rows` leaves out `multimodal`"),
        (["--seeds", "1", "1"], "name each once"),
        (["--corpora", "kemdy21"], "`--corpora` has 'kemdy21'; allowed are kemdy20"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    bench: Path, tmp_path: Path, capsys, flags: list[str], message: str
) -> None:
    dataset = str(bench / "release")
    with pytest.raises(SystemExit) as stopped:
        main([dataset, "--config", PLAN, "--output", str(tmp_path / "out"), *flags])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("kemer.table: ") and message in told and told.count("\n") == 1


def test_a_second_table_in_a_folder_is_told(bench: Path, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / LOCK_FILE),
        pytest.raises(SystemExit, match="is in use by another table; wait for it"),
    ):
        main([str(bench / "release"), "--config", PLAN, "--output", str(tmp_path)])
