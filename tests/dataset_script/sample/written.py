"""Reads a written sample corpus with as little of the writer's own code as can be."""

import csv
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"Sess(\d+)_script0(\d)_User(\d+)([FM])_(\d+)")


@dataclass(frozen=True)
class Row:
    """One annotation row as it stands in the file."""

    session: int
    script: int
    user: int
    gender: str
    number: int
    segment_id: str
    start: float
    end: float
    total: list[str]
    raters: list[list[str]]

    @property
    def dialogue(self) -> str:
        return self.segment_id.split("_User")[0]


def read_rows(corpus: Path) -> list[Row]:
    """Every row in the order of the files."""
    return [row for path in sorted((corpus / "annotation").iterdir()) for row in _read_file(path)]


def _read_file(path: Path) -> list[Row]:
    cells = list(csv.reader(path.read_text(encoding="ascii").splitlines()))[2:]
    return [
        Row(
            *(int(part) if part.isdigit() else part for part in NAME.fullmatch(row[3]).groups()),
            segment_id=row[3],
            start=float(row[1]),
            end=float(row[2]),
            total=row[4:7],
            raters=[row[index : index + 3] for index in range(7, 37, 3)],
        )
        for row in cells
    ]


def wav_path(corpus: Path, row: Row) -> Path:
    return corpus / "wav" / f"Session{row.session:02d}" / f"{row.segment_id}.wav"


def read_transcript(corpus: Path, row: Row) -> str:
    return wav_path(corpus, row).with_suffix(".txt").read_bytes().decode("cp949").rstrip("\n")


def read_translations(path: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["id"], row["text_en"]) for row in rows]


def read_truth(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "truth.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_tree(folder: Path) -> dict[str, bytes]:
    """The bytes of every file by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write_failing_espeak(folder: Path, *, on: str) -> None:
    """Write an `espeak-ng` that speaks, but then says that it failed on texts that hold `on`."""
    folder.mkdir()
    program = folder / "espeak-ng"
    program.write_text(
        f"#!{sys.executable}\n"
        "import subprocess, sys\n"
        f"status = subprocess.call([{shutil.which('espeak-ng')!r}, *sys.argv[1:]])\n"
        f"sys.exit('no voice left' if {on!r} in sys.argv[-1] else status)\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
