"""The figure of a table: exact match and Distance of every row, with intervals and base rates.

Beside `report`, which embeds it.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kemer.figures import BLUE, GREY, INK, MARGINS, ORANGE
from kemer.intervals import ScoreInterval
from kemer.protocols import name_protocol
from kemer.raters import RaterFigures
from kemer.table.answers import DECODINGS, OWN_DECODING
from kemer.table.scores import RowScores
from kemer.table.sections import DECODING_TITLES, HEADINGS, ProtocolReport

COLOURS = {"threshold": BLUE, "argmax": "#009E73", "label_sets": ORANGE, OWN_DECODING: INK}
MARKERS = {"threshold": "o", "argmax": "s", "label_sets": "D", OWN_DECODING: "o"}
ROW_HEIGHT, HEAD_HEIGHT, WIDTH = 0.62, 1.9, 11.0  # inches
SPACING = 0.24  # rows' units, between decodings of one row


def draw_table(report: ProtocolReport, *, synthetic: bool) -> Figure:
    """Draw exact match under every decoding, and Distance.

    Args:
        report: one corpus under one protocol.
        synthetic: whether the speech is synthetic; the title then says so.
    """
    rows = list(report.titles)
    height = HEAD_HEIGHT + ROW_HEIGHT * len(rows)
    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(**MARGINS))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    for place, row in enumerate(rows):
        decodings = [name for name in COLOURS if (row, name) in report.scores]
        for index, decoding in enumerate(decodings):
            height = place + SPACING * (index - (len(decodings) - 1) / 2)
            scores = report.scores[row, decoding]
            _draw_estimate(left, scores, "exact_match", height=height, decoding=decoding)
        first = report.scores[row, decodings[0]]
        _draw_estimate(right, first, "distance", height=place, decoding=OWN_DECODING)
    _draw_lines(left, right, report)
    left.set_yticks(range(len(rows)), [report.titles[row] for row in rows], fontsize=10)
    left.invert_yaxis()
    for axes, metric in ((left, "exact_match"), (right, "distance")):
        better = "higher" if metric == "exact_match" else "lower"
        axes.set_xlabel(f"{HEADINGS[metric]} ({better} is better)", fontsize=11, color=INK)
        axes.grid(axis="x", color="#E6E6E6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    handles = _legend(left, report)
    figure.legend(
        *handles, loc="outside lower center", ncols=4, fontsize=9, frameon=False, labelcolor=INK
    )
    title = f"{report.corpus}, protocol {name_protocol(report.protocol)}"
    figure.suptitle(title + (" (synthetic speech)" if synthetic else ""), fontsize=14, color=INK)
    return figure


def _draw_estimate(
    axes: Axes, scores: RowScores, metric: str, *, height: float, decoding: str
) -> None:
    """Draw one score and its interval, where there is one."""
    estimate = scores.estimates[metric]
    colour = COLOURS[decoding]
    if isinstance(estimate, ScoreInterval):
        axes.plot([estimate.low, estimate.high], [height] * 2, color=colour, linewidth=1.8)
    axes.plot(
        estimate.value,
        height,
        MARKERS[decoding],
        color=colour,
        markersize=6,
        markeredgecolor="white",
        label=DECODING_TITLES[decoding],
    )


def _draw_lines(left: Axes, right: Axes, report: ProtocolReport) -> None:
    """Draw the base rates of the corpus as lines through all rows."""
    constant = report.of_row("constant", OWN_DECODING).estimates
    dotted = {"color": GREY, "linewidth": 1.0, "linestyle": (0, (2, 2)), "zorder": 0}
    left.axvline(constant["exact_match"].value, label="constant answer", **dotted)
    right.axvline(constant["distance"].value, **dotted)
    if isinstance(report.raters, RaterFigures):
        dashed = {**dotted, "linestyle": (0, (6, 3))}
        left.axvline(report.raters.single_strict, label="one rater", **dashed)
        solid = {**dotted, "linestyle": "-"}
        left.axvline(report.raters.ceiling, label="estimated ceiling (of Distance: floor)", **solid)
        floor = (report.raters.valence_floor + report.raters.arousal_floor) / 2
        right.axvline(floor, **solid)


def _legend(axes: Axes, report: ProtocolReport) -> tuple[list, list[str]]:
    """Return each label once."""
    found: Mapping[str, object] = dict(
        zip(*reversed(axes.get_legend_handles_labels()), strict=True)
    )
    decodings = [DECODING_TITLES[name] for name in (*DECODINGS, OWN_DECODING)]
    ordered = [name for name in decodings if name in found]
    ordered += [name for name in found if name not in ordered]
    return [found[name] for name in ordered], ordered
