"""Where the files of a corpus are: found by name anywhere below the root, read as bytes.

Users unpack the corpora into nested and renamed folders, so no path is taken for granted; a file is
known by its stem and its extension. What an archiver or a system adds (`__MACOSX`, `._name`,
hidden files) is passed over.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from .report import CorpusError

SKIPPED_FOLDERS = ("__MACOSX",)


class UnreadableFileError(ValueError):
    """A file that is listed and cannot be read; the message completes "the file …"."""


class CorpusFiles(Protocol):
    """What the readers need of a corpus, be it a folder or a zip (`archive.py`).

    Attributes:
        root: the folder or the zip.
        names: paths relative to it, with `/` between their parts, sorted.
    """

    root: Path
    names: list[str]

    def read(self, name: str) -> bytes:
        """Return the bytes of one of `names`, or raise `UnreadableFileError`."""

    def read_lines(self, name: str) -> Iterator[str]:
        """Yield the lines of one of `names`; `UnreadableFileError` may come after some of them."""

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that another content would not give."""


class CorpusFolder:
    """The files below one folder, by their path relative to it.

    Args:
        root: the unpacked corpus, or any folder above it.

    Attributes:
        root: as given.
        names: relative paths with `/` between their parts, sorted.

    Raises:
        CorpusError: if `root` is not a folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise CorpusError(
                f"`corpus_dir` {str(root)!r} is not a folder or zip; give the corpus, unpacked or "
                "as it was delivered."
            )
        self.names = sorted(self._walk())

    def read(self, name: str) -> bytes:
        """Return the bytes of one of `names`, or raise `UnreadableFileError`."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise _explain(error) from error

    def read_lines(self, name: str) -> Iterator[str]:
        """Yield the lines of one of `names`; `UnreadableFileError` may come after some of them."""
        try:
            with (self.root / name).open("rb") as file:
                yield from decode_lines(file)
        except OSError as error:
            raise _explain(error) from error

    def fingerprint(self) -> str:
        """Hash names, sizes and times of all files: a corpus that changed gets another one.

        Returns:
            16 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for name in self.names:
            # Of a link itself, not of its target, which may be gone: reading it will say so.
            status = (self.root / name).lstat()
            facts = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
            digest.update(facts.encode(errors="surrogatepass"))
        return digest.hexdigest()[:16]

    def _walk(self) -> list[str]:
        names: list[str] = []
        visited: set[str] = set()
        # Links are followed, as large corpora are often linked into place; loops of links are not.
        for folder, subfolders, files in os.walk(self.root, followlinks=True):
            real = os.path.realpath(folder)
            if real in visited:
                subfolders.clear()
                continue
            visited.add(real)
            subfolders[:] = sorted(
                name
                for name in subfolders
                if name not in SKIPPED_FOLDERS and not name.startswith(".")
            )
            relative = Path(folder).relative_to(self.root)
            names += [(relative / name).as_posix() for name in files if not name.startswith(".")]
        return names


def _explain(error: OSError) -> UnreadableFileError:
    return UnreadableFileError(
        f"cannot be read by this system ({error.strerror}): mend or replace it"
    )


def decode_lines(file: BinaryIO) -> Iterator[str]:
    """Decode a text line by line, so that a large file needs no memory to speak of.

    Args:
        file: UTF-8 with any line ends, with a byte order mark or without.

    Yields:
        Each line with a newline at its end, but for the last if it has none.

    Raises:
        UnreadableFileError: at the first bytes that are not UTF-8.
    """
    try:
        yield from io.TextIOWrapper(file, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"is not UTF-8 ({error.reason})") from error


def fingerprint_file(path: str | Path) -> str:
    """Hash the bytes of a file.

    Args:
        path: the file.

    Returns:
        16 hexadecimal digits.

    Raises:
        CorpusError: if there is no such file.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise CorpusError(f"{str(path)!r} is not a file; check its name.")
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def index_by_stem(names: list[str], *, extension: str) -> dict[str, list[str]]:
    """Find files by what they are called, wherever they lie.

    Args:
        names: relative paths.
        extension: with its dot, lower case; upper case in a file name is accepted.

    Returns:
        The paths of each stem, in the order of `names`; more than one where copies lie about.

    Example:
        >>> index_by_stem(["wav/a.WAV", "wav/a.txt"], extension=".wav")
        {'a': ['wav/a.WAV']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() == extension:
            found.setdefault(path.stem, []).append(name)
    return found
