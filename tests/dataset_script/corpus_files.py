"""Writes small corpora in the corpora's layouts with invented values, for the tests to spoil."""

import csv
import io
import wave
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset_script.layout import (
    KEMDY19_HEADER,
    KEMDY20_HEADER,
    SAMPLING_RATE,
    format_segment_id_kemdy19,
    format_segment_id_kemdy20,
)

NEUTRAL_VOTES = ("neutral",) * 10


@dataclass
class Segment:
    """One row with its files; None for a file that is not to be written.

    `samples` are 16-bit values of the wav; `ratings` hold (valence, arousal) of the ten raters.
    """

    session: int
    script: int
    user: int
    gender: str
    number: int
    text: str | None = "가 나 다."
    samples: Sequence[int] | None = (0, 100, -100, 50) * 400
    votes: Sequence[str] = NEUTRAL_VOTES
    ratings: Sequence[tuple[int, int]] = ((3, 3),) * 10
    total: str | None = None
    written_id: str | None = None
    encoding: str = "cp949"

    @property
    def segment_id(self) -> str:
        return format_segment_id_kemdy20(
            self.session, self.script, user=self.user, gender=self.gender, number=self.number
        )

    def cells(self, line: int) -> list[str]:
        """The 37 cells of the annotation row."""
        total = self.total
        if total is None:
            most = max(map(self.votes.count, self.votes))
            total = ";".join(dict.fromkeys(v for v in self.votes if self.votes.count(v) == most))
        means = [sum(values) / 10 for values in zip(*self.ratings, strict=True)]
        cells = [str(line), f"{line}.0", f"{line + 1}.0", self.written_id or self.segment_id, total]
        cells += [f"{mean:g}" for mean in means]
        for vote, (valence, arousal) in zip(self.votes, self.ratings, strict=True):
            cells += [vote, str(valence), str(arousal)]
        return cells


def encode_wav(
    samples: Sequence[int], *, rate: int = SAMPLING_RATE, channels: int = 1, width: int = 2
) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"".join(v.to_bytes(width, "little", signed=True) for v in samples))
    return buffer.getvalue()


def make_segments(n_sessions: int, *, turns: int = 2) -> list[Segment]:
    """Two dialogues a session, two speakers in turn, `turns` turns each."""
    return [
        Segment(
            session,
            script,
            user=2 * session - 1 + who,
            gender="FM"[who],
            number=number,
            samples=[session * 100 + script * 10 + number + who] * 1600,
            text=f"b/ 말 {number}.",
        )
        for session in range(1, n_sessions + 1)
        for script in (1, 2)
        for number in range(1, turns + 1)
        for who in (0, 1)
    ]


@dataclass
class Corpus:
    """A corpus on disk and the segments it was written from."""

    root: Path
    segments: list[Segment] = field(default_factory=list)

    def wav(self, segment: Segment) -> Path:
        return self.root / "wav" / f"Session{segment.session:02d}" / f"{segment.segment_id}.wav"

    def txt(self, segment: Segment) -> Path:
        return self.wav(segment).with_suffix(".txt")

    def annotation(self, session: int) -> Path:
        return self.root / "annotation" / f"Sess{session:02d}_eval.csv"

    def edit_cell(self, segment: Segment, column: int, value: str) -> int:
        """Overwrite one cell of the segment's row; returns its line in the file."""
        path = self.annotation(segment.session)
        rows = list(csv.reader(path.read_text().splitlines()))
        line = next(i for i, row in enumerate(rows) if row[3] == segment.segment_id)
        rows[line][column] = value
        path.write_text(join_rows(rows))
        return line + 1


def join_rows(rows: Sequence[Sequence[str]], *, newline: str = "\n") -> str:
    return "".join(",".join(row) + newline for row in rows)


def write_corpus(
    root: Path,
    segments: Sequence[Segment],
    *,
    header: Sequence[Sequence[str]] = KEMDY20_HEADER,
    newline: str = "\n",
    bom: bool = False,
) -> Corpus:
    """Write annotation, wav and transcript of all segments below `root`."""
    corpus = Corpus(root, list(segments))
    by_session: dict[int, list[list[str]]] = {}
    for segment in segments:
        rows = by_session.setdefault(segment.session, [])
        rows.append(segment.cells(len(rows) + 1))
        corpus.wav(segment).parent.mkdir(parents=True, exist_ok=True)
        if segment.samples is not None:
            corpus.wav(segment).write_bytes(encode_wav(segment.samples))
        if segment.text is not None:
            corpus.txt(segment).write_bytes(f"{segment.text}\n".encode(segment.encoding))
    for session, rows in by_session.items():
        path = corpus.annotation(session)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = join_rows([*header, *rows], newline=newline)
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode("ascii"))
    return corpus


