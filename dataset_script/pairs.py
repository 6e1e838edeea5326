"""Annotation files of KEMDy19: two a session, whose rows describe the same segments side by side.

Both files list all segments of both speakers in one order. `_F_` says what the woman feels in each,
whether she speaks or listens, `_M_` what the man feels. So the emotion of the one who speaks stands
in the file of the speaker's gender, and that of the one who listens in the other file; taking both
would mix the two and give every recording twice.

Segment IDs are those of the M file: the F files of the delivered corpus have wrong ones. A pair
whose files agree neither on the name nor on the times of a segment is left out, because nothing
says whose labels they are. The times are compared, never used: they are not the wav's length.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .annotations import (
    Annotation,
    read_segment_id,
    report_bad_row,
    report_labels,
    report_prefix,
)
from .layout import (
    COLUMNS_KEMDY19,
    GENDERS,
    LAYOUTS,
    NUMBER_COLUMN,
    SIGNAL_COLUMNS_KEMDY19,
    TIME_COLUMNS,
)
from .ratings import read_ratings
from .report import BuildReport
from .tables import BadRowError, NumberedCells, cell_of, count_rows, read_table

TIME_TOLERANCE = 0.0015  # seconds; times have three decimals


@dataclass(frozen=True)
class SegmentPair:
    """One segment as the two files of its session describe it.

    Attributes:
        segment_id: its name in the M file, or the wav's where that was repaired.
        session: session number, from 1.
        dialogue: name of the dialogue, such as `Sess01_impro01`.
        turn: rank of the pair in its dialogue, from 0.
        name_in_f: its name in the F file; None if that is none.
        rows: line and cells in the file of each gender.
        files: the file of each gender, relative to the corpus.
    """

    segment_id: str
    session: int
    dialogue: str
    turn: int
    name_in_f: str | None
    rows: Mapping[str, NumberedCells]
    files: Mapping[str, str]


def read_pairs(
    session: int, contents: Mapping[str, tuple[str, bytes]], report: BuildReport
) -> list[SegmentPair]:
    """Read `Session##_F_res.csv` and `Session##_M_res.csv` row by row.

    Args:
        session: session number in the names of the files.
        contents: path inside the corpus and bytes of the file of each gender.
        report: takes the problems, and the number of segments found as `rows_in`.

    Returns:
        The segments that have a name, in the order of the M file.
    """
    tables = _read_tables(contents, report)
    if tables is None:
        return []
    files = {gender: name for gender, (name, _) in contents.items()}
    pairs: list[SegmentPair] = []
    turns: dict[str, int] = {}
    for row_f, row_m in _pair_rows(tables, files, report):
        pair = _read_pair(session, {"F": row_f, "M": row_m}, files, turns, report)
        if pair is not None:
            pairs.append(pair)
    for gender in GENDERS:
        _note_empty_signals(tables[gender], files[gender], report)
    return pairs


def pick_annotation(pair: SegmentPair, *, role: str, report: BuildReport) -> Annotation | None:
    """Take the labels of one of the two people.

    Args:
        pair: the segment.
        role: `speaker` or `listener`: whose emotion to take.
        report: takes the problems of the row that is taken; the other one is not looked at.

    Returns:
        The segment with these labels; None if they cannot be used.
    """
    speaker = LAYOUTS["kemdy19"].segment_id.match(pair.segment_id)["gender"]
    listener = GENDERS[1 - GENDERS.index(speaker)]
    file_of = speaker if role == "speaker" else listener
    name, (line, cells) = pair.files[file_of], pair.rows[file_of]
    try:
        ratings = read_ratings(cells, COLUMNS_KEMDY19)
    except BadRowError as error:
        report_bad_row(error, name, line=line, segment_id=pair.segment_id, report=report)
        return None
    annotation = Annotation(
        segment_id=pair.segment_id,
        session=pair.session,
        dialogue=pair.dialogue,
        turn=pair.turn,
        speaker=f"Sess{pair.session:02d}_{speaker}",
        gender=speaker,
        ratings=ratings,
        file=name,
        line=line,
    )
    report_labels(annotation, cells, LAYOUTS["kemdy19"], report)
    return annotation


def report_name_in_f(pair: SegmentPair, report: BuildReport) -> None:
    """Name a Segment ID of the F file that is not the one of the M file."""
    if pair.name_in_f == pair.segment_id:
        return
    line, cells = pair.rows["F"]
    written = cell_of(cells, COLUMNS_KEMDY19.segment_id)
    message = f"{written!r} was read as {pair.segment_id!r}, as the M file has it; the row was kept"
    report.add_problem(
        "segment_id", pair.files["F"], line=line, segment_id=pair.segment_id, message=message
    )


def _read_tables(
    contents: Mapping[str, tuple[str, bytes]], report: BuildReport
) -> dict[str, list[NumberedCells]] | None:
    """The rows of both files; None, and the session named as lost, if one cannot be read."""
    tables: dict[str, list[NumberedCells]] = {}
    faults: list[tuple[str, str]] = []
    for gender, (name, content) in contents.items():
        try:
            tables[gender] = read_table(content, COLUMNS_KEMDY19)
        except BadRowError as error:
            faults.append((name, str(error)))
    for gender in GENDERS:
        if gender not in contents:
            (present,) = contents.values()
            fault = f"the {gender} file of the session, which belongs to it, is missing or damaged"
            faults.append((present[0], fault))
    if not faults:
        return tables
    rows = max(count_rows(content) for _, content in contents.values())
    report.rows_in += rows
    for name, fault in faults:
        message = f"{fault}; none of the {rows} rows of the session was read"
        report.add_problem("annotation_file", name, message=message, rows_dropped=rows)
        rows = 0  # dropped once
    return None


def _pair_rows(
    tables: Mapping[str, list[NumberedCells]], files: Mapping[str, str], report: BuildReport
) -> list[tuple[NumberedCells, NumberedCells]]:
    """The rows of the F and the M file that belong together.

    They stand at the same place; where one file lacks a row, the running number tells.
    """
    if len(tables["F"]) == len(tables["M"]):
        return list(zip(tables["F"], tables["M"], strict=True))
    numbered: dict[str, dict[str, NumberedCells]] = {}
    for gender in GENDERS:
        numbered[gender] = {}
        for row in tables[gender]:
            numbered[gender].setdefault(cell_of(row[1], NUMBER_COLUMN), row)
    common = [number for number in numbered["M"] if number in numbered["F"]]
    paired = {id(numbered[gender][number]) for gender in GENDERS for number in common}
    lonely = {gender: [r for r in tables[gender] if id(r) not in paired] for gender in GENDERS}
    for gender in GENDERS:
        for line, cells in lonely[gender]:
            written = cell_of(cells, COLUMNS_KEMDY19.segment_id)
            message = f"{written!r} has no row in the other file; the row was dropped"
            report.rows_in += 1
            report.add_problem(
                "unpaired_row", files[gender], line=line, message=message, rows_dropped=1
            )
    return [(numbered["F"][number], numbered["M"][number]) for number in common]


def _read_pair(
    session: int,
    rows: Mapping[str, NumberedCells],
    files: Mapping[str, str],
    turns: dict[str, int],
    report: BuildReport,
) -> SegmentPair | None:
    """One pair; `turns` counts those of each dialogue."""
    report.rows_in += 1
    line, cells = rows["M"]
    try:
        segment_id, parts = read_segment_id(cells, session, LAYOUTS["kemdy19"])
    except BadRowError as error:
        report_bad_row(error, files["M"], line=line, segment_id=None, report=report)
        return None
    dialogue = f"Sess{session:02d}_{parts['script']}"
    turn = turns[dialogue] = turns.get(dialogue, -1) + 1
    name_in_f = _read_name_in_f(rows["F"][1], session)
    if not _have_same_times(rows["F"][1], cells):
        if name_in_f != segment_id:
            message = (
                f"line {rows['F'][0]} of the F file has neither the name nor the times of "
                f"{segment_id!r}; the row was dropped"
            )
            report.add_problem(
                "pair_mismatch", files["M"], line=line, message=message, rows_dropped=1
            )
            return None
        message = f"line {rows['F'][0]} of the F file has other times; the row was kept"
        report.add_problem(
            "pair_times", files["M"], line=line, segment_id=segment_id, message=message
        )
    for gender, name in (("M", segment_id), ("F", name_in_f)):
        if name is not None:
            written = cell_of(rows[gender][1], COLUMNS_KEMDY19.segment_id)
            report_prefix(written, name, files[gender], line=rows[gender][0], report=report)
    return SegmentPair(segment_id, session, dialogue, turn, name_in_f, rows, files)


def _read_name_in_f(cells: list[str], session: int) -> str | None:
    try:
        return read_segment_id(cells, session, LAYOUTS["kemdy19"])[0]
    except BadRowError:
        return None  # named with the pair, by `report_name_in_f`


def _have_same_times(cells_f: list[str], cells_m: list[str]) -> bool:
    for column in TIME_COLUMNS:
        written = cell_of(cells_f, column), cell_of(cells_m, column)
        try:
            apart = abs(float(written[0]) - float(written[1])) > TIME_TOLERANCE
        except ValueError:
            apart = written[0] != written[1]
        if apart:
            return False
    return True


def _note_empty_signals(table: list[NumberedCells], name: str, report: BuildReport) -> None:
    """Note rows without values of the bio-signals; no label is any worse for that."""
    empty = [
        line
        for line, cells in table
        if not all(cell_of(cells, column) for column in SIGNAL_COLUMNS_KEMDY19)
    ]
    if empty:
        message = f"{len(empty)} rows from here lack values of bio-signals; all were kept"
        report.add_note("empty_signals", name, line=empty[0], message=message)
