"""Trains the cells of a table that are not there yet, some at the same time.

After `cells`. Each cell is a process of `train.py`: what one of them does wrong leaves the others
alone. A table that was killed goes on where it was: finished cells stay, a begun one resumes from
its last whole checkpoint, and a training that outlived its table is ended first.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from kemer.checkpoints import has_whole_checkpoint
from kemer.table.cells import (
    CACHE_FOLDER,
    LOG_FILE,
    SETTINGS_FILE,
    TableCell,
    cache_folder,
    describe_settings,
    refuse_other_settings,
    train_flags,
)

TRAIN_SCRIPT = Path(__file__).resolve().parent.parent.parent / "train.py"
PROCESS_FILE = "process.json"
SECONDS_TO_END = 10.0
LINES_SHOWN = 3


@dataclass
class CellRunner:
    """Trains cells.

    Attributes:
        dataset: the release.
        root: the table's folder.
        dataset_key: of `cells.data_key`.
        jobs: cells trained at the same time.
        launch: words before `train.py`, such as `["-m", "accelerate.commands.launch"]`.
        running: processes that are training.
    """

    dataset: str
    root: Path
    dataset_key: str
    jobs: int = 1
    launch: Sequence[str] = ()
    running: dict[Path, subprocess.Popen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def run(self, cells: Sequence[TableCell]) -> None:
        """Train what is not finished.

        Args:
            cells: each after those that it starts from.

        Raises:
            ValueError: before anything is trained, if a cell's settings are wrong or were others
                when it was begun.
            RuntimeError: after all that could be trained was, if some could not.
        """
        plans = {cell.folder: train_flags(cell, self.dataset, root=self.root) for cell in cells}
        for cell in cells:
            refuse_other_settings(cell, self._settings(plans[cell.folder]))
        todo = [cell for cell in cells if not cell.is_finished]
        for cell in todo:
            end_orphan(cell.folder / PROCESS_FILE)
        if len(todo) < len(cells):
            print(f"{len(cells) - len(todo)} of {len(cells)} trainings are there already.")
        failed = self._run_all(todo, plans, done=len(cells) - len(todo), total=len(cells))
        if failed:
            names = "\n  ".join(str(cell) for cell in failed)
            raise RuntimeError(
                f"{len(failed)} of {len(cells)} trainings failed or wait for one that did (the log "
                f"is `{LOG_FILE}` in the folder of each); mend the cause and run the same command "
                f"again:\n  {names}"
            )
        shutil.rmtree(self.root / CACHE_FOLDER, ignore_errors=True)

    def _run_all(
        self, todo: list[TableCell], plans: dict[Path, list[str]], *, done: int, total: int
    ) -> list[TableCell]:
        """Train cells as what they start from is finished; return those that are not in the end."""
        waiting, failed, began = list(todo), [], time.monotonic()
        left = {cell.folder for cell in todo}
        with ThreadPoolExecutor(self.jobs) as pool:
            active: dict[Future, TableCell] = {}
            try:
                while waiting or active:
                    for cell in self._ready(waiting)[: self.jobs - len(active)]:
                        waiting.remove(cell)
                        active[pool.submit(self._train, cell, plans[cell.folder])] = cell
                    if not active:
                        return failed + waiting  # they start from a cell that failed
                    for future in wait(active, return_when=FIRST_COMPLETED).done:
                        cell = active.pop(future)
                        left.discard(cell.folder)
                        if not future.result():
                            failed.append(cell)
                            continue
                        self._drop_cache(cell, todo, left)
                        self._report(
                            cell,
                            done=done + len(todo) - len(left),
                            total=total,
                            began=began,
                            trained=len(todo) - len(left),
                        )
            except BaseException:
                self._stop()
                raise
        return failed

    @staticmethod
    def _ready(waiting: list[TableCell]) -> list[TableCell]:
        return [cell for cell in waiting if all(source.is_finished for _, source in cell.sources)]

    def _train(self, cell: TableCell, flags: list[str]) -> bool:
        """Train one cell; return whether it is finished."""
        resumes = has_whole_checkpoint(cell.paths)
        if not resumes:
            shutil.rmtree(cell.folder, ignore_errors=True)
        cell.folder.mkdir(parents=True, exist_ok=True)
        settings = json.dumps(self._settings(flags), indent=2) + "\n"
        (cell.folder / SETTINGS_FILE).write_text(settings, encoding="utf-8")
        words = [sys.executable, *self.launch, str(TRAIN_SCRIPT), *flags, "--disable_tqdm", "true"]
        words += ["--resume_from_checkpoint", "true"] if resumes else []
        code = self._call(words, cell.folder)
        if code == 0 and cell.is_finished:
            # Optimiser states are several times the model, and nobody resumes a finished run.
            shutil.rmtree(cell.paths.checkpoints, ignore_errors=True)
            return True
        if not self._stopped:
            lines = (cell.folder / LOG_FILE).read_text(encoding="utf-8").strip().splitlines()
            last = "\n    ".join(lines[-LINES_SHOWN:])
            print(f"failed: {cell}, exit code {code}\n    {last}", file=sys.stderr, flush=True)
        return False

    def _call(self, words: list[str], folder: Path) -> int:
        """Run a process, its output in a file; return its exit code."""
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
        with (folder / LOG_FILE).open("ab") as log:
            with self._lock:
                if self._stopped:
                    return 1
                process = subprocess.Popen(
                    words, stdout=log, stderr=subprocess.STDOUT, env=environment
                )
                self.running[folder] = process
            started = psutil.Process(process.pid).create_time()
            identity = {"pid": process.pid, "create_time": started}
            (folder / PROCESS_FILE).write_text(json.dumps(identity), encoding="utf-8")
            code = process.wait()
        with self._lock:
            del self.running[folder]
        (folder / PROCESS_FILE).unlink(missing_ok=True)
        return code

    def _stop(self) -> None:
        """End every training; their checkpoints stay."""
        with self._lock:
            self._stopped = True
            for process in self.running.values():
                end_tree(process.pid)

    def _settings(self, flags: list[str]) -> dict[str, Any]:
        return describe_settings(flags, root=self.root, dataset_key=self.dataset_key)

    def _drop_cache(self, cell: TableCell, todo: list[TableCell], left: set[Path]) -> None:
        """Remove hidden states that no training left will read."""
        cache = cache_folder(cell, self.root)
        readers = [one for one in todo if one.sources and cache_folder(one, self.root) == cache]
        if cell.sources and not any(one.folder in left for one in readers):
            shutil.rmtree(cache, ignore_errors=True)

    def _report(
        self, cell: TableCell, *, done: int, total: int, trained: int, began: float
    ) -> None:
        """Print a line for a finished cell."""
        test = json.loads(cell.paths.metrics.read_text(encoding="utf-8"))["test"]
        rest = (time.monotonic() - began) / trained * (total - done) / 60
        print(
            f"[{done}/{total}] {cell}: exact match {test['exact_match']:.3f}, distance "
            f"{test['distance']:.3f}; about {rest:.0f} min to go",
            flush=True,
        )


def end_orphan(path: Path) -> None:
    """End a training whose table was killed, if it still runs.

    Args:
        path: the file that says which process it was.
    """
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
        process = psutil.Process(identity["pid"])
        # A process number is used again; with its time of birth it is not.
        same = process.create_time() == identity["create_time"]
    except (FileNotFoundError, json.JSONDecodeError, psutil.NoSuchProcess):
        return
    if same:
        end_tree(process.pid)


def end_tree(pid: int) -> None:
    """End a process and all that it started, and wait until they are gone."""
    try:
        parent = psutil.Process(pid)
        processes = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=SECONDS_TO_END)
