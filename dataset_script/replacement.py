"""Puts a finished folder in the place of an old one, or leaves the old one as it was.

Used by whatever writes a folder that people rely on: a release (`release.py`) and a sample corpus
(`sample/writer.py`).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
