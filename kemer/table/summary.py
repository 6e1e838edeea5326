"""The intervals and comparisons of a table as plain values, for `summary.json`.

Beside `report`, which shows the same to readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kemer.estimates import Estimate, estimate_to_dict, finite_or_none
from kemer.protocols import LEAKS
from kemer.table.scores import RowScores
from kemer.table.sections import ProtocolReport


def summarise_reports(
    reports: Sequence[ProtocolReport],
    pooled: Mapping[tuple[str, str], Mapping[str, Estimate]],
    *,
    synthetic: bool,
) -> dict[str, Any]:
    """Return the content of `summary.json`.

    Args:
        reports: of each corpus and protocol.
        pooled: by row and decoding, the scores of all corpora together.
        synthetic: whether the speech is synthetic.
    """
    return {
        "synthetic": synthetic,
        "designs": [_summarise(report) for report in reports],
        "pooled": [
            {"row": row, "decoding": decoding, **{m: estimate_to_dict(e) for m, e in found.items()}}
            for (row, decoding), found in pooled.items()
        ],
    }


def _summarise(report: ProtocolReport) -> dict[str, Any]:
    return {
        "corpus": report.corpus,
        "protocol": report.protocol,
        "leak": LEAKS.get(report.protocol),
        "folds": report.folds,
        "seeds": list(report.seeds),
        "folds_sha256": report.folds_sha256,
        "raters": report.raters if isinstance(report.raters, str) else report.raters.to_dict(),
        "rows": [_summarise_row(scores) for scores in report.scores.values()],
        "comparisons": [
            {
                "row": report.primary,
                "against": row,
                "metric": metric,
                "decoding": decoding,
                **estimate_to_dict(comparison.difference),
                "p_value": comparison.test.p_value,
                "p_holm": comparison.p_holm,
            }
            for (decoding, metric), found in report.comparisons.items()
            for row, comparison in found.items()
        ],
        "parts": {row: table.to_dict(orient="records") for row, table in report.slices.items()},
    }


def _summarise_row(scores: RowScores) -> dict[str, Any]:
    return {
        "row": scores.row,
        "decoding": scores.decoding,
        "utterances": scores.utterances,
        "scores": {metric: estimate_to_dict(one) for metric, one in scores.estimates.items()},
        "two_way": {metric: estimate_to_dict(one) for metric, one in scores.two_way.items()},
        "seed_spread": {metric: finite_or_none(one) for metric, one in scores.seed_spread.items()},
        "shares": dict(scores.shares),
        "calibration": scores.calibration.reset_index().to_dict(orient="records"),
    }
