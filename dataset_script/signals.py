"""Bio-signals of both corpora by segment: EDA, TEMP, IBI and ECG, as far as they were recorded.

The files have no column names. A line that belongs to an utterance ends with its Segment ID, any
other line lacks that field; lines go together by this field alone, because the clocks of two
wearers differ by minutes. Each person wore a device while both spoke, so one segment may have
signals of two people. No model of this repository uses them.

    KEMDy20/EDA/Session01/Sess01_script01_User001F.csv    start, rate, then value,time[,segment]
    KEMDy20/IBI/…                                         start, then elapsed,value,time[,segment]
    KEMDy19/EDA/Session01/Original/Sess01F.csv            value,elapsed,time[,segment]; TEMP too
    KEMDy19/ECG/…                                         elapsed,value,time[,segment]
"""

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow
import pyarrow.parquet

from .files import CorpusFiles, UnreadableFileError
from .layout import LAYOUTS
from .report import BuildReport


@dataclass(frozen=True)
class SignalColumns:
    """Where the fields of a line stand, from 0.

    Attributes:
        value: the measured value: µS for EDA, °C for TEMP, seconds for IBI, mV or a like unit for
            ECG.
        time: the wearer's clock, as it is written.
        header_lines: lines before the first value.
    """

    value: int
    time: int
    header_lines: int

    @property
    def fields(self) -> int:
        """Number of fields outside of an utterance; inside there is one more."""
        return self.time + 1


SIGNALS = {
    "kemdy19": {
        "ECG": SignalColumns(value=1, time=2, header_lines=0),
        "EDA": SignalColumns(value=0, time=2, header_lines=0),
        "TEMP": SignalColumns(value=0, time=2, header_lines=0),
    },
    "kemdy20": {
        "EDA": SignalColumns(value=0, time=1, header_lines=2),
        "IBI": SignalColumns(value=1, time=2, header_lines=1),
        "TEMP": SignalColumns(value=0, time=1, header_lines=2),
    },
}

FILE_NAMES = {
    "kemdy19": re.compile(r"^Sess(?P<session>\d{2,})(?P<wearer>[FM])$"),
    "kemdy20": re.compile(r"^Sess(?P<session>\d{2,})_script0[1-6]_(?P<wearer>User\d{3,}[FM])$"),
}


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
    for name, signal, match in _find_files(config, folder, report):
        try:
            text = folder.read(name).decode("utf-8-sig")
        except (UnreadableFileError, UnicodeDecodeError) as error:
            message = f"the file is not readable ({error}); it was passed over"
            report.add_problem("signal_file", name, message=message)
            continue
        session = int(match["session"])
        wearer = f"Sess{session:02d}_{match['wearer']}"
        lines = _read_lines(config, signal, name, text, report)
        grouped: dict[str, SegmentSignal] = {}
        for written, value, time in lines:
            segment_id = f"Sess{session:02d}_{written.partition('_')[2]}"
            empty = SegmentSignal(segment_id, wearer, signal, [], [])
            found = grouped.setdefault(segment_id, empty)
            found.values.append(value)
            found.times.append(time)
        unknown = sorted(grouped.keys() - set(known))
        if unknown:
            message = f"{len(unknown)} segments are not in the data set, such as {unknown[0]!r}"
            report.add_note("signal_segments", name, message=message)
        yield from (found for found in grouped.values() if found.segment_id in known)


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


def _find_files(
    config: str, folder: CorpusFiles, report: BuildReport
) -> Iterator[tuple[str, str, re.Match[str]]]:
    """Name, signal and parts of the name of each signal file; copies are named and passed over."""
    chosen: dict[tuple[str, str], str] = {}
    # `Original` comes first: what folders beside it would hold is not known.
    for name in sorted(folder.names, key=lambda name: ("/Original/" not in f"/{name}", name)):
        path = PurePosixPath(name)
        folders = [part.upper() for part in reversed(path.parts[:-1])]
        signal = next((part for part in folders if part in SIGNALS[config]), None)
        match = FILE_NAMES[config].match(path.stem)
        if signal is None or match is None or path.suffix.lower() != ".csv":
            continue
        kept = chosen.setdefault((signal, path.stem), name)
        if kept == name:
            yield name, signal, match
        else:
            message = f"this copy was ignored, {kept} was read"
            report.add_problem("duplicate_file", name, message=message)


def _read_lines(
    config: str, signal: str, name: str, text: str, report: BuildReport
) -> list[tuple[str, float, str]]:
    """Segment, value and time of each line inside an utterance; an empty file has none."""
    columns = SIGNALS[config][signal]
    found, bad = [], []
    for number, line in enumerate(text.splitlines(), 1):
        fields = [field.strip() for field in line.split(",")]
        if number <= columns.header_lines or not any(fields):
            continue
        if len(fields) not in (columns.fields, columns.fields + 1):
            bad.append(number)
        elif len(fields) == columns.fields or not fields[-1]:
            continue  # between two utterances
        else:
            value = _read_value(fields[columns.value])
            if value is None or not LAYOUTS[config].segment_id.match(fields[-1]):
                bad.append(number)
            else:
                found.append((fields[-1], value, fields[columns.time]))
    if bad:
        message = f"{len(bad)} lines from here are no values; they were passed over"
        report.add_problem("signal_lines", name, line=bad[0], message=message)
    return found


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
