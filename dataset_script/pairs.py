"""Annotation files of KEMDy19: two a session, whose rows describe the same segments side by side.

Both files list all segments of both speakers in one order. `_F_` says what the woman feels in each,
whether she speaks or listens, `_M_` what the man feels. So the emotion of the one who speaks stands
in the file of the speaker's gender, and that of the one who listens in the other file; taking both
would mix the two and give every recording twice.

Segment IDs are those of the M file, where they can be: the F files of the delivered corpus have
wrong ones (`pairing.py`). A pair whose files agree neither on the name nor on the times of a
segment is left out, because nothing says whose labels they are; so are all rows of one name. The
times are compared, never used: they are not the wav's length.
"""

from collections import Counter
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
    SIGNAL_COLUMNS_KEMDY19,
)
from .pairing import choose_names, have_same_times, pair_rows, read_name
from .ratings import read_ratings
from .report import BuildReport
from .tables import BadRowError, NumberedCells, cell_of, count_rows, read_table


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
    rows = pair_rows(tables["F"], tables["M"])
    pairs: list[SegmentPair] = []
    turns: dict[str, int] = {}
    for (row_f, row_m), name in zip(rows, choose_names(session, rows), strict=True):
        report.rows_in += 1
        turn = _count_turn(name, turns)
        if row_f is None or row_m is None:
            _report_lonely(row_f, row_m, files, report)
            continue
        pair = _make_pair(session, {"F": row_f, "M": row_m}, files, name, turn, report)
        if pair is not None:
            pairs.append(pair)
    for gender in GENDERS:
        _note_empty_signals(tables[gender], files[gender], report)
    return _drop_repeated(pairs, report)


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


def _count_turn(name: str | None, turns: dict[str, int]) -> int:
    """Rank of a row in its dialogue; one without a name is taken for the dialogue before it."""
    dialogue = next(reversed(turns), "") if name is None else name.rsplit("_", 1)[0]
    # The last one counted stands last, for a row without a name.
    turn = turns.pop(dialogue, -1) + 1
    turns[dialogue] = turn
    return turn


def _report_lonely(
    row_f: NumberedCells | None,
    row_m: NumberedCells | None,
    files: Mapping[str, str],
    report: BuildReport,
) -> None:
    """Name a row without a partner in the other file."""
    gender, row = ("F", row_f) if row_m is None else ("M", row_m)
    line, cells = row
    written = cell_of(cells, COLUMNS_KEMDY19.segment_id)
    message = f"{written!r} has no row in the other file; the row was dropped"
    report.add_problem("unpaired_row", files[gender], line=line, message=message, rows_dropped=1)


def _make_pair(
    session: int,
    rows: Mapping[str, NumberedCells],
    files: Mapping[str, str],
    name: str | None,
    turn: int,
    report: BuildReport,
) -> SegmentPair | None:
    line, cells = rows["M"]
    if name is None:
        try:
            read_segment_id(cells, session, LAYOUTS["kemdy19"])
        except BadRowError as error:
            report_bad_row(error, files["M"], line=line, segment_id=None, report=report)
        return None
    dialogue = name.rsplit("_", 1)[0]
    in_f, in_m = read_name(rows["F"][1], session), read_name(cells, session)
    is_other_dialogue = in_f is not None and in_f.rsplit("_", 1)[0] != dialogue
    if not have_same_times(rows["F"], rows["M"]) or is_other_dialogue:
        if in_f != name:
            message = (
                f"line {rows['F'][0]} of the F file has another dialogue, or neither the name nor "
                f"the times of {name!r}; the row was dropped"
            )
            report.add_problem(
                "pair_mismatch", files["M"], line=line, message=message, rows_dropped=1
            )
            return None
        message = f"line {rows['F'][0]} of the F file has other times; the row was kept"
        report.add_problem("pair_times", files["M"], line=line, segment_id=name, message=message)
    for gender, read in (("M", in_m), ("F", in_f)):
        if read is not None:
            written = cell_of(rows[gender][1], COLUMNS_KEMDY19.segment_id)
            report_prefix(written, read, files[gender], line=rows[gender][0], report=report)
    if in_m != name:
        written = cell_of(cells, COLUMNS_KEMDY19.segment_id)
        message = f"{written!r} was read as {name!r}, as the F file has it; the row was kept"
        report.add_problem("segment_id", files["M"], line=line, segment_id=name, message=message)
    return SegmentPair(name, session, dialogue, turn, in_f, rows, files)


def _drop_repeated(pairs: list[SegmentPair], report: BuildReport) -> list[SegmentPair]:
    """Leave out all rows of one name: nothing says which of them the recording belongs to."""
    counts = Counter(pair.segment_id for pair in pairs)
    for pair in pairs:
        if counts[pair.segment_id] > 1:
            line, file = pair.rows["M"][0], pair.files["M"]
            message = (
                f"{counts[pair.segment_id]} rows have the Segment ID {pair.segment_id!r}, and "
                "nothing says which is meant; the row was dropped"
            )
            report.add_problem(
                "repeated_segment",
                file,
                line=line,
                segment_id=pair.segment_id,
                message=message,
                rows_dropped=1,
            )
    return [pair for pair in pairs if counts[pair.segment_id] == 1]


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