@dataclass
class Segment19:
    """One row of KEMDy19 in both files; `votes` and `other_votes` of speaker and listener."""

    session: int
    scene: str
    gender: str
    number: int
    text: str | None = "가 나 다."
    samples: Sequence[int] | None = (0, 100, -100, 50) * 400
    votes: Sequence[str] = NEUTRAL_VOTES
    other_votes: Sequence[str] = ("sad",) * 10
    name_in_f: str | None = None
    name_in_m: str | None = None
    signals: Sequence[str] = ("0.1", "0.2", "1.5", "1.6", "30.1", "30.2")
    encoding: str = "utf-8"

    @property
    def segment_id(self) -> str:
        return format_segment_id_kemdy19(
            self.session, self.scene, gender=self.gender, number=self.number
        )

    def cells(self, line: int, file_of: str) -> list[str]:
        """The 43 cells of the row in the file of one gender."""
        votes = self.votes if file_of == self.gender else self.other_votes
        most = max(map(votes.count, votes))
        total = ";".join(dict.fromkeys(v for v in votes if votes.count(v) == most))
        written = self.name_in_f if file_of == "F" else self.name_in_m
        cells = [str(line), f"{line}.125", f"{line + 1}.5", *self.signals]
        cells += [written or self.segment_id, total, "3", "3"]
        return cells + [cell for vote in votes for cell in (vote, "3", "3")]


def make_segments19(n_sessions: int, *, turns: int = 2) -> list[Segment19]:
    """A script and an improvisation a session, woman and man in turn, `turns` turns each."""
    return [
        Segment19(
            session,
            scene,
            gender,
            number,
            samples=[session * 100 + number] * 1600,
            text=f"b/ 말 {number}.",
        )
        for session in range(1, n_sessions + 1)
        for scene in ("script01", "impro01")
        for number in range(1, turns + 1)
        for gender in "FM"
    ]


@dataclass
class Corpus19:
    """A KEMDy19 on disk and the segments it was written from."""

    root: Path
    segments: list[Segment19] = field(default_factory=list)

    def wav(self, segment: Segment19) -> Path:
        dialogue = segment.segment_id.rsplit("_", 1)[0]
        session = f"Session{segment.session:02d}"
        return self.root / "wav" / session / dialogue / f"{segment.segment_id}.wav"

    def txt(self, segment: Segment19) -> Path:
        return self.wav(segment).with_suffix(".txt")

    def annotation(self, session: int, gender: str) -> Path:
        return self.root / "annotation" / f"Session{session:02d}_{gender}_res.csv"


def write_corpus19(
    root: Path, segments: Sequence[Segment19], *, newline: str = "\n", bom: bool = False
) -> Corpus19:
    """Write both annotation files, wav and transcript of all segments below `root`."""
    corpus = Corpus19(root, list(segments))
    rows: dict[tuple[int, str], list[list[str]]] = {}
    for segment in segments:
        for gender in "FM":
            table = rows.setdefault((segment.session, gender), [])
            table.append(segment.cells(len(table) + 1, gender))
        corpus.wav(segment).parent.mkdir(parents=True, exist_ok=True)
        if segment.samples is not None:
            corpus.wav(segment).write_bytes(encode_wav(segment.samples))
        if segment.text is not None:
            corpus.txt(segment).write_bytes(f"{segment.text}\n".encode(segment.encoding))
    for (session, gender), table in rows.items():
        path = corpus.annotation(session, gender)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = join_rows([*KEMDY19_HEADER, *table], newline=newline)
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode("ascii"))
    return corpus


def pack(target: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """Write a zip of (name, bytes)."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target


def pack_folder(root: Path, target: Path, *, prefix: str = "") -> Path:
    """Write a zip of all files below `root`."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    names = ((f"{prefix}{path.relative_to(root).as_posix()}", path) for path in paths)
    return pack(target, [(name, path.read_bytes()) for name, path in names])
