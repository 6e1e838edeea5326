"""A whole table: trainings, baselines, scores, page and figures, in the order in which they come.

The steps of `python -m kemer.table`. What was computed before is read again, not done again, and
the files of the table are replaced at the end only, each by a rename.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kemer.comparisons import Comparison
from kemer.estimates import Estimate
from kemer.figures import save_figure
from kemer.protocols import CROSSED_PROTOCOL
from kemer.results import write_whole
from kemer.session_sums import over_seeds
from kemer.table.answers import DECODINGS, INPUTS, OWN_DECODING, FoldAnswers
from kemer.table.baselines import rater_figures
from kemer.table.cells import data_key
from kemer.table.designs import Design, DesignAnswers, TableOptions, make_designs, read_design
from kemer.table.figure import draw_table
from kemer.table.plan import TablePlan
from kemer.table.report import pooled_section, write_page
from kemer.table.runner import CellRunner
from kemer.table.scores import (
    COMPARED,
    METRICS,
    RowScores,
    compare_rows,
    pool_corpora,
    score_cells,
    score_row,
)
from kemer.table.sections import BASELINE_TITLES, ProtocolReport
from kemer.table.slices import slice_row
from kemer.table.summary import summarise_reports

PAGE, CELLS, SUMMARY = "table.md", "table.json", "summary.json"
SLICE_DECODING = "argmax"  # never empty, and nothing is fitted for it


def build_table(plan: TablePlan, options: TableOptions) -> str:
    """Make a table, from the trainings that are missing to the page.

    Args:
        plan: rows, seeds, protocols and controls.
        options: data and folders.

    Returns:
        the page, as `table.md` holds it.

    Raises:
        ValueError: if the dataset, a fold or a setting is wrong.
        RuntimeError: if a training failed; the others are kept.
    """
    designs = make_designs(plan, options)
    key = data_key(options.dataset)
    runner = CellRunner(
        options.dataset, options.output, key, jobs=options.jobs, launch=options.launch
    )
    runner.run([cell for design in designs for cell in design.cells])
    found = [read_design(design, plan, options, key=key) for design in designs]
    reports = [report_design(design, plan, one) for design, one in zip(designs, found, strict=True)]
    return write_table(
        reports,
        [answer for one in found for answer in one.answers],
        options.output,
        plan=plan,
        synthetic=any(one.synthetic for one in found),
    )


def report_design(design: Design, plan: TablePlan, found: DesignAnswers) -> ProtocolReport:
    """Score a design's rows.

    Args:
        design: corpus and protocol.
        plan: of the table.
        found: the answers.
    """
    by_row: dict[str, list[FoldAnswers]] = {}
    for one in found.answers:
        by_row.setdefault(one.row, []).append(one)
    scripts = None
    if design.protocol == CROSSED_PROTOCOL:
        scripted = found.facts[found.facts["is_scripted"].eq(True)]
        scripts = dict(zip(scripted["id"], scripted["script"], strict=True))
    titles = row_titles(plan, list(by_row))
    scores = {
        (row, decoding): score_row(by_row[row], decoding, scripts=scripts)
        for row in titles
        for decoding in by_row[row][0].decodings
    }
    models = [row for row in titles if by_row[row][0].decoder is not None]
    return ProtocolReport(
        corpus=design.corpus,
        protocol=design.protocol,
        folds=len(design.folds),
        seeds=plan.seeds,
        folds_sha256=found.folds_sha256,
        titles=titles,
        primary=plan.primary,
        scores=scores,
        comparisons=compare_all(plan, scores, rows=list(titles)),
        raters=rater_figures(found.facts),
        slices={row: slice_row(by_row[row], SLICE_DECODING, found.facts) for row in models},
        slice_decoding=SLICE_DECODING,
    )


def row_titles(plan: TablePlan, rows: Sequence[str]) -> dict[str, str]:
    """Return the titles of rows, in the order of the table.

    Args:
        plan: of the table.
        rows: names of those that have answers.
    """
    titles = {}
    for row in plan.trained_rows():
        titles[row.name] = row.title
        titles |= {f"{row.name}_{one}": f"{row.title}, {one} alone" for one in INPUTS if one}
    titles |= {name: BASELINE_TITLES[name] for name in ("mean_probabilities", "ngram", "constant")}
    return {name: title for name, title in titles.items() if name in rows}


def compare_all(
    plan: TablePlan, scores: dict[tuple[str, str], RowScores], *, rows: Sequence[str]
) -> dict[tuple[str, str], dict[str, Comparison]]:
    """Compare the primary row with the plan's others, and then with all that stands beside them.

    The plan's rows are one family of comparisons, named before anything was trained; controls and
    baselines are another.

    Args:
        plan: of the table.
        scores: by row and decoding.
        rows: names in the order of the table.

    Returns:
        by decoding and score (Distance knows no decoding and is told once), then row.
    """
    named = [row.name for row in plan.rows if row.name != plan.primary]
    beside = [row for row in rows if row not in (*named, plan.primary)]
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for metric in COMPARED:
        for decoding in DECODINGS if metric == "exact_match" else DECODINGS[:1]:
            primary = scores[plan.primary, decoding]
            comparisons: dict[str, Comparison] = {}
            for family in (named, beside):
                others = [
                    _with_seeds(_of_row(scores, row, decoding), len(plan.seeds)) for row in family
                ]
                if others:
                    comparisons |= compare_rows(primary, others, metric=metric)
            found[decoding, metric] = comparisons
    return found


def _of_row(scores: Mapping[tuple[str, str], RowScores], row: str, decoding: str) -> RowScores:
    """Return a row's scores under a decoding, or under its own where it has one."""
    return scores[row, decoding] if (row, decoding) in scores else scores[row, OWN_DECODING]


