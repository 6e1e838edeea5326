"""Which rows of a session's two files of KEMDy19 describe one segment, and what that is called.

Both files list the same segments in the same order, each with a running number. Where they do not
quite, a row is never given a partner or a name that another one has the better claim to: a wrong
one would put one person's feelings under another's name.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from .annotations import read_segment_id
from .layout import COLUMNS_KEMDY19, LAYOUTS, NUMBER_COLUMN, TIME_COLUMNS
from .tables import BadRowError, NumberedCells, cell_of

TIME_TOLERANCE = 0.0015  # seconds; times have three decimals

Pair = tuple[NumberedCells | None, NumberedCells | None]  # of the F and of the M file


def pair_rows(rows_f: Sequence[NumberedCells], rows_m: Sequence[NumberedCells]) -> list[Pair]:
    """Put the rows of both files together, by place or by running number.

    Args:
        rows_f: of the F file.
        rows_m: of the M file.

    Returns:
        Pairs in the order of the M file, then the rows of the F file that have no partner; None for
        a partner that is missing. Of the two ways that is taken in which more pairs agree.
    """
    by_place = list(zip_longest(rows_f, rows_m))
    by_number = _pair_by_number(rows_f, rows_m)
    if by_number is None or (
        len(rows_f) == len(rows_m) and _agreement(by_place) >= _agreement(by_number)
    ):
        return by_place
    return by_number


def choose_names(session: int, pairs: Sequence[Pair]) -> list[str | None]:
    """Choose the Segment ID of each pair: that of the M file, as the F files have wrong ones.

    Where the M file has none that can be read, or one that other rows of it have too, and the F
    file has one that no other row of either file has, under the same times, that is taken.

    Args:
        session: session number in the names of the files.
        pairs: all pairs of the session.

    Returns:
        A Segment ID for each pair; None where there is none.
    """
    in_f = [None if f is None else read_name(f[1], session) for f, _ in pairs]
    in_m = [None if m is None else read_name(m[1], session) for _, m in pairs]
    times_f, times_m = Counter(in_f), Counter(in_m)
    names = []
    for (f, m), name_f, name_m in zip(pairs, in_f, in_m, strict=True):
        in_doubt = name_m is None or times_m[name_m] > 1
        is_free = name_f is not None and times_f[name_f] == 1 and times_m[name_f] == 0
        if in_doubt and is_free and f is not None and m is not None and have_same_times(f, m):
            names.append(name_f)
        else:
            names.append(name_m)
    return names


def read_name(cells: list[str], session: int) -> str | None:
    """Read the Segment ID of a row; None if it has none."""
    try:
        return read_segment_id(cells, session, LAYOUTS["kemdy19"])[0]
    except BadRowError:
        return None


def have_same_times(row_f: NumberedCells, row_m: NumberedCells) -> bool:
    """Whether two rows have the same start and end."""
    for column in TIME_COLUMNS:
        written = cell_of(row_f[1], column), cell_of(row_m[1], column)
        try:
            apart = abs(float(written[0]) - float(written[1])) > TIME_TOLERANCE
        except ValueError:
            apart = written[0] != written[1]
        if apart:
            return False
    return True


def _pair_by_number(
    rows_f: Sequence[NumberedCells], rows_m: Sequence[NumberedCells]
) -> list[Pair] | None:
    """Pairs of the same running number; None if a file has a number twice."""
    numbered_f = {_number_of(row): row for row in rows_f}
    numbered_m = {_number_of(row): row for row in rows_m}
    if len(numbered_f) < len(rows_f) or len(numbered_m) < len(rows_m):
        return None
    pairs: list[Pair] = [(numbered_f.get(number), row) for number, row in numbered_m.items()]
    return pairs + [(row, None) for number, row in numbered_f.items() if number not in numbered_m]


def _number_of(row: NumberedCells) -> object:
    written = cell_of(row[1], NUMBER_COLUMN)
    try:
        return int(float(written))
    except (ValueError, OverflowError):
        return written


def _agreement(pairs: Sequence[Pair]) -> int:
    """How many pairs have one name, and how many one time, added."""
    column = COLUMNS_KEMDY19.segment_id
    whole = [(f, m) for f, m in pairs if f is not None and m is not None]
    names = sum(cell_of(f[1], column) == cell_of(m[1], column) for f, m in whole)
    return names + sum(have_same_times(f, m) for f, m in whole)
