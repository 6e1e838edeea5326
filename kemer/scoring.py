"""Scores of a run's predictions, the answer that never listens, and intervals over sessions.

`evaluation` scores each epoch with it, `results` the finished run, and `report` shows what is
computed here. The scores themselves are those of the metric in `evaluate_metric/`.

Utterances of a session share speakers and a topic, so they are not independent: an interval that
treats them as such covers the truth about half of the time. The unit is the session. The interval
is the linearised t interval of a ratio mean (Cochran, Sampling Techniques, 3rd ed., 1977, chapters
6 and 9A): the mean over all items, with the variance of what the sessions add to it and the t
quantile at (sessions - 1) degrees of freedom. How to use it:

- Pool the predictions of all folds, so that each utterance counts once; no interval inside a fold.
- One corpus at a time. Average over seeds per utterance first, and give that mean as the value.
- The functions take two sessions or more, for tests and for tables that say how many there were.
  A published result with fewer than ten sessions shows each session and says "too few sessions for
  an interval": that is for the caller to decide, with `SESSIONS_FOR_AN_INTERVAL`.
- The interval holds for these trained models; the folds share training data, and it does not see
  that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
from scipy import stats

METRIC_FOLDER = Path(__file__).resolve().parent.parent / "evaluate_metric"
PREDICTION_COLUMNS = (
    "id",
    "corpus",
    "session",
    "dialogue",
    "probabilities",
    "labels_predicted",
    "labels_reference",
    "valence_predicted",
    "arousal_predicted",
    "valence_reference",
    "arousal_reference",
)
SESSIONS_FOR_AN_INTERVAL = 10


@dataclass(frozen=True)
class ConstantAnswer:
    """The label set that is right most often when it is given to every item.

    Attributes:
        labels: 7 values 0 or 1, the majority label set.
        exact_match: its share of the items, in (0, 1].
    """

    labels: tuple[int, ...]
    exact_match: float


@dataclass(frozen=True)
class SessionInterval:
    """A mean over items and its t interval over sessions.

    Attributes:
        mean: sum of the values divided by the number of items.
        low: lower end; not cut at 0 or 1.
        high: upper end; not cut at 0 or 1.
        standard_error: linearised standard error of the mean.
        sessions: number of sessions, the degrees of freedom plus one.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    sessions: int


