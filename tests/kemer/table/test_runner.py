import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from kemer.table import runner
from kemer.table.cells import CACHE_FOLDER, LOG_FILE, SETTINGS_FILE, TableCell, list_cells
from kemer.table.plan import TablePlan, TableRow
from kemer.table.runner import PROCESS_FILE, CellRunner, end_orphan, end_tree

# Stands in for `train.py`: it writes what a finished training leaves, after what `rule` says.
SCRIPT = """
import json, os, pathlib, sys, time
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(flags["--output_dir"])
journal = pathlib.Path(flags["--dataset"]) / "journal"
with journal.open("a") as lines:
    lines.write(f"{folder.parent.name} {folder.name} {os.environ['OMP_NUM_THREADS']}\\n")
for name in ("--speech_encoder", "--text_encoder"):
    if "cells" in flags.get(name, "") and not pathlib.Path(flags[name]).is_dir():
        sys.exit(f"{name} is not there")
(rule)
(folder / "model").mkdir(exist_ok=True)
(folder / "checkpoints" / "checkpoint-1").mkdir(parents=True, exist_ok=True)
(folder / "metrics.json").write_text(json.dumps({"test": {"exact_match": 0.5, "distance": 1.0}}))
"""


@pytest.fixture
def plan(tmp_path: Path) -> TablePlan:
    config = tmp_path / "row.yaml"
    config.write_text("use_cpu: true\n")
    links = {"speech_encoder": "speech", "text_encoder": "text"}
    frozen = {"freeze_speech_encoder": True}
    return TablePlan(
        rows=(
            TableRow("speech", "Speech", config, {"speech_encoder": "voice"}, {}),
            TableRow("text", "Text", config, {"text_encoder": "words"}, {}),
            TableRow("joint", "Joint", config, frozen, links),
        ),
        primary="joint",
        seeds=(0, 1),
    )


def make_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, rule: str = "pass", jobs: int = 1
) -> CellRunner:
    """Return a runner whose trainings follow a rule: lines of Python."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.replace("(rule)", textwrap.dedent(rule)))
    monkeypatch.setattr(runner, "TRAIN_SCRIPT", script)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (tmp_path / "data").mkdir(exist_ok=True)
    return CellRunner(str(tmp_path / "data"), tmp_path / "table", "key", jobs=jobs)


def cells_of(plan: TablePlan, tmp_path: Path) -> list[TableCell]:
    return list_cells(plan, tmp_path / "table", corpus="c", protocol="session", folds=(0,))


def journal(tmp_path: Path) -> list[str]:
    path = tmp_path / "data/journal"
    return path.read_text().splitlines() if path.is_file() else []


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_cell_is_trained_once_after_what_it_starts_from(
    plan: TablePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, jobs: int
) -> None:
    cells = cells_of(plan, tmp_path)
    make_runner(tmp_path, monkeypatch, jobs=jobs).run(cells)
    lines = journal(tmp_path)
    assert sorted(line.split()[:2] for line in lines) == sorted(
        [cell.row.name, cell.folder.name] for cell in cells
    )
    assert {line.split()[2] for line in lines} == {str(max(1, (os.cpu_count() or 1) // jobs))}
    for cell in cells:
        assert cell.is_finished and (cell.folder / SETTINGS_FILE).is_file()
        assert not cell.paths.checkpoints.exists() and not (cell.folder / PROCESS_FILE).exists()
    assert not (tmp_path / "table" / CACHE_FOLDER).exists()
    assert "[6/6] " in capsys.readouterr().out
    # Nothing is left to do.
    make_runner(tmp_path, monkeypatch, jobs=jobs).run(cells)
    assert len(journal(tmp_path)) == len(cells)
    assert "6 of 6 trainings are there already" in capsys.readouterr().out


def test_a_failure_leaves_the_others_and_is_named(
    plan: TablePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    cells = cells_of(plan, tmp_path)
    rule = """
    if folder.parent.name == "text" and folder.name.endswith("seed0"):
        sys.exit("train.py: no such words")
    """
    with pytest.raises(RuntimeError, match="2 of 6 trainings failed or wait.*\n.*text.*\n.*joint"):
        make_runner(tmp_path, monkeypatch, rule=rule).run(cells)
    finished = [cell.row.name for cell in cells if cell.is_finished]
    assert sorted(finished) == ["joint", "speech", "speech", "text"]
    assert (
        "failed: text (c, session, fold 0, seed 0), exit code 1\n    train.py: no such words"
        in (capsys.readouterr().err)
    )
    failed = next(cell for cell in cells if not cell.is_finished)
    assert "no such words" in (failed.folder / LOG_FILE).read_text()
    make_runner(tmp_path, monkeypatch).run(cells)  # the cause is mended
    assert all(cell.is_finished for cell in cells) and len(journal(tmp_path)) == 7


def test_a_process_that_says_it_is_done_and_is_not_has_failed(
    plan: TablePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner_ = make_runner(tmp_path, monkeypatch, rule="sys.exit(0)")
    with pytest.raises(RuntimeError, match="6 of 6 trainings failed"):
        runner_.run(cells_of(plan, tmp_path))


def test_a_begun_cell_without_a_whole_checkpoint_is_trained_anew(
    plan: TablePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cells_of(plan, tmp_path)[0]
    half = cell.paths.checkpoints / "checkpoint-3"
    half.mkdir(parents=True)
    (half / "trainer_state.json").write_text("{}")
    rule = """
    assert "--resume_from_checkpoint" not in flags
    assert not (folder / "checkpoints").exists()
    """
    make_runner(tmp_path, monkeypatch, rule=rule).run([cell])
    assert cell.is_finished


def test_settings_are_checked_before_anything_is_trained(
    plan: TablePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = cells_of(plan, tmp_path)
    last = cells[-1].folder
    last.mkdir(parents=True)
    (last / SETTINGS_FILE).write_text(json.dumps({"flags": ["--seed", "9"], "config": ""}))
    with pytest.raises(ValueError, match="was trained under other settings"):
        make_runner(tmp_path, monkeypatch).run(cells)
    assert journal(tmp_path) == []


def wait_for(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_an_interrupted_table_ends_its_trainings(
    plan: TablePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cells_of(plan, tmp_path)[0]
    runner_ = make_runner(tmp_path, monkeypatch, rule="time.sleep(60)")
    real = runner.wait

    def interrupted(*args, **kwargs):
        wait_for((cell.folder / PROCESS_FILE).is_file)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runner_.run([cell])
    monkeypatch.setattr(runner, "wait", real)
    assert runner_.running == {} and not cell.is_finished


@pytest.mark.parametrize("same", [True, False])
def test_a_training_that_outlived_its_table_is_ended(tmp_path: Path, same: bool) -> None:
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
    code += "'import time; time.sleep(60)']); print('begun', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        assert len(family) == 2
        born = family[0].create_time() + (0 if same else 5)
        path = tmp_path / PROCESS_FILE
        path.write_text(json.dumps({"pid": process.pid, "create_time": born}))
        end_orphan(path)
        # A number that another process has by now is not it.
        assert [one.is_running() and one.status() != "zombie" for one in family] == [not same] * 2
    finally:
        end_tree(process.pid)
        process.stdout.close()
        process.wait()


def test_what_is_gone_needs_no_end(tmp_path: Path) -> None:
    end_orphan(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"pid": 1')
    end_orphan(tmp_path / "half.json")
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    (tmp_path / "done.json").write_text(json.dumps({"pid": done.pid, "create_time": 0.0}))
    end_orphan(tmp_path / "done.json")
    end_tree(done.pid)
