"""The reliability curve of each emotion: how often it is there, where so much was said of it.

Beside `figures`; `calibration` computes the points, `report` embeds the figure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from configuration_kemer import EMOTIONS
from kemer.calibration import ReliabilityPoint, reliability_curves
from kemer.figures import BLUE, GREY, INK, MARGINS, ORANGE, label_table

KEY = """One curve an emotion.

Across: the probability
that was said, in ten bins.
Up: the share of these
utterances that have the
emotion.

On the dashed line the two
agree; below it too much was
said, above it too little.

Bars: utterances in each bin.
Empty bins have no point."""


def draw_reliability(predictions: pd.DataFrame, calibration: pd.DataFrame, *, title: str) -> Figure:
    """Draw the reliability curve of each emotion, with the utterances in each bin below it.

    Args:
        predictions: the table of `scoring.read_predictions`.
        calibration: of `calibration.calibration_table`, for the small print.
        title: the figure's title.
    """
    probabilities = np.array([list(row) for row in predictions["probabilities"]])
    curves = reliability_curves(probabilities, label_table(predictions["labels_reference"]))
    figure = Figure(figsize=(11, 8.2), layout=ConstrainedLayoutEngine(**MARGINS))
    grid = figure.subplots(4, 4, height_ratios=[3, 1, 3, 1])
    for place, (emotion, points) in enumerate(zip(EMOTIONS, curves, strict=True)):
        upper, column = 2 * (place // 4), place % 4
        line = calibration.loc[emotion]
        note = f"Brier {line['brier']:.3f}, ECE {line['ece']:.3f}"
        _draw_curve(grid[upper, column], points, name=emotion, note=note)
        _draw_counts(grid[upper + 1, column], points, total=len(predictions))
    for upper in (0, 2):
        grid[upper, 0].set_ylabel("share that have it", fontsize=11, color=INK)
        grid[upper + 1, 0].set_ylabel("utterances", fontsize=10, color=INK)
    for axes in (grid[2, 3], grid[3, 3]):
        axes.axis("off")
    place = {"transform": grid[2, 3].transAxes, "va": "top", "size": 10.5, "color": INK}
    # Longer than its panel, which must not grow for it.
    grid[2, 3].text(0.0, 1.0, KEY, linespacing=1.35, **place).set_in_layout(False)
    figure.suptitle(title, fontsize=15, color=INK)
    return figure


def _draw_curve(axes: Axes, points: list[ReliabilityPoint], *, name: str, note: str) -> None:
    axes.plot([0, 1], [0, 1], color=ORANGE, linewidth=1.3, linestyle=(0, (5, 3)))
    axes.plot(
        [point.probability for point in points],
        [point.share for point in points],
        "o-",
        color=BLUE,
        linewidth=1.5,
        markersize=5,
        clip_on=False,
    )
    axes.set_title(f"{name}\n", fontsize=13, fontweight="bold", color=INK, pad=2)
    axes.text(0.5, 1.03, note, transform=axes.transAxes, ha="center", size=9, color=GREY)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.tick_params(labelbottom=False, labelcolor=INK)
    axes.grid(color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_counts(axes: Axes, points: list[ReliabilityPoint], *, total: int) -> None:
    axes.bar(
        [(point.low + point.high) / 2 for point in points],
        [point.items for point in points],
        width=[0.9 * (point.high - point.low) for point in points],
        color=BLUE,
        alpha=0.45,
    )
    # Nearly all utterances lie in the lowest bin of a rare emotion; the others must be seen, too.
    axes.set_yscale("log")
    axes.set(xlim=(0, 1), ylim=(0.7, 1.5 * total), xticks=[0, 0.5, 1])
    axes.set_xlabel("probability", fontsize=10, color=INK)
    axes.tick_params(labelcolor=INK, labelsize=9)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
