"""Plants the known faults of the delivered corpora in a sample corpus, and lists what it planted.

Each fault is planted once, in the first session (foreign user numbers: in the last one), and
`anomalies.json` beside the corpus holds one entry for each: its kind, its file, its line, and
whether a look over the corpus is to name it. Those that are not to be named must be read without a
word, such as other line ends or a tie between emotions. `signal_anomalies` spoils the bio-signals.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from ..layout import LAYOUTS, SAMPLING_RATE
from ..signal_files import SIGNALS
from .signal_anomalies import rename_wearers, spoil_signals

ANOMALIES_FILE = "anomalies.json"
RENAMED_ROOT = "renamed"  # folders that a user unpacked the corpus into
NESTED_ROOT = "unpacked"

LONG_SECONDS = 77
TWO_WAY = ("happy", "neutral")
FIVE_WAY = ("sad", "neutral", "fear", "happy", "angry")
WRISTBAND_COLUMNS = slice(5, 9)  # EDA and TEMP of KEMDy19
ENCODINGS = {"kemdy20": ("cp949", "utf-8"), "kemdy19": ("utf-8", "cp949")}  # own, foreign


@dataclass(frozen=True)
class Anomaly:
    """One planted fault.

    Attributes:
        kind: short name; that of the problem where it is to be named.
        file: path in the corpus folder, `/` between its parts.
        line: line of `file`, from 1; None where the whole file is meant.
        is_named: whether a look over the corpus is to name it.
    """

    kind: str
    file: str
    line: int | None
    is_named: bool


def plant_anomalies(corpus: Path, layout: str) -> list[Anomaly]:
    """Spoil a freshly written sample corpus with one of every known fault.

    Args:
        corpus: its folder, which is changed; it may be without bio-signals.
        layout: `kemdy20` or `kemdy19`.

    Returns:
        What was planted, as `anomalies.json` holds it.

    Raises:
        ValueError: if the first session is too short.
    """
    planter = _Planter(corpus, layout)
    if layout == "kemdy20":
        planter.rename_users()
    planter.read_annotation()
    planter.plant_in_recordings()
    planter.plant_in_transcripts()
    planter.plant_in_rows()
    if layout == "kemdy20":
        planter.plant_in_kemdy20()
    else:
        planter.plant_in_kemdy19()
    planter.write_annotation()
    planter.plant_in_signals()
    planter.add_system_files()
    planter.move_root()
    rows = [asdict(anomaly) for anomaly in planter.planted]
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    (corpus / ANOMALIES_FILE).write_text(text, encoding="utf-8")
    return planter.planted


class _Planter:
    """The first session of a corpus on disk while it is being spoilt."""

    def __init__(self, corpus: Path, layout: str) -> None:
        self.planted: list[Anomaly] = []
        self._corpus = corpus
        self._layout = layout
        self._column = LAYOUTS[layout].columns.segment_id
        self._tables: dict[str, list[list[str]]] = {}
        self._main = ""  # the file whose rows name segments, the M file of KEMDy19
        self._free: dict[str, list[int]] = {}  # unspoilt rows by dialogue

    def rename_users(self) -> None:
        """Give the last session two women, users 081 and 082."""
        path = sorted((self._corpus / "annotation").iterdir())[-1]
        names = [row[self._column] for row in _read_csv(path)[2:]]
        users = sorted({name.split("_")[2] for name in names})
        new = dict(zip(users, ("User081F", "User082F"), strict=False))
        renamed = {
            name: name.replace(user, new[user]) for name in names for user in users if user in name
        }
        for old in sorted((self._corpus / "wav").rglob("*.*")):
            if old.stem in renamed:
                old.rename(old.with_name(renamed[old.stem] + old.suffix))
        for text in (path, *self._corpus.glob("*.jsonl"), *self._corpus.glob("truth.csv")):
            content = text.read_text(encoding="utf-8")
            for name, after in renamed.items():
                content = content.replace(name, after)
            text.write_text(content, encoding="utf-8")
        session = int(LAYOUTS[self._layout].annotation_name.match(path.name)["session"])
        rename_wearers(self._corpus, session, new)
        self._add("foreign_users", path, named=False)
        self._add("same_gender_pair", path, named=False)

    def read_annotation(self) -> None:
        """Read the tables of the first session and find out which rows there are."""
        paths = sorted((self._corpus / "annotation").iterdir())
        count = 1 if self._layout == "kemdy20" else 2
        for path in paths[:count]:
            self._tables[path.name] = _read_csv(path)
        self._main = paths[count - 1].name
        for index, row in enumerate(self._tables[self._main][2:], start=2):
            self._free.setdefault(_dialogue(row[self._column]), []).append(index)

    def plant_in_recordings(self) -> None:
        """A silent wav, a very long one, one with an upper-case extension."""
        silent = self._wav(self._take())
        samples, _ = soundfile.read(silent, dtype="int16")
        soundfile.write(silent, np.zeros_like(samples), SAMPLING_RATE, subtype="PCM_16")
        self._add("silent_wav", silent)
        long = self._wav(self._take())
        noise = np.random.default_rng(0).integers(-99, 100, LONG_SECONDS * SAMPLING_RATE)
        soundfile.write(long, noise.astype(np.int16), SAMPLING_RATE, subtype="PCM_16")
        self._add("long_wav", long)
        wav = self._wav(self._take())
        self._add("upper_case_extension", wav.rename(wav.with_suffix(".WAV")), named=False)

    def plant_in_transcripts(self) -> None:
        """A transcript that is missing, one of marks, one in the other encoding, line ends."""
        missing = self._txt(self._take())
        missing.unlink()
        self._add("missing_transcript", missing)
        marks = self._txt(self._take())
        marks.write_bytes(b"l/ b/\n")
        self._add("marks_only", marks)
        own, foreign = ENCODINGS[self._layout]
        # Some texts in UTF-8 would pass for CP949.
        text = self._txt(self._take(lambda row: not _passes(self._txt(row), own, foreign)))
        text.write_bytes(text.read_bytes().decode(own).encode(foreign))
        self._add("transcript_encoding", text)
        windows = self._txt(self._take())
        windows.write_bytes(b" " + windows.read_bytes().replace(b"\n", b"\r\n"))
        self._add("transcript_line_end", windows, named=False)

    def plant_in_rows(self) -> None:
        """Ties of two and of five emotions, and totals that are not the raters'."""
        for kind, votes in (("two_way_tie", TWO_WAY), ("five_way_tie", FIVE_WAY)):
            self._vote(self._take(), votes * (10 // len(votes)), total=";".join(votes), kind=kind)
        row = self._take()
        self._vote(row, ("sad",) * 10, total="happy", kind="total_emotion", named=True)
        row = self._take()
        mean = float(self._cells(row)[self._column + 2])
        self._cells(row)[self._column + 2] = f"{mean + (1 if mean < 3 else -1):.1f}"
        self._add("total_valence", self._annotation(), line=row + 1)

    def plant_in_kemdy20(self) -> None:
        """`disqust`, a foreign session, a turn within the one before."""
        row = self._take()
        self._vote(row, ("disgust",) * 10, total="disqust", kind="label_spelling", named=True)
        row = self._take()
        name = self._cells(row)[self._column]
        self._cells(row)[self._column] = f"Sess42_{name.split('_', 1)[1]}"
        self._add("session_prefix", self._annotation(), line=row + 1)
        row = next(rows.pop() for rows in self._free.values() if len(rows) > 1)
        before = self._cells(row - 1)
        self._cells(row)[1] = f"{(float(before[1]) + float(before[2])) / 2:.6f}"
        self._add("overlapping_turn", self._annotation(), line=row + 1, named=False)

    def plant_in_kemdy19(self) -> None:
        """IDs that only one file has right, a segment without a wav, brackets, empty signals."""
        women = self._annotation(next(name for name in self._tables if name != self._main))
        row = self._take(lambda row: "_F001" in self._cells(row)[self._column])
        table = self._tables[women.name]
        table[row][self._column] = table[row][self._column].replace("_F001", "_M001")
        self._add("segment_id", women, line=row + 1)
        self._lose_a_wav(table)
        stray = self._rename_a_transcript()
        self._add("misnamed_transcript", stray)
        for kind, text in (("overlap", "(응) "), ("overlap_and_own_words", "(응+글쎄) ")):
            place = self._txt(self._take())
            place.write_text(text + place.read_text(encoding="utf-8"), encoding="utf-8")
            self._add(kind, place, named=False)
        rows = [n for n, row in enumerate(table) if _dialogue(row[self._column]) == self._last()]
        for row in rows:
            table[row][WRISTBAND_COLUMNS] = [""] * 4
        self._add("empty_signals", women, line=rows[0] + 1)

    def write_annotation(self) -> None:
        """Write the tables with a byte order mark, Windows line ends and other blank cells."""
        blanks = {" ": "", "": " "}
        for name, rows in self._tables.items():
            header = [[blanks.get(cell, cell) for cell in row] for row in rows[:2]]
            text = io.StringIO()
            csv.writer(text, lineterminator="\r\n").writerows([*header, *rows[2:]])
            self._annotation(name).write_bytes(codecs.BOM_UTF8 + text.getvalue().encode())
            for kind in ("byte_order_mark", "windows_line_ends", "other_blank_cells"):
                self._add(kind, self._annotation(name), named=False)

    def plant_in_signals(self) -> None:
        """What is wrong with files of bio-signals, if the corpus has any."""
        if (self._corpus / "EDA").is_dir():
            spoil_signals(self._corpus, self._layout, self._add)

    def add_system_files(self) -> None:
        """Leave what an archiver leaves beside the files: `__MACOSX` and `._name`."""
        path = self._annotation()
        shadow = self._corpus / "wav" / "__MACOSX" / f"._{path.name}"
        shadow.parent.mkdir()
        for place in (shadow, path.with_name(f"._{path.name}")):
            place.write_bytes(b"\0\5\26\7")
            self._add("system_file", place, named=False)

    def move_root(self) -> None:
        """Nest annotation, recordings and bio-signals in folders of other names."""
        root = Path(RENAMED_ROOT, NESTED_ROOT)
        (self._corpus / root).mkdir(parents=True)
        for name in ("annotation", "wav", *SIGNALS[self._layout]):
            if (self._corpus / name).is_dir():
                (self._corpus / name).rename(self._corpus / root / name)
        self.planted = [
            Anomaly(found.kind, (root / found.file).as_posix(), found.line, found.is_named)
            for found in self.planted
        ]
        self._add("renamed_root", self._corpus / root, named=False)

    def _lose_a_wav(self, table: list[list[str]]) -> None:
        """Call the last segment of a dialogue what no wav is called, otherwise in each file."""
        name = self._fullest()
        row = self._free[name][-1]
        gender = self._cells(row)[self._column].rsplit("_", 1)[1][0]
        other = "M" if gender == "F" else "F"
        self._cells(row)[self._column] = f"{name}_{gender}931"
        table[row][self._column] = f"{name}_{other}931"
        del self._free[name]
        self._add("repaired_segment", self._annotation(), line=row + 1)

    def _rename_a_transcript(self) -> Path:
        """Give the last transcript of a speaker the number after its own."""
        name = self._fullest()
        last = max(self._cells(row)[self._column] for row in self._free[name])
        path = next((self._corpus / "wav").rglob(f"{last}.txt"))
        stem, number = path.stem[:-3], int(path.stem[-3:])
        del self._free[name]
        return path.rename(path.with_name(f"{stem}{number + 1:03d}.txt"))

    def _fullest(self) -> str:
        """The dialogue of which most rows are unspoilt, so that none of it is."""
        return max(list(self._free)[:-1], key=lambda name: len(self._free[name]))

    def _last(self) -> str:
        return list(self._free)[-1]

    def _take(self, fits: Callable[[int], bool] = lambda row: True) -> int:
        """Give away an unspoilt row, from the first dialogues on."""
        for rows in self._free.values():
            for row in rows:
                if fits(row):
                    rows.remove(row)
                    return row
        raise ValueError("`corpus` has no row for another anomaly: give more turns.")

    def _vote(
        self, row: int, votes: tuple[str, ...], *, total: str, kind: str, named: bool = False
    ) -> None:
        cells = self._cells(row)
        cells[self._column + 1] = total
        cells[self._column + 4 :: 3] = votes
        self._add(kind, self._annotation(), line=row + 1, named=named)

    def _cells(self, row: int) -> list[str]:
        return self._tables[self._main][row]

    def _annotation(self, name: str | None = None) -> Path:
        return self._corpus / "annotation" / (name or self._main)

    def _wav(self, row: int) -> Path:
        return next((self._corpus / "wav").rglob(f"{self._cells(row)[self._column]}.wav"))

    def _txt(self, row: int) -> Path:
        return next((self._corpus / "wav").rglob(f"{self._cells(row)[self._column]}.txt"))

    def _add(self, kind: str, file: Path, *, line: int | None = None, named: bool = True) -> None:
        place = file.relative_to(self._corpus).as_posix()
        self.planted.append(Anomaly(kind, place, line, named))


def _read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="ascii", newline="") as file:
        return list(csv.reader(file))


def _dialogue(segment_id: str) -> str:
    """Return the dialogue of a Segment ID of either corpus."""
    return "_".join(segment_id.split("_")[:2])


def _passes(path: Path, own: str, foreign: str) -> bool:
    """Tell whether a text would still decode in its own encoding if it were in a foreign one."""
    try:
        path.read_bytes().decode(own).encode(foreign).decode(own)
    except UnicodeDecodeError:
        return False
    return True
