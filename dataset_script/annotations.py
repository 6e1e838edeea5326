"""Annotation files of KEMDy20: one a session, one row a segment; and what a row becomes.

A row that cannot be used is reported with file and line and left out; the rows around it stand.
KEMDy19, which has two files a session, is read by `pairs.py`.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from .layout import COLUMNS_KEMDY20, LABEL_ALIASES, LAYOUTS, CorpusLayout
from .ratings import Ratings, check_totals, find_misspellings, read_ratings
from .report import BuildReport
from .tables import BadRowError, NumberedCells, cell_of, count_rows, read_table


@dataclass(frozen=True)
class Annotation:
    """One segment of a dialogue.

    Attributes:
        segment_id: name of the segment, which is the stem of its wav and transcript.
        session: session number, from 1.
        dialogue: name of the dialogue, such as `Sess01_script01`.
        turn: rank of the row in its dialogue, from 0; a row that is dropped leaves a gap.
        speaker: name of the speaker, unique within the corpus.
        gender: `F` or `M`.
        ratings: labels of the segment.
        file: annotation file, relative to the corpus.
        line: line in that file, from 1.
    """

    segment_id: str
    session: int
    dialogue: str
    turn: int
    speaker: str
    gender: str
    ratings: Ratings
    file: str
    line: int


def read_annotation_kemdy20(name: str, content: bytes, report: BuildReport) -> list[Annotation]:
    """Read one `Sess##_eval.csv`.

    Args:
        name: path of the file inside the corpus; its last part holds the session number.
        content: the whole file.
        report: takes the problems, and the number of rows found as `rows_in`.

    Returns:
        The usable rows in the order of the file, which is the order of the dialogues.
    """
    layout = LAYOUTS["kemdy20"]
    session = int(layout.annotation_name.match(PurePosixPath(name).name)["session"])
    try:
        table = read_table(content, COLUMNS_KEMDY20)
    except BadRowError as error:
        rows = count_rows(content)
        report.rows_in += rows
        message = f"{error}; none of its {rows} rows was read"
        report.add_problem("annotation_file", name, message=message, rows_dropped=rows)
        return []
    turns: dict[str, int] = {}
    found = (_read_row(name, session, row, turns, report) for row in table)
    return [annotation for annotation in found if annotation is not None]


def _read_row(
    name: str, session: int, row: NumberedCells, turns: dict[str, int], report: BuildReport
) -> Annotation | None:
    """One row; `turns` counts those of each dialogue."""
    line, cells = row
    report.rows_in += 1
    segment_id = None
    try:
        segment_id, parts = read_segment_id(cells, session, LAYOUTS["kemdy20"])
        dialogue = f"Sess{session:02d}_{parts['script']}"
        turn = turns[dialogue] = turns.get(dialogue, -1) + 1
        ratings = read_ratings(cells, COLUMNS_KEMDY20)
    except BadRowError as error:
        report_bad_row(error, name, line=line, segment_id=segment_id, report=report)
        return None
    speaker = f"Sess{session:02d}_User{parts['user']}{parts['gender']}"
    annotation = Annotation(
        segment_id, session, dialogue, turn, speaker, parts["gender"], ratings, name, line
    )
    written = cell_of(cells, COLUMNS_KEMDY20.segment_id)
    report_prefix(written, segment_id, name, line=line, report=report)
    report_labels(annotation, cells, LAYOUTS["kemdy20"], report)
    return annotation


def read_segment_id(
    cells: list[str], session: int, layout: CorpusLayout
) -> tuple[str, dict[str, str]]:
    """Read the Segment ID of a row; its session is that of the file name, whatever it says.

    Args:
        cells: the stripped cells of the row.
        session: session number in the name of the file.
        layout: the corpus.

    Returns:
        The Segment ID, and its parts by the names of the layout's groups.

    Raises:
        BadRowError: if the cell holds no Segment ID of this corpus.
    """
    column = layout.columns.segment_id
    written = cell_of(cells, column)
    match = layout.segment_id.match(written)
    if match is None:
        raise BadRowError(f"{written!r} in column {column} is no Segment ID")
    return f"Sess{session:02d}_{written.split('_', 1)[1]}", match.groupdict()


def report_bad_row(
    error: BadRowError, name: str, *, line: int, segment_id: str | None, report: BuildReport
) -> None:
    """Name a row that is left out because of one of its cells."""
    message = f"{error}; the row was dropped"
    report.add_problem(
        "bad_row", name, line=line, segment_id=segment_id, message=message, rows_dropped=1
    )


def report_prefix(
    written: str, segment_id: str, name: str, *, line: int, report: BuildReport
) -> None:
    """Name a Segment ID that bears the number of another session than its file."""
    if written != segment_id:
        message = f"{written!r} was read as {segment_id!r}; the row was kept"
        report.add_problem(
            "session_prefix", name, line=line, segment_id=segment_id, message=message
        )


def report_labels(
    annotation: Annotation, cells: list[str], layout: CorpusLayout, report: BuildReport
) -> None:
    """Name totals of a row that is kept although its raters do not give them; note misspellings."""
    misspelt = find_misspellings(cells, layout.columns)
    if misspelt:
        report.add_note(
            "label_spelling",
            annotation.file,
            line=annotation.line,
            segment_id=annotation.segment_id,
            message=f"{', '.join(misspelt)} was read as {LABEL_ALIASES[misspelt[0].lower()]}",
        )
    for kind, message in check_totals(annotation.ratings):
        report.add_problem(
            kind,
            annotation.file,
            line=annotation.line,
            segment_id=annotation.segment_id,
            message=f"{message}; the row was kept",
        )
