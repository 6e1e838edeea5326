"""A corpus inside the zip in which it was delivered: read member by member, never unpacked.

Nothing is written to disk, so a member's path can do no harm, whatever it says. The names come out
as those of an unpacked folder would: `/` between their parts, without what an archiver or a system
adds.
"""

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from .files import SKIPPED_FOLDERS, CorpusFiles, CorpusFolder, UnreadableFileError, decode_lines
from .report import CorpusError
from .transcripts import ENCODINGS

ENCRYPTED = 0x1  # bits of a member's flags
NAMES_IN_UTF8 = 0x800


class ZipCorpus:
    """The files inside one zip, by their path in it.

    Args:
        root: the zip.

    Attributes:
        root: as given.
        names: paths with `/` between their parts, sorted.

    Raises:
        CorpusError: if `root` is no zip, or one that is cut off.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        try:
            self._archive = zipfile.ZipFile(self.root)
        except zipfile.BadZipFile as error:
            raise CorpusError(
                f"{str(root)!r} is no whole zip ({error}); get it again, or give the folder of the "
                "unpacked corpus."
            ) from error
        members = {_normalise(member): member for member in self._archive.infolist()}
        self._members = {name: member for name, member in members.items() if _is_wanted(name)}
        self.names = sorted(self._members)

    def read(self, name: str) -> bytes:
        """Return the bytes of one of `names`.

        Args:
            name: the path.

        Returns:
            The whole content, whose checksum was verified.

        Raises:
            UnreadableFileError: if the member is encrypted or damaged; the message completes "the
                file …".
        """
        with self._name_faults(name) as member:
            return self._archive.read(member)

    def read_lines(self, name: str) -> Iterator[str]:
        """Yield the lines of one of `names`; `UnreadableFileError` may come after some of them."""
        with self._name_faults(name) as member, self._archive.open(member) as file:
            yield from decode_lines(file)

    def fingerprint(self) -> str:
        """Hash names, sizes, checksums and times of all members.

        Returns:
            16 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for name in self.names:
            member = self._members[name]
            facts = (name, member.file_size, member.CRC, member.date_time)
            digest.update(f"{facts}\n".encode(errors="surrogatepass"))
        return digest.hexdigest()[:16]

    @contextmanager
    def _name_faults(self, name: str) -> Iterator[zipfile.ZipInfo]:
        """Give the member to read, and say what is wrong with it if it cannot be."""
        member = self._members[name]
        if member.flag_bits & ENCRYPTED:
            raise UnreadableFileError("is encrypted; unpack the zip with its password")
        try:
            yield member
        except (
            *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError),  # damaged
            *(EOFError, NotImplementedError),  # cut off, or packed in a way that Python has not
        ) as error:
            raise UnreadableFileError(
                f"cannot be unpacked ({error}); unpack the zip with another program and give the "
                "folder"
            ) from error


def open_files(path: str | Path) -> CorpusFiles:
    """Open a corpus as it lies on disk.

    Args:
        path: the folder of the unpacked corpus, or the zip.

    Returns:
        Its files.

    Raises:
        CorpusError: if there is neither a folder nor a zip.
    """
    return ZipCorpus(path) if Path(path).expanduser().is_file() else CorpusFolder(path)


def _normalise(member: zipfile.ZipInfo) -> str:
    """The path with `/` between its parts, in the letters that it was packed with.

    A zip that does not say that its names are UTF-8 is read as if they were CP437; Korean programs
    write CP949.
    """
    name = member.filename.replace("\\", "/")
    if member.flag_bits & NAMES_IN_UTF8 or name.isascii():
        return name
    written = member.orig_filename.encode("cp437").replace(b"\\", b"/")
    for encoding in ENCODINGS:
        try:
            return written.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name


def _is_wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    return not name.endswith("/") and not hidden and not set(parts) & set(SKIPPED_FOLDERS)
