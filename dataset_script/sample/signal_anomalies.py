"""Plants the known faults of the delivered bio-signals in those of a sample corpus.

A part of `anomalies`, which lists them with all others. They are planted in the first session, each
in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..signal_files import SIGNALS

FOREIGN_SESSION = "Sess42"
JUNK = ("high,low,none,at,all", "nan,nan,nan,Sess01", "-,-,-,-,-,-")  # no values of ECG or IBI
JUNK_LINE = 5  # where it begins, after any header


def rename_wearers(corpus: Path, session: int, users: dict[str, str]) -> None:
    """Give the wearers of one session of KEMDy20 other names, in file names and Segment IDs.

    Args:
        corpus: folder of the corpus.
        session: session number, from 1.
        users: new name by old name, such as `User081F` by `User001F`.
    """
    for signal in SIGNALS["kemdy20"]:
        for path in sorted((corpus / signal / f"Session{session:02d}").glob("*.csv")):
            text, stem = path.read_text(encoding="ascii"), path.stem
            for old, new in users.items():
                text, stem = text.replace(f"_{old}_", f"_{new}_"), stem.replace(old, new)
            path.write_text(text, encoding="ascii")
            path.rename(path.with_stem(stem))


def spoil_signals(corpus: Path, layout: str, add: Callable[..., None]) -> None:
    """Spoil bio-signals of the first session.

    Args:
        corpus: folder of the corpus, which is changed.
        layout: `kemdy20` or `kemdy19`.
        add: takes kind, file, line and whether it is to be named of each fault.
    """
    files = {
        signal: sorted((corpus / signal / "Session01").rglob("*.csv")) for signal in SIGNALS[layout]
    }
    # A person who says nothing in a dialogue of KEMDy20 has a file without a single ID.
    prefixed = next(path for path in files["EDA"] if ",Sess" in path.read_text(encoding="ascii"))
    add("signal_prefix", prefixed, line=_change_prefix(prefixed))
    silent, missing = files["TEMP"][0], files["TEMP"][-1]
    _drop_ids(silent)
    add("signal_outside", silent, named=False)
    missing.unlink()
    add("missing_signal", missing)
    if layout == "kemdy20":
        empty = files["IBI"][0]
        empty.write_bytes(b"")
        add("empty_signal_file", empty, named=False)
    bad = files["ECG" if layout == "kemdy19" else "IBI"][-1]
    lines = bad.read_text(encoding="ascii").splitlines()
    _write_lines(bad, [*lines[: JUNK_LINE - 1], *JUNK, *lines[JUNK_LINE - 1 :]])
    add("signal_lines", bad, line=JUNK_LINE)


def _change_prefix(path: Path) -> int:
    """Put every Segment ID of a file into another session; returns the line of the first."""
    lines = path.read_text(encoding="ascii").splitlines()
    _write_lines(path, [line.replace(",Sess01_", f",{FOREIGN_SESSION}_") for line in lines])
    return next(number for number, line in enumerate(lines, 1) if ",Sess01_" in line)


def _drop_ids(path: Path) -> None:
    lines = path.read_text(encoding="ascii").splitlines()
    _write_lines(path, [line.partition(",Sess")[0] for line in lines])


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
