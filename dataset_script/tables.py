"""Annotation files as tables: from bytes to numbered lines of cells, whatever the corpus.

Cells are taken by position: the two header rows name blank cells differently from copy to copy.
Copies differ in line ends, in a byte order mark and in spaces around cells too; none of these means
anything.
"""

import csv
from collections.abc import Iterator

from .layout import AnnotationColumns

HEADER_ROWS = 2

NumberedCells = tuple[int, list[str]]  # line of the file, from 1, and its stripped cells


class BadRowError(ValueError):
    """A row, or a whole file, that cannot be used; the message names the cell and its value."""


def read_table(content: bytes, columns: AnnotationColumns) -> list[NumberedCells]:
    """Read the data rows of an annotation file.

    Args:
        content: the whole file.
        columns: where the cells of its corpus stand.

    Returns:
        Line and stripped cells of each row that is neither blank nor header, in file order.

    Raises:
        BadRowError: if the file is not UTF-8 or its header is not that of the corpus.
    """
    lines = list(_split_lines(content))
    _check_header(lines, columns)
    # The second header row is known by what it says: a file may lack it.
    return [row for row in lines[1:] if cell_of(row[1], columns.total).lower() != "emotion"]


def count_rows(content: bytes) -> int:
    """Count the rows of a file that cannot be read: its lines that are not blank, less headers."""
    return max(0, sum(bool(line.strip()) for line in content.splitlines()) - HEADER_ROWS)


def cell_of(cells: list[str], column: int) -> str:
    """Return a cell; "" where a short row has none."""
    return cells[column] if column < len(cells) else ""


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
