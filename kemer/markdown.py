"""Numbers and tables in Markdown, for reports, the table of results and cards."""

from __future__ import annotations

import math


def number(value: float, *, digits: int = 3) -> str:
    """Writes a score for a reader: fixed digits, and "undefined" in place of nan.

    Args:
        value: the score.
        digits: decimals.

    Returns:
        The text.

    Example:
        >>> number(0.12345), number(float("nan"))
        ('0.123', 'undefined')
    """
    return "undefined" if math.isnan(value) else f"{value:.{digits}f}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Writes a table in Markdown, its first column to the left and the others to the right.

    Args:
        header: the columns' names.
        rows: the cells, one list a row.

    Returns:
        The table, without a final newline.
    """
    ruler = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ruler, *rows])
