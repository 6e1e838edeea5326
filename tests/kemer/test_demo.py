"""The demo's own parts; the whole of it runs once, small, as a person would start it."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from kemer.demo import (
    MARKER,
    ROWS,
    DemoOptions,
    claim_folder,
    format_gains,
    format_table,
    main,
    parse_options,
)
from tests.kemer.predictions import NEUTRAL, make_predictions

ROOT = Path(__file__).resolve().parents[2]


def options_for(output: Path, *, seeds: list[int]) -> DemoOptions:
    return DemoOptions(output, seeds, sessions=12, folds=5, text_signal=1.0)


def write_run(folder: Path, predictions: pd.DataFrame, *, exact_match: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    test = {"exact_match": exact_match, "f1_macro": 0.25, "distance": 0.5}
    test |= {"constant_exact_match": 0.2, "sessions": [1, 2], "utterances": len(predictions)}
    (folder / "metrics.json").write_text(json.dumps({"test": test}))
    predictions.to_parquet(folder / "predictions.parquet")


@pytest.fixture
def finished(tmp_path: Path) -> DemoOptions:
    """Two seeds; the joint rows are right in 3 of 5, the others in 2 of 5 (wrong in session 1)."""
    options = options_for(tmp_path, seeds=[3, 4])
    worse = make_predictions()
    worse.at[2, "labels_predicted"] = NEUTRAL
    for seed in options.seeds:
        for row in ROWS:
            joint = row == "joint"
            write_run(
                options.run_folder(row, seed),
                make_predictions() if joint else worse,
                exact_match=(0.6 if joint else 0.4) + (seed - 3) / 10,
            )
    return options


def test_the_first_joint_run_is_the_demos_own_folder(tmp_path: Path) -> None:
    options = options_for(tmp_path, seeds=[3, 4])
    assert options.run_folder("joint", 3) == tmp_path
    assert options.run_folder("speech only", 3) == tmp_path / "speech_only"
    assert options.run_folder("joint", 4) == tmp_path / "seed_4"
    folders = {options.run_folder(row, seed) for row in ROWS for seed in options.seeds}
    assert len(folders) == 6


def test_the_table_shows_every_seed_and_the_mean(finished: DemoOptions) -> None:
    lines = format_table(finished).splitlines()
    assert lines[0].split() == ["seed", "3", "seed", "4", "mean", "macro", "F1", "distance"]
    assert lines[1].split() == ["joint", "0.600", "0.700", "0.650", "0.250", "0.500"]
    assert lines[2].split() == ["speech", "only", "0.400", "0.500", "0.450", "0.250", "0.500"]
    assert lines[4].split()[-3:] == ["0.200"] * 3
    assert "synthetic" in lines[-2]


def test_gains_are_paired_by_session(finished: DemoOptions) -> None:
    lines = format_gains(finished).splitlines()
    # One of three in session 1, none of two in session 2: the mean is 0.2 with an interval.
    assert "over speech only  +0.200" in lines[2]
    assert "[" in lines[2]
    assert "2 sessions" in lines[-1] and "rough" in lines[-1]


def test_unknown_flags_go_to_the_training() -> None:
    options = parse_options(["--output", "x", "--seeds", "1", "2", "--fold", "2"])
    assert options.seeds == [1, 2]
    assert options.flags == ("--fold", "2")  # not an abbreviation of `--folds`
    assert options.output.is_absolute()


def test_a_folder_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("mine")
    with pytest.raises(SystemExit, match="not a demo's"):
        claim_folder(tmp_path)
    assert precious.read_text() == "mine"


def test_a_demos_folder_is_emptied(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    claim_folder(output)
    (output / "old.txt").write_text("old")
    claim_folder(output)
    assert [path.name for path in output.iterdir()] == [MARKER]


def test_the_whole_demo_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kemer.demo", "--output", str(tmp_path / "demo")]
    # Three sessions are the least that can be held out from one another.
    command += ["--sessions", "3", "--folds", "3", "--num_train_epochs", "0.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Exact match on held-out sessions (synthetic speech)" in done.stdout
    assert "valence" in done.stdout.split("A fresh process")[1]
    assert (tmp_path / "demo/model/model.safetensors").is_file()
    assert (tmp_path / "demo/text_only/metrics.json").is_file()


def test_a_wrong_flag_ends_the_demo_before_it_touches_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim_folder(tmp_path / "demo")
    (tmp_path / "demo" / "metrics.json").write_text("{}")
    with pytest.raises(SystemExit, match="`--learnin_rate` .*did you mean `learning_rate`"):
        main(["--output", str(tmp_path / "demo"), "--learnin_rate", "1"])
    assert (tmp_path / "demo" / "metrics.json").is_file()


def test_a_step_that_fails_ends_the_demo_with_its_message(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kemer.demo", "--output", str(tmp_path / "demo")]
    command += ["--sessions", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "`sessions` is 0" in done.stderr
    assert "Traceback" not in done.stderr
