"""What each session adds to a score, so that the score of any choice of sessions is at hand.

Exact match, Distance, macro-F1 and CCC are all functions of sums over items. Kept by session, these
sums give the whole score again for sessions drawn anew (`intervals`) or exchanged between two
models (`comparisons`), without going back to the items. The scores are those of the metric in
`evaluate_metric/`; the tests hold the two equal.

Each utterance counts once: pool the predictions of all folds, one corpus at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kemer.scoring import correct_items, read_predictions

CENTRE = 3.0  # of the scale 1 to 5: taken from both series, it changes no CCC and keeps its digits
SMALLEST_SPREAD = 1e-12  # below it, what a CCC divides by is the rounding of equal values

Statistic = Callable[[np.ndarray], np.ndarray]
"""From sums over items, (..., columns), to the score, (...)."""


@dataclass(frozen=True, eq=False)
class SessionSums:
    """Sums over the items of each session, or of each session's part of a script.

    Made by `mean_sums`, `macro_f1_sums`, `concordance_sums` and `comparisons.paired_difference`.

    Attributes:
        statistic: gives the score from sums.
        sessions: (cells,) the session of each row of sums; sorted, each once where `scripts` is
            None.
        scripts: (cells,) the script of each row, None for what belongs to none; or None where the
            rows are whole sessions.
        sizes: (cells,) numbers of items.
        sums: (seeds, cells, columns) what `statistic` reads, for each training seed.
    """

    statistic: Statistic
    sessions: tuple[Hashable, ...]
    scripts: tuple[Hashable, ...] | None
    sizes: np.ndarray
    sums: np.ndarray

    def value(self) -> float:
        """Return the score over all items, averaged over the seeds; nan where it is 0/0."""
        return float(self.values(np.ones((1, len(self.sizes))))[0])

    def values(self, weights: np.ndarray) -> np.ndarray:
        """Return the scores, averaged over the seeds, under weights of the rows.

        Args:
            weights: (choices, cells) how often each row counts.

        Returns:
            (choices,) scores; nan where it is 0/0.
        """
        return self.statistic(np.matmul(weights, self.sums)).mean(axis=0)  # (seeds, choices)

    def session_values(self) -> dict[Hashable, float]:
        """Return the score within each session, averaged over the seeds; nan where it is 0/0."""
        whole = self.by_session()
        return dict(
            zip(whole.sessions, whole.values(np.eye(len(whole.sizes))).tolist(), strict=True)
        )

    def by_session(self) -> SessionSums:
        """Return the sums of whole sessions."""
        if self.scripts is None:
            return self
        codes, names = pd.factorize(pd.Series(list(self.sessions), dtype=object))
        members = np.eye(len(names))[codes].T  # (sessions, cells)
        return replace(
            self,
            sessions=tuple(names),
            scripts=None,
            sizes=(members @ self.sizes).astype(np.int64),
            sums=np.matmul(members, self.sums),
        )


def mean_from_sums(sums: np.ndarray) -> np.ndarray:
    """Return means from sums (..., 2): of the values, and the number of items."""
    return sums[..., 0] / sums[..., 1]


def macro_f1_from_sums(sums: np.ndarray) -> np.ndarray:
    """Return macro-F1 from counts (..., 3 x emotions): hits, then false alarms, then misses.

    F1 is 2 hits / (2 hits + false alarms + misses). What would be 0/0 is 0, as in the metric: an
    emotion that neither side holds has F1 0 and still counts as one of the emotions.
    """
    hits, false_alarms, misses = np.split(sums, 3, axis=-1)  # (..., emotions) each
    total = 2 * hits + false_alarms + misses
    return np.divide(2 * hits, total, out=np.zeros_like(total), where=total > 0).mean(axis=-1)


def concordance_from_sums(sums: np.ndarray) -> np.ndarray:
    """Return Lin's CCC (1989) from (..., 6): items, sums of p, r, p², r², pr; nan where it is 0/0.

    It is 0/0 only where all predictions and all references equal one same value.
    """
    items = sums[..., 0]
    mean_p, mean_r, square_p, square_r, product = (sums[..., k] / items for k in range(1, 6))
    spread = (square_p - mean_p**2) + (square_r - mean_r**2) + (mean_p - mean_r) ** 2
    covariance = product - mean_p * mean_r
    undefined = np.full_like(spread, np.nan)
    return np.divide(2 * covariance, spread, out=undefined, where=spread > SMALLEST_SPREAD)


def mean_sums(
    values: Sequence[float],
    sessions: Sequence[Hashable],
    *,
    scripts: Sequence[Hashable] | None = None,
) -> SessionSums:
    """Sum values whose mean is the score: exact matches (1.0 or 0.0) or squared errors.

    Args:
        values: (items,) finite values.
        sessions: (items,) the session of each item.
        scripts: (items,) the script of each item, None for what belongs to none; None as a whole
            sums whole sessions.

    Returns:
        The sums, of one seed.

    Raises:
        ValueError: where lengths differ, a value is not finite, or there are no items.

    Example:
        >>> mean_sums([1, 0, 1, 1], [1, 1, 2, 2]).session_values()
        {1: 0.5, 2: 1.0}
    """
    values = _finite("values", values, dimensions=1)
    columns = np.stack([values, np.ones_like(values)], axis=1)
    return _sum_cells(mean_from_sums, columns, sessions, scripts=scripts)


def macro_f1_sums(
    predictions: np.ndarray,
    references: np.ndarray,
    sessions: Sequence[Hashable],
    *,
    scripts: Sequence[Hashable] | None = None,
) -> SessionSums:
    """Count hits, false alarms and misses of each emotion.

    Args:
        predictions: (items, emotions) values 0 or 1.
        references: (items, emotions) values 0 or 1.
        sessions: (items,) as in `mean_sums`.
        scripts: (items,) as in `mean_sums`.

    Returns:
        The sums, of one seed; their score is macro-F1.

    Raises:
        ValueError: where shapes differ, a value is neither 0 nor 1, or there are no items.
    """
    sides = [_finite("predictions", predictions, dimensions=2)]
    sides.append(_finite("references", references, dimensions=2))
    _same_shape(*sides)
    if not np.isin(np.stack(sides), (0, 1)).all():
        raise ValueError(
            "`predictions` or `references` holds values other than 0 and 1: decide on each emotion "
            "first."
        )
    said, true = sides
    columns = np.concatenate([said * true, said * (1 - true), (1 - said) * true], axis=1)
    return _sum_cells(macro_f1_from_sums, columns, sessions, scripts=scripts)


def concordance_sums(
    predictions: Sequence[float],
    references: Sequence[float],
    sessions: Sequence[Hashable],
    *,
    scripts: Sequence[Hashable] | None = None,
) -> SessionSums:
    """Sum what the concordance correlation coefficient is made of.

    Args:
        predictions: (items,) finite values, about 1 to 5.
        references: (items,) finite values, 1 to 5.
        sessions: (items,) as in `mean_sums`.
        scripts: (items,) as in `mean_sums`.

    Returns:
        The sums, of one seed; their score is the CCC.

    Raises:
        ValueError: where lengths differ, a value is not finite, or there are no items.
    """
    p = _finite("predictions", predictions, dimensions=1) - CENTRE
    r = _finite("references", references, dimensions=1) - CENTRE
    _same_shape(p, r)
    columns = np.stack([np.ones_like(p), p, r, p**2, r**2, p * r], axis=1)
    return _sum_cells(concordance_from_sums, columns, sessions, scripts=scripts)


def over_seeds(runs: Sequence[SessionSums]) -> SessionSums:
    """Put the sums of several training seeds together: the score is then their mean score.

    Args:
        runs: sums of one statistic on the same items, one of each seed.

    Returns:
        The sums of all seeds.

    Raises:
        ValueError: where there are none, or they are not of the same statistic and items.
    """
    if len(runs) == 0:
        raise ValueError("`runs` is empty: give the sums of one seed at least.")
    for run in runs[1:]:
        check_same_items(runs[0], run)
    return replace(runs[0], sums=np.concatenate([run.sums for run in runs]))


def prediction_sums(
    predictions: pd.DataFrame, *, scripts: Sequence[Hashable] | None = None
) -> dict[str, SessionSums]:
    """Sum the predictions of one run for every score of the table of results.

    Args:
        predictions: the table of `scoring.read_predictions`, of one corpus.
        scripts: (items,) as in `mean_sums`, in the order of the rows.

    Returns:
        By the metric's key: `exact_match`, `distance`, `f1_macro`, `ccc_valence`, `ccc_arousal`.

    Raises:
        ValueError: where the table is refused by `scoring.read_predictions`, holds two corpora, or
            a value is not allowed.
    """
    table = read_predictions(predictions)
    corpora = sorted(table["corpus"].unique())
    if len(corpora) > 1:
        raise ValueError(
            f"`predictions` holds the corpora {', '.join(corpora)}: give one corpus at a time."
        )
    place = {"sessions": table["session"].tolist(), "scripts": scripts}
    said, true = (
        np.array([list(row) for row in table[f"labels_{side}"]])
        for side in ("predicted", "reference")
    )
    names = ("valence", "arousal")
    points = {
        side: table[[f"{name}_{side}" for name in names]].to_numpy(float)
        for side in ("predicted", "reference")
    }
    errors = ((points["predicted"] - points["reference"]) ** 2).mean(axis=1)
    sums = {
        "exact_match": mean_sums(correct_items(table).to_numpy(), **place),
        "distance": mean_sums(errors, **place),
        "f1_macro": macro_f1_sums(said, true, **place),
    }
    for k, name in enumerate(names):
        series = (points[side][:, k] for side in ("predicted", "reference"))
        sums[f"ccc_{name}"] = concordance_sums(*series, **place)
    return sums


def check_same_items(first: SessionSums, second: SessionSums) -> None:
    """Raise ValueError where two sums are not of one statistic on the same sessions and sizes."""
    if first.statistic != second.statistic:
        raise ValueError("the two sums are of different scores: compare a score with itself.")
    same = (first.sessions, first.scripts) == (second.sessions, second.scripts)
    if not same or not np.array_equal(first.sizes, second.sizes):
        raise ValueError(
            f"the two sums are of {len(first.sizes)} and {len(second.sizes)} cells with "
            f"{first.sizes.sum()} and {second.sizes.sum()} items: score the same utterances of the "
            "same sessions."
        )


def _sum_cells(
    statistic: Statistic,
    columns: np.ndarray,
    sessions: Sequence[Hashable],
    *,
    scripts: Sequence[Hashable] | None,
) -> SessionSums:
    """Return the sums of `columns`, (items, columns), in every cell that has items."""
    for name, places in (("sessions", sessions), ("scripts", scripts)):
        if places is not None and len(places) != len(columns):
            raise ValueError(
                f"`{name}` has {len(places)} entries for {len(columns)} items: give one for each."
            )
    session_codes, session_names = pd.factorize(pd.Series(list(sessions), dtype=object), sort=True)
    if (session_codes < 0).any():
        raise ValueError("`sessions` holds None or nan: every item belongs to a session.")
    # An item without a script has the code -1.
    script_codes, script_names = (
        (np.full(len(columns), -1), [])
        if scripts is None
        else pd.factorize(pd.Series(list(scripts), dtype=object), sort=True)
    )
    cells, places = np.unique(
        np.stack([session_codes, script_codes], axis=1), axis=0, return_inverse=True
    )
    sums = np.zeros((1, len(cells), columns.shape[1]))
    np.add.at(sums[0], places.ravel(), columns)
    return SessionSums(
        statistic=statistic,
        sessions=tuple(session_names[code] for code in cells[:, 0]),
        scripts=None
        if scripts is None
        else tuple(None if code < 0 else script_names[code] for code in cells[:, 1]),
        sizes=np.bincount(places.ravel(), minlength=len(cells)),
        sums=sums,
    )


def _finite(name: str, values: Sequence[float] | np.ndarray, *, dimensions: int) -> np.ndarray:
    """Return float64 with an item at least and all values finite, or raise ValueError."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions or 0 in array.shape:
        raise ValueError(
            f"`{name}` has the shape {array.shape}: allowed is "
            f"{'(items,)' if dimensions == 1 else '(items, emotions)'}, with one item at least."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` holds nan or infinity: give one finite value for each item.")
    return array


def _same_shape(predictions: np.ndarray, references: np.ndarray) -> None:
    """Raise ValueError where the two sides differ in shape."""
    if predictions.shape != references.shape:
        raise ValueError(
            f"`predictions` has the shape {predictions.shape} and `references` {references.shape}: "
            "give one of each for every item."
        )
