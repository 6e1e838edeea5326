"""The tables of a page: scores, comparisons, decodings, calibration and parts of a corpus.

Between `scores`, which computes, and `report`, which puts the page together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from kemer.comparisons import Comparison
from kemer.estimates import Estimate, NoInterval
from kemer.intervals import ScoreInterval, TooFewSessions
from kemer.markdown import markdown_table, number
from kemer.raters import RaterFigures
from kemer.table.answers import DECODINGS, OWN_DECODING
from kemer.table.scores import METRICS, RowScores, skill

HEADINGS = {
    "exact_match": "exact match",
    "distance": "Distance",
    "f1_macro": "macro-F1",
    "ccc_valence": "CCC valence",
    "ccc_arousal": "CCC arousal",
}
DECODING_TITLES = {
    "threshold": "threshold 0.5",
    "argmax": "most probable emotion",
    "label_sets": "label sets",
    OWN_DECODING: "its own",
}
BASELINE_TITLES = {
    "constant": "constant answer",
    "ngram": "text-only n-grams",
    "mean_probabilities": "mean of the two modalities' probabilities",
}


@dataclass(frozen=True)
class ProtocolReport:
    """What is shown of one corpus under one protocol.

    Attributes:
        corpus: configuration of the dataset.
        protocol: what was held out.
        folds: number of them.
        seeds: of training.
        folds_sha256: checksum of the file of folds.
        titles: by row name, in the order of the table.
        primary: name of the row that is compared with the others.
        scores: by row and decoding.
        comparisons: by decoding and metric, then row.
        raters: what the raters score, or why it cannot be said.
        slices: by row, the parts of `slices.slice_row`.
        slice_decoding: decoding of the models in `slices`.
    """

    corpus: str
    protocol: str
    folds: int
    seeds: Sequence[int]
    folds_sha256: str
    titles: Mapping[str, str]
    primary: str
    scores: Mapping[tuple[str, str], RowScores]
    comparisons: Mapping[tuple[str, str], Mapping[str, Comparison]]
    raters: RaterFigures | str
    slices: Mapping[str, pd.DataFrame]
    slice_decoding: str

    def of_row(self, row: str, decoding: str) -> RowScores:
        """Return a row's scores under a decoding, or under its own where it has one."""
        found = self.scores.get((row, decoding))
        return self.scores[row, OWN_DECODING] if found is None else found


def format_estimate(estimate: Estimate) -> str:
    """Write a score with its interval, as one cell of the table."""
    value = number(estimate.value)
    if isinstance(estimate, ScoreInterval):
        return f"{value} [{number(estimate.low)}, {number(estimate.high)}]"
    return f"{value} ({estimate.reason})" if isinstance(estimate, NoInterval) else value


def main_table(report: ProtocolReport, *, published: Mapping[str, tuple[float, float]]) -> str:
    """Return the table of scores under the paper's decoding, and what stands beside the models."""
    rows = []
    for row, title in report.titles.items():
        scores = report.of_row(row, DECODINGS[0])
        spread = scores.seed_spread["exact_match"]
        rows.append(
            [
                title,
                *(format_estimate(scores.estimates[metric]) for metric in METRICS),
                "" if math.isnan(spread) else number(spread),
            ]
        )
    if isinstance(report.raters, RaterFigures):
        raters = report.raters
        blank = [""] * (len(METRICS) - 1)
        single = (raters.valence_single + raters.arousal_single) / 2
        floor = (raters.valence_floor + raters.arousal_floor) / 2
        rows += [
            [
                "one rater against the other nine",
                number(raters.single_strict),
                number(single),
                *blank,
            ],
            [
                "ceiling (estimated, exchangeable raters)",
                f"{number(raters.ceiling)} ± {number(raters.ceiling_error)}",
                number(floor),
                *blank,
            ],
        ]
    rows += [
        [f"{report.titles[row]}, as published", f"{match / 100:.4f}", f"{distance}", *[""] * 4]
        for row, (match, distance) in published.items()
        if row in report.titles
    ]
    header = ["row", *(HEADINGS[metric] for metric in METRICS), "SD over seeds (exact match)"]
    notes = (
        f"### Scores\n\n{markdown_table(header, rows)}\n\nModels answer each emotion above a "
        "probability of 0.5, as the paper's do; the other decodings follow. The published figures "
        "come from an unstated split of both corpora and from scoring with known defects: they "
        "say which rows to compare, not what to reach."
    )
    if isinstance(report.raters, str):
        return f"{notes} No raters' rows: {report.raters}"
    return notes + (
        f" One rater: ties of the nine count as misses ({report.raters.ties:.1%} of them); with "
        f"one of several labels enough it is {number(report.raters.single_lenient)}. A single "
        "rater is no ceiling: a model that weighs all it hears can be better."
    )


