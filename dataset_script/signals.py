"""Bio-signals of both corpora by segment: EDA, TEMP, IBI and ECG, as far as they were recorded.

`signal_files.py` says where they lie. Lines go together by their Segment ID alone, because the
clocks of two wearers differ by minutes. Each person wore a device while both spoke, so one segment
may have signals of two people. No model of this repository uses them.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet

from .files import CorpusFiles, UnreadableFileError
from .layout import LAYOUTS
from .report import BuildReport
from .signal_files import SIGNALS, SignalFile, find_signal_files


@dataclass(frozen=True)
class SegmentSignal:
    """What one person's device measured during one utterance.

    Attributes:
        segment_id: the utterance, whoever spoke.
        wearer: name of the person who wore the device, as in the annotation.
        signal: `ECG`, `EDA`, `IBI` or `TEMP`.
        values: in the order of the file.
        times: the wearer's clock for each value, as it is written.
    """

    segment_id: str
    wearer: str
    signal: str
    values: list[float]
    times: list[str]


def read_signals(
    config: str, folder: CorpusFiles, report: BuildReport, *, known: Collection[str]
) -> Iterator[SegmentSignal]:
    """Read all bio-signals of a corpus, file by file.

    Args:
        config: `kemdy19` or `kemdy20`.
        folder: its files.
        report: takes a problem for each file with lines that cannot be used.
        known: Segment IDs of the data set; values of other segments are passed over and counted.

    Yields:
        The values of one segment in one file; segments without values do not occur.
    """
    for file in find_signal_files(config, folder, report):
        grouped: dict[str, SegmentSignal] = {}
        try:
            for run in _read_runs(config, file, folder, report, known=known):
                found = grouped.setdefault(run.segment_id, run)
                if found is not run:
                    found.values.extend(run.values)
                    found.times.extend(run.times)
        except UnreadableFileError as error:
            _pass_over(file, error, report)
            continue
        yield from grouped.values()


def list_segments(
    config: str,
    file: SignalFile,
    folder: CorpusFiles,
    report: BuildReport,
    *,
    known: Collection[str],
) -> set[str]:
    """Find out of which segments a file has values; no more than one segment is held at a time.

    Args:
        config: `kemdy19` or `kemdy20`.
        file: one of `find_signal_files`.
        folder: the files of the corpus.
        report: takes what `read_signals` would report of the file.
        known: Segment IDs of the data set.

    Returns:
        Those of `known` with at least one value; none if the file cannot be read to its end.
    """
    try:
        return {run.segment_id for run in _read_runs(config, file, folder, report, known=known)}
    except UnreadableFileError as error:
        _pass_over(file, error, report)
        return set()


def write_signals(signals: Iterator[SegmentSignal], path: Path, *, config: str) -> dict[str, int]:
    """Write signals as Parquet, one row a segment, wearer and signal.

    Args:
        signals: what `read_signals` yields.
        path: the file; its folder must exist.
        config: the corpus, with which the ids begin.

    Returns:
        Rows written, by signal; the columns are `id`, `wearer`, `signal`, `values`, `times`.
    """
    schema = pyarrow.schema(
        [
            ("id", pyarrow.string()),
            ("wearer", pyarrow.string()),
            ("signal", pyarrow.string()),
            ("values", pyarrow.list_(pyarrow.float32())),
            ("times", pyarrow.list_(pyarrow.string())),
        ]
    )
    counts = dict.fromkeys(SIGNALS[config], 0)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for batch in _batch(signals):
            rows = [
                {
                    "id": f"{config}/{found.segment_id}",
                    "wearer": f"{config}/{found.wearer}",
                    "signal": found.signal,
                    "values": found.values,
                    "times": found.times,
                }
                for found in batch
            ]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
            for row in rows:
                counts[row["signal"]] += 1
    return counts


def _pass_over(file: SignalFile, error: UnreadableFileError, report: BuildReport) -> None:
    message = f"the file {error}; it was passed over"
    report.add_problem("signal_file", file.name, message=message)


class _FileFindings:
    """Reads the Segment IDs of one file, and keeps what is wrong with them and with its lines."""

    def __init__(self, config: str, file: SignalFile) -> None:
        self._pattern = LAYOUTS[config].segment_id
        self._file = file
        self._foreign: tuple[int, str] | None = None
        self._first_bad, self._bad = 0, 0
        self._unknown: set[str] = set()

    def read(self, written: str, *, line: int) -> str | None:
        """The segment in the session of the file's name; "" if none is named, None if no ID."""
        match = self._pattern.match(written)
        if match is None:
            return None if written else ""
        if int(match["session"]) != self._file.session and self._foreign is None:
            self._foreign = (line, written)
        return f"Sess{self._file.session:02d}_{written.partition('_')[2]}"

    def add_bad(self, line: int) -> None:
        self._first_bad = self._first_bad or line
        self._bad += 1

    def add_unknown(self, segment_id: str) -> None:
        self._unknown.add(segment_id)

    def report(self, report: BuildReport) -> None:
        """Say once a file what was passed over and what was read as something else."""
        name = self._file.name
        if self._bad:
            message = f"{self._bad} lines from here are no values; they were passed over"
            report.add_problem("signal_lines", name, line=self._first_bad, message=message)
        if self._foreign is not None:
            line, written = self._foreign
            message = (
                f"{written!r} names another session than the file; all IDs of the file were read "
                f"as of session {self._file.session}"
            )
            report.add_note("signal_prefix", name, line=line, message=message)
        if self._unknown:
            message = (
                f"{len(self._unknown)} segments are not in the data set, such as "
                f"{min(self._unknown)!r}"
            )
            report.add_note("signal_segments", name, message=message)


def _read_runs(
    config: str,
    file: SignalFile,
    folder: CorpusFiles,
    report: BuildReport,
    *,
    known: Collection[str],
) -> Iterator[SegmentSignal]:
    """Yield lines of one known segment that follow each other; a segment may have several runs.

    A file may have millions of lines: no more is done for one than must be.
    """
    columns = SIGNALS[config][file.signal]
    findings = _FileFindings(config, file)
    run = SegmentSignal("", file.wearer, file.signal, [], [])
    written, segment_id, is_known = "", "", False
    for number, line in enumerate(folder.read_lines(file.name), 1):
        fields = line.split(",")
        if len(fields) == columns.fields or number <= columns.header_lines:
            continue  # between two utterances
        if len(fields) != columns.fields + 1:
            if line.strip(", \r\n"):
                findings.add_bad(number)
            continue
        if fields[-1] != written:
            if run.values:
                yield run
            written = fields[-1]
            segment_id = findings.read(written.strip(), line=number)
            run = SegmentSignal(segment_id or "", file.wearer, file.signal, [], [])
            is_known = segment_id in known
        if segment_id == "":
            continue
        value = _read_value(fields[columns.value])
        if value is None or segment_id is None:
            findings.add_bad(number)
        elif is_known:
            run.values.append(value)
            run.times.append(fields[columns.time].strip())
        else:
            findings.add_unknown(segment_id)
    if run.values:
        yield run
    findings.report(report)


def _read_value(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _batch(signals: Iterator[SegmentSignal], *, size: int = 500) -> Iterator[list[SegmentSignal]]:
    batch: list[SegmentSignal] = []
    for found in signals:
        batch.append(found)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
