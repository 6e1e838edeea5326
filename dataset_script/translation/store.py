"""What was answered and what it cost, kept for ever in one SQLite file.

Rows are only ever added (the file itself refuses anything else), each with the answer that it came
with in one transaction: a process that is killed at any moment leaves whole rows and nothing else.
One process at a time has the file; the lock ends with the process, however it ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path

FORMAT = 1  # of the file

_SCHEMA = """
CREATE TABLE results (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL, step TEXT NOT NULL, id TEXT NOT NULL,
    texts TEXT NOT NULL, fault TEXT, model TEXT NOT NULL, run TEXT NOT NULL, time TEXT NOT NULL);
CREATE INDEX results_by_key ON results (key);
CREATE TABLE answers (
    seq INTEGER PRIMARY KEY, request TEXT NOT NULL, model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, cost REAL NOT NULL, run TEXT NOT NULL, time TEXT NOT NULL);
CREATE TABLE batches (
    seq INTEGER PRIMARY KEY, name TEXT NOT NULL, batch TEXT, state TEXT NOT NULL,
    run TEXT NOT NULL, time TEXT NOT NULL);
"""
_TABLES = ("results", "answers", "batches")
KEYS_PER_QUERY = 500  # SQLite takes a limited number of them


class StoreError(ValueError):
    """A store that cannot be used, in one sentence."""


@dataclass(frozen=True)
class Result:
    """What came of one job.

    Attributes:
        key: of the job.
        step: name of one of `prompts.PROMPTS`, or `draft` for one made on this machine.
        id: of the utterance for which it was asked; equal jobs of others share it.
        texts: the translation, or the variants; empty if there is none.
        fault: why there is none; None if there is.
        model: what answered.
        run: of which run it is.
        time: when, ISO 8601, UTC.
    """

    key: str
    step: str
    id: str
    texts: tuple[str, ...]
    fault: str | None
    model: str
    run: str
    time: str

    @property
    def is_good(self) -> bool:
        """Whether there is a translation."""
        return self.fault is None


@dataclass(frozen=True)
class Paid:
    """What one answer cost.

    Attributes:
        request: key of the request.
        model: what answered.
        prompt_tokens: tokens read, the cached ones among them.
        cached_tokens: those of them that the server had in its cache.
        completion_tokens: tokens written.
        cost: US dollars.
        run: of which run it is.
        time: when, ISO 8601, UTC.
    """

    request: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float
    run: str
    time: str


@dataclass(frozen=True)
class BatchEvent:
    """A step in the life of a batch.

    Attributes:
        name: our own name for it, which the server keeps as metadata.
        batch: the server's id; None before it is known.
        state: `submitting`, `submitted`, `collected`, or why it came to nothing.
        run: of which run it is.
        time: when, ISO 8601, UTC.
    """

    name: str
    batch: str | None
    state: str
    run: str
    time: str


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class Store:
    """The file; use it in a `with` statement.

    Args:
        path: the file; made if missing.

    Raises:
        StoreError: if another process has it, or it is no store.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = None
        try:
            database = sqlite3.connect(self.path, isolation_level=None, timeout=0.2)
            self._database = database
            self._open()
        except sqlite3.Error as error:
            if database is not None:
                database.close()
            if "locked" in str(error):
                raise StoreError(
                    f"{str(path)!r} is in use by another process; wait until that has ended, or "
                    "give another store with `--store`."
                ) from error
            raise StoreError(
                f"{str(path)!r} cannot be used as the store of translations ({error}); give "
                "another file with `--store`."
            ) from error

    def __enter__(self) -> Store:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._database.close()

    def find(self, keys: Iterable[str]) -> dict[str, Result]:
        """Find what came of jobs.

        Args:
            keys: of the jobs.

        Returns:
            The first good result of each, or else the last one; nothing for those never asked.
        """
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Result] = {}
        for start in range(0, len(wanted), KEYS_PER_QUERY):
            part = wanted[start : start + KEYS_PER_QUERY]
            query = f"WHERE key IN ({','.join('?' * len(part))})"
            for result in self._select_results(query, part):
                known = found.get(result.key)
                if known is None or not known.is_good:
                    found[result.key] = result
        return found

    def add(self, results: Sequence[Result], paid: Paid | None = None) -> None:
        """Keep results and what their answer cost, all or nothing.

        Args:
            results: any number of them.
            paid: what was paid for them; None if nothing was.
        """
        with self._transaction():
            self._insert_results(results, [] if paid is None else [paid])

    def add_batch(self, event: BatchEvent) -> None:
        """Keep a step in the life of a batch, even if the machine loses its power after this."""
        self._database.execute("PRAGMA synchronous = FULL")
        try:
            with self._transaction():
                self._insert("batches", BatchEvent, [astuple(event)])
        finally:
            self._database.execute("PRAGMA synchronous = NORMAL")

    def add_collected(
        self, results: Sequence[Result], paid: Sequence[Paid], event: BatchEvent
    ) -> None:
        """Keep what came of a batch together with its last event, all or nothing.

        Args:
            results: any number of them.
            paid: what was paid, one entry an answer.
            event: that the batch is collected: so it never is twice.
        """
        with self._transaction():
            self._insert_results(results, paid)
            self._insert("batches", BatchEvent, [astuple(event)])

    def open_batches(self) -> list[BatchEvent]:
        """Return the last event of every batch that was neither collected nor given up."""
        columns = ", ".join(field.name for field in fields(BatchEvent))
        last: dict[str, BatchEvent] = {}
        for row in self._database.execute(f"SELECT {columns} FROM batches ORDER BY seq"):
            event = BatchEvent(*row)
            last[event.name] = event
        return [event for event in last.values() if event.state in ("submitting", "submitted")]

    def total_cost(self) -> float:
        """Return what all answers cost, in US dollars."""
        return self._database.execute("SELECT TOTAL(cost) FROM answers").fetchone()[0]

    def results(self) -> Iterator[Result]:
        """Yield all results in the order in which they came."""
        yield from self._select_results("ORDER BY seq", [])

    def answers(self) -> Iterator[Paid]:
        """Yield what was paid for each answer, in the order in which they came."""
        columns = ", ".join(field.name for field in fields(Paid))
        for row in self._database.execute(f"SELECT {columns} FROM answers ORDER BY seq"):
            yield Paid(*row)

    def _open(self) -> None:
        execute = self._database.execute
        self._read_version()  # before anything of a file that is no store is touched
        execute("PRAGMA locking_mode = EXCLUSIVE")
        # Nothing of a killed process is lost so, and an answer need not wait for the disk.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            if self._read_version() == FORMAT:
                return
            for statement in _SCHEMA.split(";\n"):
                execute(statement)
            for table in _TABLES:
                for event in ("UPDATE", "DELETE"):
                    execute(
                        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'rows are only ever added'); END"
                    )
            execute(f"PRAGMA user_version = {FORMAT}")

    def _read_version(self) -> int:
        """Format of the file; 0 of a new one."""
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        tables = self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if version != FORMAT and (version or tables):
            raise sqlite3.DatabaseError(f"its format is {version}, not {FORMAT}")
        return version

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)

    def _insert_results(self, results: Sequence[Result], paid: Sequence[Paid]) -> None:
        rows = [
            (*astuple(result)[:3], json.dumps(result.texts), *astuple(result)[4:])
            for result in results
        ]
        self._insert("results", Result, rows)
        self._insert("answers", Paid, [astuple(one) for one in paid])

    def _insert(self, table: str, kind: type, rows: list[tuple]) -> None:
        columns = [field.name for field in fields(kind)]
        marks = ",".join("?" * len(columns))
        self._database.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
        )

    def _select_results(self, condition: str, values: Sequence[str]) -> Iterator[Result]:
        columns = ", ".join(field.name for field in fields(Result))
        for row in self._database.execute(f"SELECT {columns} FROM results {condition}", values):
            yield Result(*row[:3], tuple(json.loads(row[3])), *row[4:])


class _Transaction:
    """Takes the write lock at once, and keeps all or nothing of what happens inside."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        try:
            self._database.execute("COMMIT" if kind is None else "ROLLBACK")
        except sqlite3.Error as failure:
            # A full disk has rolled back by itself.
            raise OSError(f"the store of translations cannot be written ({failure})") from failure
        if kind is not None and issubclass(kind, sqlite3.OperationalError):
            raise OSError(f"the store of translations cannot be written ({error})")