def comparison_table(report: ProtocolReport) -> str:
    """Return the table of differences between the primary row and each other one."""
    rows = [
        [
            report.titles[row],
            HEADINGS[metric],
            DECODING_TITLES[decoding] if metric == "exact_match" else "",
            _difference(comparison),
            _p_value(comparison.test.p_value),
            _p_value(comparison.p_holm),
        ]
        for (decoding, metric), found in report.comparisons.items()
        for row, comparison in found.items()
    ]
    header = ["against", "score", "decoding", "difference", "p (sign flips)", "p (Holm)"]
    return (
        f"### {report.titles[report.primary]} against each other row\n\n"
        f"{markdown_table(header, rows)}\n\nPaired by session, the same seeds and utterances in "
        "both rows. A positive difference in exact match, a negative one in Distance, is in its "
        "favour."
    )


def _difference(comparison: Comparison) -> str:
    difference = comparison.difference
    if isinstance(difference, TooFewSessions):
        return f"{difference.value:+.3f}"
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _p_value(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def decoding_table(report: ProtocolReport) -> str:
    """Return the table of decodings; exact match is also told as a skill, where it can be."""
    constant = report.of_row("constant", OWN_DECODING).estimates["exact_match"].value
    rows = []
    for (row, decoding), scores in report.scores.items():
        match = scores.estimates["exact_match"]
        told = ""
        if isinstance(report.raters, RaterFigures):
            told = number(skill(match.value, constant=constant, ceiling=report.raters.ceiling))
        rows.append(
            [
                report.titles[row],
                DECODING_TITLES[decoding],
                format_estimate(match),
                told,
                number(scores.estimates["f1_macro"].value),
                f"{scores.shares['empty']:.1%}",
                f"{scores.shares['pairs']:.1%}",
            ]
        )
    header = ["row", "decoding", "exact match", "skill", "macro-F1", "empty", "pairs"]
    return (
        f"### Decodings\n\n{markdown_table(header, rows)}\n\nSkill: exact match on the way from "
        "the constant answer (0) to the estimated ceiling (1). Label sets: the most probable set "
        "of those seen in training, after a correction of each logit fitted on the validation "
        "sessions; each cell's `metrics.json` holds it."
    )


def two_way_table(report: ProtocolReport) -> str:
    """Return the table of intervals that draw sessions and scripts."""
    rows = [
        [
            report.titles[row],
            DECODING_TITLES[decoding],
            *(format_estimate(scores.two_way[metric]) for metric in METRICS),
        ]
        for (row, decoding), scores in report.scores.items()
        if scores.two_way
    ]
    header = ["row", "decoding", *(HEADINGS[metric] for metric in METRICS)]
    return (
        f"### New sessions with new scripts\n\n{markdown_table(header, rows)}\n\nIntervals that "
        "draw sessions and scripts both. The number of scripts bounds what can be claimed."
    )


def calibration_table(report: ProtocolReport) -> str:
    """Return the table of each emotion's Brier score and calibration error."""
    rows = []
    for row, title in report.titles.items():
        table = report.of_row(row, DECODINGS[0]).calibration
        rows.append(
            [
                title,
                *(f"{line.brier:.3f} / {line.ece:.3f}" for line in table.itertuples()),
                f"{table['brier'].mean():.3f} / {table['ece'].mean():.3f}",
            ]
        )
    emotions = list(report.of_row(report.primary, DECODINGS[0]).calibration.index)
    return (
        "### Calibration\n\n"
        f"{markdown_table(['row', *emotions, 'mean'], rows)}\n\nBrier score / expected calibration "
        "error (10 bins) of each emotion's probability; lower is better."
    )


def slice_table(report: ProtocolReport) -> str:
    """Return the table of exact match by part of the corpus."""
    first = next(iter(report.slices.values()))
    shown = {row: table.set_index("part")["exact_match"] for row, table in report.slices.items()}
    rows = [
        [line.part, f"{line.utterances:,}", *(number(shown[row][line.part]) for row in shown)]
        for line in first.itertuples()
    ]
    header = ["part", "utterances", *(report.titles[row] for row in shown)]
    return (
        f"### Exact match by part ({DECODING_TITLES[report.slice_decoding]})\n\n"
        f"{markdown_table(header, rows)}"
    )


def session_table(report: ProtocolReport) -> str:
    """Return the table of exact match by session, where intervals need more of them."""
    shown = {
        row: report.of_row(row, DECODINGS[0]).sums["exact_match"].session_values()
        for row in report.titles
    }
    sessions = list(next(iter(shown.values())))
    rows = [
        [report.titles[row], *(number(values[one]) for one in sessions)]
        for row, values in shown.items()
    ]
    return "### Exact match by session\n\n" + markdown_table(
        ["row", *(f"session {one}" for one in sessions)], rows
    )
