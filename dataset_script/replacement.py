"""Puts a finished folder or file in the place of an old one, or leaves the old one as it was.

Used by whatever writes what people rely on: a release (`release.py`), a sample corpus
(`sample/writer.py`) and the report on a translation (`translation/quality.py`).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside `target` that takes its place if nothing goes wrong.

    A process that is killed leaves a hidden `.<name>.building-…` beside the target, which is whole.

    Args:
        target: the folder to replace; it need not exist.

    Returns:
        A context manager whose value is the fresh, empty folder.

    Example:
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with replace_folder(Path(parent) / "corpus") as fresh:
        ...         _ = (fresh / "a.txt").write_text("new")
        ...     (Path(parent) / "corpus" / "a.txt").read_text()
        'new'
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because only within one file system is a rename a single step.
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.building-", dir=target.parent))
    fresh, old = work / "new", work / "old"
    fresh.mkdir()
    try:
        yield fresh
        try:
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
    finally:
        if target.exists() or not old.exists():  # never delete the only copy
            shutil.rmtree(work)


@contextmanager
def replace_file(target: Path) -> Iterator[TextIO]:
    """Give a fresh text file (UTF-8) that takes the place of `target` if nothing goes wrong.

    What no UTF-8 can hold, such as half of a surrogate pair, is written as a question mark.

    Args:
        target: the file to replace; it need not exist.

    Returns:
        A context manager whose value is the fresh file, open.

    Example:
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with replace_file(Path(parent) / "a.txt") as fresh:
        ...         _ = fresh.write("new")
        ...     (Path(parent) / "a.txt").read_text()
        'new'
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not by mkstemp, whose files only their owner may read.
    fresh = target.with_name(f".{target.name}.building-{os.getpid()}")
    try:
        with open(fresh, "w", encoding="utf-8", errors="replace") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