def read_predictions(predictions: pd.DataFrame | str | Path) -> pd.DataFrame:
    """Reads predictions and refuses a table that would be scored wrongly.

    Args:
        predictions: a table with the columns `PREDICTION_COLUMNS`, or the path of a
            `predictions.parquet` that holds it.

    Returns:
        The table, one row an utterance.

    Raises:
        FileNotFoundError: where the path names no file.
        ValueError: where a column is missing, there are no rows, or an `id` occurs twice
            (distributed evaluation pads its last batch with repeated items).
    """
    source = "`predictions`"
    if not isinstance(predictions, pd.DataFrame):
        source = f"`{predictions}`"
        if not Path(predictions).is_file():
            raise FileNotFoundError(f"{source} is no file: give a run's `predictions.parquet`.")
        predictions = pd.read_parquet(predictions)
    missing = [column for column in PREDICTION_COLUMNS if column not in predictions.columns]
    if missing:
        raise ValueError(
            f"{source} lacks the columns {', '.join(missing)}: "
            f"it needs {', '.join(PREDICTION_COLUMNS)}."
        )
    if predictions.empty:
        raise ValueError(f"{source} has no rows: give the predictions of at least one utterance.")
    repeated = predictions["id"][predictions["id"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"{source} holds {len(repeated)} rows whose `id` came before, the first "
            f"{repeated.iloc[0]!r}: score each utterance once."
        )
    return predictions


def load_metric(config: str) -> evaluate.EvaluationModule:
    """Loads the metric that lies beside this package, without a network.

    Args:
        config: `labels` or `valence_arousal`.

    Returns:
        The metric. It keeps its items in memory, so several processes can score at the same time.

    Raises:
        FileNotFoundError: where the metric's file is not there.
        ValueError: where the metric has no such config.
    """
    script = METRIC_FOLDER / f"{METRIC_FOLDER.name}.py"
    if not script.is_file():
        raise FileNotFoundError(
            f"`{script}` is missing: keep the folder `{METRIC_FOLDER.name}` beside the package "
            "`kemer`, as in the repository."
        )
    return evaluate.load(str(METRIC_FOLDER), config, keep_in_memory=True)


def score_answers(answers: pd.DataFrame) -> dict[str, float]:
    """Scores answers that need not say which utterance they belong to.

    Args:
        answers: one row an utterance, with the columns `labels_predicted` and `labels_reference`
            (lists of 7) and `valence_` and `arousal_` of `predicted` and `reference`.

    Returns:
        The keys of the metric's config `labels`, then those of `valence_arousal`; a correlation
        that is 0/0 is nan. The metric card gives meaning and range of each.

    Raises:
        FileNotFoundError: where the metric's folder is not beside the package.
        ValueError: where the metric refuses a value, or there are no rows.
    """
    scores = load_metric("labels").compute(
        predictions=[list(row) for row in answers["labels_predicted"]],
        references=[list(row) for row in answers["labels_reference"]],
    )
    scores.update(
        load_metric("valence_arousal").compute(
            predictions=answers[["valence_predicted", "arousal_predicted"]].to_numpy(float),
            references=answers[["valence_reference", "arousal_reference"]].to_numpy(float),
        )
    )
    return scores


def score(predictions: pd.DataFrame) -> dict[str, float]:
    """Scores the predictions of a run, each utterance once.

    Args:
        predictions: the table of `read_predictions`, of one corpus or of several pooled.

    Returns:
        The scores of `score_answers`.

    Raises:
        FileNotFoundError: where the metric's folder is not beside the package.
        ValueError: where the table is refused by `read_predictions` or a value by the metric.
    """
    return score_answers(read_predictions(predictions))


def constant_answer(
    references: Sequence[Sequence[int]], *, chosen_on: Sequence[Sequence[int]] | None = None
) -> ConstantAnswer:
    """Finds the majority label set and its exact match: the score of not listening at all.

    Args:
        references: (items, 7) values 0 or 1, the truth to be scored against.
        chosen_on: (items, 7) the label sets whose majority is the answer, such as those of the
            training sessions; None takes `references` themselves, the best any constant can do.

    Returns:
        The label set and its exact match on `references`. Of equally frequent sets it is the one
        that occurs first.

    Raises:
        ValueError: where either has no items.

    Example:
        >>> neutral, happy = (0, 0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 0, 0, 1)
        >>> constant_answer([neutral, happy, neutral, neutral]).exact_match
        0.75
    """
    truth = [tuple(int(value) for value in row) for row in references]
    pool = truth if chosen_on is None else [tuple(int(v) for v in row) for row in chosen_on]
    for name, rows in (("references", truth), ("chosen_on", pool)):
        if not rows:
            raise ValueError(f"`{name}` is empty: give the label set of at least one item.")
    labels = Counter(pool).most_common(1)[0][0]
    return ConstantAnswer(labels=labels, exact_match=truth.count(labels) / len(truth))


def correct_items(predictions: pd.DataFrame) -> pd.Series:
    """Tells for each utterance whether all seven decisions are right.

    Args:
        predictions: the table of `read_predictions`.

    Returns:
        1.0 or 0.0, indexed by `id`, in the order of the rows. Two models, or two seeds, are brought
        together by this index.
    """
    predicted = np.array([list(row) for row in predictions["labels_predicted"]])
    reference = np.array([list(row) for row in predictions["labels_reference"]])
    correct = (predicted == reference).all(axis=1).astype(float)
    return pd.Series(correct, index=pd.Index(predictions["id"], name="id"), name="correct")


def session_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Counts items and exact matches of every session.

    Args:
        predictions: the table of `read_predictions`.

    Returns:
        One row a session, sorted, with the columns `corpus`, `session`, `items`, `correct`
        (a count) and `exact_match` in [0, 1].
    """
    table = predictions[["corpus", "session"]].assign(correct=correct_items(predictions).to_numpy())
    table = table.groupby(["corpus", "session"], sort=True)["correct"].agg(["size", "sum"])
    table = table.rename(columns={"size": "items", "sum": "correct"}).reset_index()
    table["correct"] = table["correct"].astype(int)
    return table.assign(exact_match=table["correct"] / table["items"])


def session_interval(
    values: Sequence[float], sessions: Sequence[Hashable], *, confidence: float = 0.95
) -> SessionInterval:
    """Computes the linearised t interval of a mean over items, with sessions as the unit.

    With session sums Y_g, session sizes N_g, G sessions and r = sum Y_g / sum N_g, the variance of
    r is G / (G - 1) times the sum of (Y_g - r N_g)², divided by (sum N_g)².

    Args:
        values: (items,) one finite value an item, such as 1.0 for an exact match and 0.0 for none,
            or its mean over seeds, or a squared error.
        sessions: (items,) the session of each item.
        confidence: share of such intervals that hold the truth, in (0, 1).

    Returns:
        The mean over items and its interval. Sessions that differ in nothing give width 0.

    Raises:
        ValueError: where the lengths differ, a value is not finite, there are fewer than two
            sessions, or `confidence` is not in (0, 1).

    Example:
        >>> interval = session_interval([1, 1, 0, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
        >>> round(interval.mean, 3), round(interval.low, 3), round(interval.high, 3)
        (0.5, -0.742, 1.742)
    """
    items = np.asarray(values, dtype=np.float64)
    if items.ndim != 1 or len(items) != len(sessions):
        raise ValueError(
            f"`values` has shape {items.shape} and `sessions` {len(sessions)} entries: "
            "give one of each for every item."
        )
    if not np.isfinite(items).all():
        raise ValueError("`values` holds nan or infinity: give one finite value for each item.")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"`confidence` is {confidence}: choose a share between 0 and 1.")
    codes, names = pd.factorize(pd.Series(list(sessions), dtype=object), use_na_sentinel=False)
    count = len(names)
    if count < 2:
        raise ValueError(
            f"`sessions` holds {count} session(s): an interval over sessions needs at least 2."
        )
    mean = float(items.mean())
    # Y_g - r N_g is the session's sum of deviations from the mean over all items.
    residuals = np.bincount(codes, weights=items - mean, minlength=count)
    variance = count / (count - 1) * float(np.sum(residuals**2)) / len(items) ** 2
    standard_error = math.sqrt(variance)
    half_width = float(stats.t.ppf(0.5 + confidence / 2, df=count - 1)) * standard_error
    return SessionInterval(
        mean=mean,
        low=mean - half_width,
        high=mean + half_width,
        standard_error=standard_error,
        sessions=count,
    )


def paired_session_interval(
    correct_a: Sequence[float],
    correct_b: Sequence[float],
    sessions: Sequence[Hashable],
    *,
    confidence: float = 0.95,
) -> SessionInterval:
    """Computes the session t interval of the difference of two models on the same items.

    Args:
        correct_a: (items,) the first model's values, averaged over its seeds.
        correct_b: (items,) the second model's values on the same items in the same order.
        sessions: (items,) the session of each item.
        confidence: share of such intervals that hold the truth, in (0, 1).

    Returns:
        The mean of `correct_a - correct_b` and its interval; positive where the first is better.

    Raises:
        ValueError: where the lengths differ, or what `session_interval` refuses.

    Example:
        >>> gain = paired_session_interval([1, 1, 1, 0], [0, 1, 0, 0], ["a", "a", "b", "b"])
        >>> gain.mean, gain.standard_error
        (0.5, 0.0)
    """
    first, second = np.asarray(correct_a, dtype=np.float64), np.asarray(correct_b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(
            f"`correct_a` has shape {first.shape} and `correct_b` {second.shape}: "
            "compare two models on the same items, in the same order."
        )
    return session_interval(first - second, sessions, confidence=confidence)
