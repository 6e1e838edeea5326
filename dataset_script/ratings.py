"""What the ten raters said of a segment, and whether the totals of the file agree with them.

The totals (majority emotion, mean valence and arousal) are what the dataset holds; they are
recomputed from the ten raters as a checksum.
"""

import math
from dataclasses import dataclass
from statistics import fmean, pstdev

from .layout import EMOTIONS, LABEL_ALIASES, RATING_RANGE, AnnotationColumns
from .tables import BadRowError

CHECKSUM_TOLERANCE = 0.051  # totals are written with one decimal


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


def read_ratings(cells: list[str], columns: AnnotationColumns) -> Ratings:
    """Read the labels of one row.

    Args:
        cells: the stripped cells of the row.
        columns: where the cells of its corpus stand.

    Returns:
        Totals and ratings, each checked.

    Raises:
        BadRowError: if a cell is missing, superfluous or holds no such label.
    """
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


def find_misspellings(cells: list[str], columns: AnnotationColumns) -> list[str]:
    """Find labels of a row that are written in a way that is known to be wrong.

    Args:
        cells: the stripped cells of the row.
        columns: where the cells of its corpus stand.

    Returns:
        The labels as they are written, totals first.
    """
    labels = cells[columns.total].split(";") + cells[columns.first_rater :: 3]
    return [label.strip() for label in labels if label.strip().lower() in LABEL_ALIASES]


def check_totals(ratings: Ratings) -> list[tuple[str, str]]:
    """Compare the totals with the raters.

    Args:
        ratings: the labels of one segment.

    Returns:
        Kind and description of each total that the raters do not give.
    """
    found = []
    most_votes = max(ratings.votes)
    winners = tuple(
        emotion
        for emotion, count in zip(EMOTIONS, ratings.votes, strict=True)
        if count == most_votes
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
    return found