def _with_seeds(row: RowScores, seeds: int) -> RowScores:
    """Return a row that is not trained as if each seed had given it."""
    if len(row.sums["exact_match"].sums) == seeds:
        return row
    return replace(row, sums={name: over_seeds([one] * seeds) for name, one in row.sums.items()})


def write_table(
    reports: Sequence[ProtocolReport],
    answers: Sequence[FoldAnswers],
    output: Path,
    *,
    plan: TablePlan,
    synthetic: bool,
) -> str:
    """Write page, figures and numbers; return the page.

    Args:
        reports: of each corpus and protocol.
        answers: of all rows.
        output: the table's folder.
        plan: of the table.
        synthetic: whether the speech is synthetic.
    """
    figures = {}
    for report in reports:
        name = f"table-{report.corpus}-{report.protocol}.png"
        figures[report.corpus, report.protocol] = name
        fresh = output / f".{name}"
        save_figure(draw_table(report, synthetic=synthetic), fresh)
        os.replace(fresh, output / name)
    pooled = pool_reports(reports)
    page = write_page(
        reports,
        synthetic=synthetic,
        published=plan.published or {},
        figures=figures,
        pooled=pooled_section(pooled, reports[0].titles) if pooled else "",
    )
    write_whole(output / CELLS, json.dumps(score_cells(answers), indent=1, allow_nan=False) + "\n")
    summary = summarise_reports(reports, pooled, synthetic=synthetic)
    write_whole(output / SUMMARY, json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_whole(output / PAGE, page)
    return page


def pool_reports(reports: Sequence[ProtocolReport]) -> dict[tuple[str, str], dict[str, Estimate]]:
    """Put the corpora of the first protocol together; nothing where there is one corpus.

    Args:
        reports: of each corpus and protocol.

    Returns:
        by row and decoding, the scores.
    """
    same = [report for report in reports if report.protocol == reports[0].protocol]
    if len(same) < 2:
        return {}
    return {
        place: {
            metric: pool_corpora([report.scores[place] for report in same], metric=metric)
            for metric in METRICS
        }
        for place in reports[0].scores
        if all(place in report.scores for report in same)
    }
