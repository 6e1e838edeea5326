"""Annotation files of KEMDy20: from CSV bytes to checked rows.

Cells are taken by position: the two header rows name blank cells differently from copy to copy.
A row that cannot be used is reported with file and line and left out; the rows around it stand.
The totals of the file (majority emotion, mean valence and arousal) are what the dataset holds; they
are recomputed from the ten raters as a checksum, and a disagreement is reported.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import fmean, pstdev

from .layout import (
    ANNOTATION_NAME_KEMDY20,
    COLUMNS_KEMDY20,
    EMOTIONS,
    LABEL_ALIASES,
    RATING_RANGE,
    SEGMENT_ID_KEMDY20,
    AnnotationColumns,
)
from .report import BuildReport

HEADER_ROWS = 2
CHECKSUM_TOLERANCE = 0.051  # totals are written with one decimal

NumberedCells = tuple[int, list[str]]  # line of the file, from 1, and its stripped cells


@dataclass(frozen=True)
class Ratings:
    """What the raters said of one segment.

    Attributes:
        emotions: the file's total, in the order of `EMOTIONS`.
        valence: the file's total, 1 to 5.
        arousal: the file's total, 1 to 5.
        votes: number of raters for each of `EMOTIONS`.
        valence_ratings: valence by rater, 1 to 5.
        arousal_ratings: arousal by rater, 1 to 5.
    """

    emotions: tuple[str, ...]
    valence: float
    arousal: float
    votes: tuple[int, ...]
    valence_ratings: tuple[float, ...]
    arousal_ratings: tuple[float, ...]

    @property
    def valence_std(self) -> float:
        """Population standard deviation of the valence over the raters."""
        return pstdev(self.valence_ratings)

    @property
    def arousal_std(self) -> float:
        """Population standard deviation of the arousal over the raters."""
        return pstdev(self.arousal_ratings)


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


class BadRowError(ValueError):
    """A row, or a whole file, that cannot be used; the message names the cell and its value."""


def read_annotation_kemdy20(name: str, content: bytes, report: BuildReport) -> list[Annotation]:
    """Read one `Sess##_eval.csv`.

    Args:
        name: path of the file inside the corpus; its last part holds the session number.
        content: the whole file.
        report: takes the problems, and the number of rows found as `rows_in`.

    Returns:
        The usable rows in the order of the file, which is the order of the dialogues.
    """
    session = int(ANNOTATION_NAME_KEMDY20.match(PurePosixPath(name).name)["session"])
    try:
        lines = list(_split_lines(content))
        _check_header(lines, COLUMNS_KEMDY20)
    except BadRowError as error:
        rows = max(0, sum(bool(line.strip()) for line in content.splitlines()) - HEADER_ROWS)
        report.rows_in += rows
        report.add_problem(
            "annotation_file",
            name,
            message=f"{error}; none of its {rows} rows was read",
            rows_dropped=rows,
        )
        return []
    return list(_read_rows(name, session, lines[1:], report))


def _split_lines(content: bytes) -> Iterator[NumberedCells]:
    """Number and cells of every line that is not blank."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRowError(f"the file is not UTF-8 text ({error.reason})") from error
    # Line by line, so that a stray quotation mark spoils one row and not all that follow.
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line]), [])]
        except csv.Error:
            cells = [line]
        if any(cells):
            yield number, cells


def _check_header(lines: list[NumberedCells], columns: AnnotationColumns) -> None:
    cells = lines[0][1] if lines else []
    if len(cells) != columns.count:
        raise BadRowError(
            f"its header has {len(cells)} columns where {columns.count} are expected; "
            "take the file from the delivered corpus again"
        )
    for column, title in ((columns.segment_id, "Segment ID"), (columns.total, "Total Evaluation")):
        if cells[column].lower() != title.lower():
            raise BadRowError(f"column {column} of its header is {cells[column]!r}, not {title!r}")


