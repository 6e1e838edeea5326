"""Scores of a table's rows: over all folds and seeds, with intervals over sessions, and compared.

After `answers`. Every number comes from the answers alone, so that anybody can compute it again
from the `predictions.parquet` of the cells. One corpus at a time; `pool_corpora` puts several
together, each drawn by itself.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from configuration_kemer import EMOTIONS
from kemer.calibration import brier_scores, calibration_errors
from kemer.comparisons import Comparison, compare
from kemer.decoding import answer_shares
from kemer.estimates import Estimate, NoInterval, estimate
from kemer.intervals import (
    ScoreInterval,
    interval_over_sessions_and_scripts,
)
from kemer.session_sums import SessionSums, over_seeds, prediction_sums
from kemer.table.answers import FoldAnswers, pool_folds

METRICS = ("exact_match", "distance", "f1_macro", "ccc_valence", "ccc_arousal")
COMPARED = ("exact_match", "distance")
"""Scores in which the primary row is compared with the others."""


@dataclass(frozen=True)
class RowScores:
    """What a row scores under one decoding, each utterance of the corpus once.

    Attributes:
        corpus: configuration of the dataset.
        protocol: what was held out.
        row: name of the row.
        decoding: how probabilities became answers.
        utterances: number of them.
        estimates: by `METRICS`, the score over all seeds with its interval.
        seed_spread: by `METRICS`, the standard deviation over seeds, nan with one seed.
        shares: of answers with no, one, two and more emotions, mean over seeds.
        calibration: by emotion, `brier`, `ece` and `references`, mean over seeds.
        sums: by `METRICS`, what `compare_rows` compares.
        two_way: by `METRICS`, intervals for new sessions with new scripts; empty where the
            protocol holds no scripts out.
    """

    corpus: str
    protocol: str
    row: str
    decoding: str
    utterances: int
    estimates: Mapping[str, Estimate]
    seed_spread: Mapping[str, float]
    shares: Mapping[str, float]
    calibration: pd.DataFrame
    sums: Mapping[str, SessionSums]
    two_way: Mapping[str, Estimate]


def score_row(
    answers: Sequence[FoldAnswers], decoding: str, *, scripts: Mapping[str, str] | None = None
) -> RowScores:
    """Score one row.

    Args:
        answers: of one row, corpus and protocol, all folds and seeds.
        decoding: one that the row has.
        scripts: by id, the script of an utterance (utterances without one left out), where scripts
            are held out; None where they are not.

    Returns:
        the scores.
    """
    by_seed = pool_folds(answers, decoding)
    sums = {
        metric: over_seeds([run[metric] for run in runs])
        for runs in [[prediction_sums(frame) for frame in by_seed.values()]]
        for metric in METRICS
    }
    frames = list(by_seed.values())
    first = answers[0]
    return RowScores(
        corpus=first.corpus,
        protocol=first.protocol,
        row=first.row,
        decoding=decoding,
        utterances=len(frames[0]),
        estimates={metric: estimate(sums[metric]) for metric in METRICS},
        seed_spread={metric: _seed_spread(sums[metric]) for metric in METRICS},
        shares=_mean_shares(frames),
        calibration=_mean_calibration(frames),
        sums=sums,
        two_way={} if scripts is None else _two_way(frames, scripts),
    )


def compare_rows(
    primary: RowScores, others: Sequence[RowScores], *, metric: str
) -> dict[str, Comparison]:
    """Compare the primary row with others, as one family.

    Args:
        primary: the row.
        others: rows of the same corpus, protocol, seeds and utterances.
        metric: one of `METRICS`.

    Returns:
        by row name; the p values are corrected for all of `others`.
    """
    return compare(primary.sums[metric], {other.row: other.sums[metric] for other in others})


def score_cells(answers: Sequence[FoldAnswers]) -> list[dict[str, Any]]:
    """Return the content of `table.json`: one entry a fold, seed and decoding.

    Args:
        answers: of all rows.

    Returns:
        for each `row`, `corpus`, `protocol`, `fold`, `seed`, `decoding`, `utterances`, `METRICS`
        (null where 0/0) and the shares `empty`, `single`, `pairs` and `larger`.
    """
    entries = []
    for one in answers:
        for decoding in one.decodings:
            frame = one.decoded(decoding)
            sums = prediction_sums(frame)
            values = {metric: sums[metric].value() for metric in METRICS}
            entries.append(
                {
                    "row": one.row,
                    "corpus": one.corpus,
                    "protocol": one.protocol,
                    "fold": one.fold,
                    "seed": one.seed,
                    "decoding": decoding,
                    "utterances": len(frame),
                    **{k: None if math.isnan(v) else v for k, v in values.items()},
                    **asdict(answer_shares(_labels(frame, "predicted"))),
                }
            )
    return entries


def pool_corpora(rows: Sequence[RowScores], *, metric: str) -> ScoreInterval | NoInterval:
    """Put one row's scores on several corpora together, weighted by their utterances.

    The corpora are independent: their variances add up, each side of the interval by itself.

    Args:
        rows: of one row, protocol and decoding, each of another corpus.
        metric: one of `METRICS`.
    """
    weights = np.array([row.utterances for row in rows]) / sum(row.utterances for row in rows)
    parts = [row.estimates[metric] for row in rows]
    value = float(weights @ [part.value for part in parts])
    if not all(isinstance(part, ScoreInterval) for part in parts):
        return NoInterval(value, "a corpus has too few sessions for an interval")
    below = weights * [part.value - part.low for part in parts]
    above = weights * [part.high - part.value for part in parts]
    return ScoreInterval(
        value=value,
        low=value - float(np.linalg.norm(below)),
        high=value + float(np.linalg.norm(above)),
        sessions=sum(part.sessions for part in parts),
        scripts=None,
        method=" + ".join(sorted({part.method for part in parts})),
    )


def skill(value: float, *, constant: float, ceiling: float) -> float:
    """Return how far an exact match is from the constant answer's (0) to the ceiling (1).

    Example:
        >>> round(skill(0.7, constant=0.4, ceiling=0.9), 2)
        0.6
    """
    return (value - constant) / (ceiling - constant)


def _seed_spread(sums: SessionSums) -> float:
    if len(sums.sums) < 2:
        return math.nan
    totals = sums.sums.sum(axis=1)  # (seeds, columns)
    return float(np.std(sums.statistic(totals), ddof=1))


def _labels(frame: pd.DataFrame, side: str) -> np.ndarray:
    return np.array([list(row) for row in frame[f"labels_{side}"]])


def _mean_shares(frames: Sequence[pd.DataFrame]) -> dict[str, float]:
    shares = [asdict(answer_shares(_labels(frame, "predicted"))) for frame in frames]
    return {name: float(np.mean([one[name] for one in shares])) for name in shares[0]}


def _mean_calibration(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    briers, errors = [], []
    for frame in frames:
        probabilities = np.array([list(row) for row in frame["probabilities"]])
        labels = _labels(frame, "reference")
        briers.append(brier_scores(probabilities, labels))
        errors.append(calibration_errors(probabilities, labels))
    return pd.DataFrame(
        {
            "references": _labels(frames[0], "reference").sum(axis=0),
            "brier": np.mean(briers, axis=0),
            "ece": np.mean(errors, axis=0),
        },
        index=pd.Index(EMOTIONS, name="emotion"),
    )


def _two_way(
    frames: Sequence[pd.DataFrame], scripts: Mapping[Hashable, str]
) -> dict[str, Estimate]:
    runs = [
        prediction_sums(frame, scripts=[scripts.get(one) for one in frame["id"]])
        for frame in frames
    ]
    found: dict[str, Estimate] = {}
    for metric in METRICS:
        sums = over_seeds([run[metric] for run in runs])
        try:
            found[metric] = interval_over_sessions_and_scripts(sums)
        except ValueError as error:  # fewer than two scripts recur, or the score is 0/0
            found[metric] = NoInterval(sums.value(), str(error))
    return found
