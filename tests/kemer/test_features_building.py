"""A cache that is killed, full, damaged or shared while it is built."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from kemer import feature_store, features
from kemer.feature_store import FeatureStore
from tests.kemer.bench import run_flags
from tests.kemer.feature_cache import FROZEN, assert_same, build, contents
from tests.test_train import ROOT, TORCHRUN, run_python

BUILD = """
import signal, sys
from pathlib import Path
import tests.conftest
from kemer import feature_store, features
from tests.kemer.feature_cache import build
bench, cache, shard_bytes, kill_at = sys.argv[1:]
feature_store.SHARD_BYTES = int(shard_bytes)
fsync, calls = feature_store.os.fsync, []
def fsync_or_die(file):
    calls.append(file)
    if len(calls) == int(kill_at):
        feature_store.os.kill(feature_store.os.getpid(), signal.SIGKILL)
    fsync(file)
feature_store.os.fsync = fsync_or_die
build(Path(bench), Path(cache))
"""


@pytest.fixture(scope="module")
def whole(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in several shards that was built without a stop, on one thread."""
    cache = tmp_path_factory.mktemp("whole") / "cache"
    done = run_python("-c", BUILD, str(bench), str(cache), "20000", "0")
    assert done.returncode == 0, done.stderr
    return cache


@pytest.mark.parametrize("kill_at", [5, 6])
def test_a_killed_build_goes_on_to_the_same_cache(
    bench: Path, tmp_path: Path, whole: Path, kill_at: int
) -> None:
    cache = tmp_path / "killed"
    words = ["-c", BUILD, str(bench), str(cache), "20000", str(kill_at)]
    assert run_python(*words).returncode == -signal.SIGKILL
    before = contents(cache)
    places = [FeatureStore(folder).places() for folder in cache.iterdir()]
    assert sum(map(len, places)) == len(before) < 20
    assert len(before) > 0
    assert len(list(cache.glob("*/.*.part"))) == kill_at % 2  # odd: a file, even: its folder
    resumed = run_python(*words[:-1], "0")
    assert resumed.returncode == 0, resumed.stderr
    count = len(before)
    assert f"20 utterances, {count} kept before, {20 - count} computed" in resumed.stdout
    assert list(cache.glob("*/.*.part")) == []
    assert len(list(whole.glob("speech-*/*.safetensors"))) > 3
    assert_same(contents(cache), contents(whole))


def test_the_order_of_rows_changes_no_neighbours(bench: Path, tmp_path: Path) -> None:
    build(bench, tmp_path / "whole")
    build(bench, tmp_path / "other", fold=2)
    assert_same(contents(tmp_path / "other"), contents(tmp_path / "whole"))


def test_two_processes_build_one_cache_together(bench: Path, tmp_path: Path, whole: Path) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    settings = {**FROZEN, "feature_cache": cache, "per_device_train_batch_size": 2}
    done = run_python(*TORCHRUN, "train.py", *run_flags(bench, run, **settings))
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "metrics.json").read_text())["run"]["processes"] == 2
    assert done.stdout.count("feature cache, speech encoder: 20 utterances, 0 kept before, 20") == 1
    # Each process wrote files of its own; together they are what one process writes.
    shards = cache.glob("speech-*/*.safetensors")
    assert sorted(len(load_file(shard)["ends"]) for shard in shards) == [9, 11]
    assert_same(contents(cache), contents(whole))

    again = tmp_path / "again"
    done = run_python(*TORCHRUN, "train.py", *run_flags(bench, again, **settings))
    assert done.returncode == 0, done.stderr
    assert "speech encoder: 20 utterances, 20 kept before, 0 computed" in done.stdout
    scores = [json.loads((path / "metrics.json").read_text())["test"] for path in (run, again)]
    assert scores[0] == scores[1]


def test_two_jobs_on_one_cache_at_the_same_time(bench: Path, tmp_path: Path, whole: Path) -> None:
    words = [sys.executable, "-c", BUILD, str(bench), str(tmp_path / "cache"), "5000", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "text": True}
    jobs = [subprocess.Popen(words, **started) for _ in range(2)]
    shown = "".join(job.communicate(timeout=300)[0] for job in jobs)
    assert [job.returncode for job in jobs] == [0, 0]
    # Waveforms and different texts were computed once, by one or the other.
    for computed in (20, 0, 6, 0):
        line = f"20 utterances, {20 if computed == 0 else 0} kept before, {computed} computed"
        assert shown.count(line) == (2 if computed == 0 else 1), shown
    assert_same(contents(tmp_path / "cache"), contents(whole))


def test_a_job_that_waits_takes_what_another_wrote(
    bench: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build(bench, tmp_path / "other")
    monkeypatch.setattr(features, "WAIT_SECONDS", 0.05)
    holding = threading.Event()

    def hold_and_write() -> None:  # a lock belongs to the thread that took it
        (folder,) = (tmp_path / "other").glob("speech-*")
        store = FeatureStore(tmp_path / "cache" / folder.name)
        with store.lock():
            holding.set()
            time.sleep(4)
            for shard in folder.glob("*.safetensors"):
                shutil.copy(shard, store.folder)

    capsys.readouterr()
    other = threading.Thread(target=hold_and_write)
    other.start()
    assert holding.wait(timeout=60)
    build(bench, tmp_path / "cache")
    other.join()
    shown = capsys.readouterr().out
    assert shown.count("another job is writing") == 1
    assert "speech encoder: 20 utterances, 20 kept before, 0 computed" in shown


# Disks.


def test_a_disk_without_room_is_said_before_anything_is_computed(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_store.shutil, "disk_usage", lambda path: SimpleNamespace(free=99))
    with pytest.raises(OSError, match="`feature_cache` is on a full disk"):
        build(bench, tmp_path / "cache")
    assert contents(tmp_path / "cache") == {}
    monkeypatch.undo()
    build(bench, tmp_path / "cache")  # no lock was left


def test_a_cache_that_is_emptied_meanwhile_is_said(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeatureStore, "write_shard", lambda self, rows: None)
    with pytest.raises(OSError, match="`feature_cache` lacks 20 utterances that were just written"):
        build(bench, tmp_path / "cache")


def test_a_damaged_file_is_named(bench: Path, tmp_path: Path) -> None:
    build(bench, tmp_path / "cache")
    shard = next(tmp_path.glob("cache/speech-*/*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"holds the damaged file `{shard}`.*; remove it"):
        build(bench, tmp_path / "cache")
    shard.unlink()
    build(bench, tmp_path / "cache")