def _read_rows(
    name: str, session: int, lines: list[NumberedCells], report: BuildReport
) -> Iterator[Annotation]:
    turns: dict[str, int] = {}
    for line, cells in lines:
        if _cell(cells, COLUMNS_KEMDY20.total).lower() == "emotion":
            continue  # the second header row
        report.rows_in += 1
        segment_id = None
        try:
            segment_id, parts = _read_segment_id(cells, session)
            dialogue = f"Sess{session:02d}_{parts['script']}"
            turn = turns[dialogue] = turns.get(dialogue, -1) + 1
            ratings = _read_ratings(cells, COLUMNS_KEMDY20)
        except BadRowError as error:
            message = f"{error}; the row was dropped"
            report.add_problem(
                "bad_row", name, line=line, segment_id=segment_id, message=message, rows_dropped=1
            )
            continue
        speaker = f"Sess{session:02d}_User{parts['user']}{parts['gender']}"
        annotation = Annotation(
            segment_id, session, dialogue, turn, speaker, parts["gender"], ratings, name, line
        )
        _report_oddities(annotation, _cell(cells, COLUMNS_KEMDY20.segment_id), report)
        yield annotation


def _cell(cells: list[str], column: int) -> str:
    return cells[column] if column < len(cells) else ""


def _read_segment_id(cells: list[str], session: int) -> tuple[str, dict[str, str]]:
    """The Segment ID with the session of the file name, and its parts."""
    written = _cell(cells, COLUMNS_KEMDY20.segment_id)
    match = SEGMENT_ID_KEMDY20.match(written)
    if match is None:
        raise BadRowError(f"{written!r} in column {COLUMNS_KEMDY20.segment_id} is no Segment ID")
    return f"Sess{session:02d}_{written.split('_', 1)[1]}", match.groupdict()


def _read_ratings(cells: list[str], columns: AnnotationColumns) -> Ratings:
    if len(cells) != columns.count:
        raise BadRowError(f"the row has {len(cells)} columns in place of {columns.count}")
    raters = range(columns.first_rater, columns.count, 3)
    votes = [_read_emotion(cells[column], column) for column in raters]
    total = columns.total
    emotions = {_read_emotion(label, total) for label in cells[total].split(";")}
    return Ratings(
        emotions=tuple(emotion for emotion in EMOTIONS if emotion in emotions),
        valence=_read_rating(cells, total + 1),
        arousal=_read_rating(cells, total + 2),
        votes=tuple(votes.count(emotion) for emotion in EMOTIONS),
        valence_ratings=tuple(_read_rating(cells, column + 1) for column in raters),
        arousal_ratings=tuple(_read_rating(cells, column + 2) for column in raters),
    )


def _read_emotion(cell: str, column: int) -> str:
    label = cell.strip().lower()
    label = LABEL_ALIASES.get(label, label)
    if label not in EMOTIONS:
        known = ", ".join(EMOTIONS)
        raise BadRowError(f"{cell!r} in column {column} is none of the emotions {known}")
    return label


def _read_rating(cells: list[str], column: int) -> float:
    low, high = RATING_RANGE
    try:
        value = float(cells[column])
    except ValueError:
        value = math.nan
    if not low <= value <= high:  # refuses NaN too
        raise BadRowError(
            f"{cells[column]!r} in column {column} is no rating from {low:g} to {high:g}"
        )
    return value


def _report_oddities(annotation: Annotation, written_id: str, report: BuildReport) -> None:
    """Name what is odd about a row that is kept."""
    ratings = annotation.ratings
    found = []
    if written_id != annotation.segment_id:
        found.append(("session_prefix", f"{written_id!r} was read as {annotation.segment_id!r}"))
    winners = tuple(
        emotion
        for emotion, count in zip(EMOTIONS, ratings.votes, strict=True)
        if count == max(ratings.votes)
    )
    if winners != ratings.emotions:
        total, most = ";".join(ratings.emotions), ";".join(winners)
        found.append(("total_emotion", f"the total {total} stands, most raters said {most}"))
    for name, total, by_rater in (
        ("valence", ratings.valence, ratings.valence_ratings),
        ("arousal", ratings.arousal, ratings.arousal_ratings),
    ):
        mean = fmean(by_rater)
        if abs(mean - total) > CHECKSUM_TOLERANCE:
            found.append(
                (f"total_{name}", f"the total {total:g} stands, the raters' mean is {mean:g}")
            )
    for kind, message in found:
        report.add_problem(
            kind,
            annotation.file,
            line=annotation.line,
            segment_id=annotation.segment_id,
            message=f"{message}; the row was kept",
        )
