"""The two figures of a run's report: a confusion matrix of each emotion, valence and arousal.

Stands between `scoring`, whose scores they show, and `report`, which embeds them. The figures
are drawn without pyplot, so they need no display and leave matplotlib's global state alone. The
colours are one blue in several strengths and one orange, distinct to the colour-blind and in grey
(Okabe and Ito, https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from configuration_kemer import EMOTIONS
from kemer.markdown import number

DOTS_PER_INCH = 150
BLUE, ORANGE, INK, GREY = "#0072B2", "#D55E00", "#222222", "#767676"
MARGINS = {"w_pad": 0.15, "h_pad": 0.12}  # inches around every panel
# Ends at a blue on which dark text can still be read.
SHADES = LinearSegmentedColormap.from_list("white_to_blue", ["#FFFFFF", "#9CCFEF", "#45A0DC"])


def label_table(rows: pd.Series) -> np.ndarray:
    """Turns a column of label lists into a table.

    Args:
        rows: (items,) lists of 7 values 0 or 1.

    Returns:
        (items, 7) int.
    """
    return np.array([list(row) for row in rows], dtype=int)


def confusion_counts(predictions: pd.DataFrame) -> np.ndarray:
    """Counts, for each emotion, how decision and truth fall together.

    Args:
        predictions: the table of `scoring.read_predictions`.

    Returns:
        (7, 2, 2) int: emotion, truth (0 absent, 1 present), decision (0 absent, 1 present).
    """
    predicted = label_table(predictions["labels_predicted"])
    reference = label_table(predictions["labels_reference"])
    return np.array(
        [
            [
                [((reference[:, k] == truth) & (predicted[:, k] == said)).sum() for said in (0, 1)]
                for truth in (0, 1)
            ]
            for k in range(len(EMOTIONS))
        ]
    )


def draw_matrix(axes: Axes, counts: np.ndarray, *, name: str, note: str) -> None:
    """Draws the confusion matrix of one emotion: counts, shaded by their share of the row.

    Args:
        axes: where to draw.
        counts: (2, 2) int: truth, decision.
        name: the emotion.
        note: a line of small print below the name.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros((2, 2)), where=totals > 0)
    axes.imshow(shares, cmap=SHADES, vmin=0.0, vmax=1.0)
    for truth in (0, 1):
        for said in (0, 1):
            share = shares[truth, said]
            percent = f"{share:.0%}" if totals[truth, 0] else "none"
            place = {"ha": "center", "color": INK}
            axes.text(said, truth - 0.02, f"{counts[truth, said]:,}", va="bottom", size=13, **place)
            axes.text(said, truth + 0.08, percent, va="top", size=9, **place)
    axes.set_title(f"{name}\n", fontsize=13, fontweight="bold", color=INK, pad=2)
    axes.text(0.5, 1.03, note, transform=axes.transAxes, ha="center", size=9, color=GREY)
    axes.set_xticks([0, 1], ["no", "yes"])
    axes.set_yticks([0, 1], ["no", "yes"])
    axes.set_xticks([0.5], minor=True)
    axes.set_yticks([0.5], minor=True)
    axes.grid(which="minor", color="white", linewidth=3)
    axes.tick_params(which="both", length=0, labelsize=10, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_edgecolor("#C8C8C8")


def draw_confusion(predictions: pd.DataFrame, scores: dict[str, float], *, title: str) -> Figure:
    """Draws a confusion matrix for each emotion, all on one figure.

    Args:
        predictions: the table of `scoring.read_predictions`.
        scores: the scores of `scoring.score`.
        title: the figure's title.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(11, 6.6), layout=ConstrainedLayoutEngine(**MARGINS))
    grid = figure.subplots(2, 4)
    counts = confusion_counts(predictions)
    for axes, emotion, matrix in zip(grid.flat, EMOTIONS, counts, strict=False):
        note = f"F1 {scores[f'f1_{emotion}']:.2f}, recall {scores[f'recall_{emotion}']:.2f}"
        draw_matrix(axes, matrix, name=emotion, note=note)
    for axes in grid[:, 0]:
        axes.set_ylabel("reference", fontsize=11, color=INK)
    for axes in (*grid[1, :3], grid[0, 3]):
        axes.set_xlabel("predicted", fontsize=11, color=INK)
    key = grid[1, 3]
    key.axis("off")
    key.text(
        0.0,
        0.95,
        "One matrix an emotion.\n\nRows: is it in the reference?\nColumns: is it predicted?\n\n"
        "Large: utterances.\nSmall, and the shade:\nshare of the row.\n\n"
        f"{len(predictions):,} utterances\nexact match {scores['exact_match']:.3f}",
        transform=key.transAxes,
        va="top",
        size=11,
        color=INK,
        linespacing=1.35,
    )
    figure.suptitle(title, fontsize=15, color=INK)
    return figure


def draw_scatter(
    axes: Axes, reference: pd.Series, predicted: pd.Series, *, name: str, ends: tuple[float, float]
) -> None:
    """Draws predictions of one dimension against the references, with the line of equality.

    Args:
        axes: where to draw.
        reference: (items,) mean of the raters, 1 to 5.
        predicted: (items,) predictions.
        name: `valence` or `arousal`.
        ends: the ends of both axes.
    """
    # Fewer points are drawn denser, so that 100 and 10,000 can both be read.
    opacity = float(np.clip(60.0 / len(reference) ** 0.75, 0.08, 0.7))
    axes.scatter(reference, predicted, s=22, color=BLUE, alpha=opacity, linewidths=0, zorder=2)
    identity = {"color": ORANGE, "linewidth": 1.5, "linestyle": (0, (5, 3)), "zorder": 3}
    axes.plot(ends, ends, label="predicted = reference", **identity)
    axes.legend(loc="upper left", fontsize=10, labelcolor=INK, framealpha=0.9, edgecolor="white")
    ticks = range(math.ceil(ends[0]), math.floor(ends[1]) + 1)
    axes.set(xlim=ends, ylim=ends, xticks=ticks, yticks=ticks, aspect="equal")
    axes.set_xlabel(f"reference {name}, mean of the raters", fontsize=11, color=INK)
    axes.set_ylabel(f"predicted {name}", fontsize=11, color=INK)
    axes.grid(color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_valence_arousal(
    predictions: pd.DataFrame, scores: dict[str, float], *, title: str
) -> Figure:
    """Draws predicted against reference valence, and arousal beside it.

    Args:
        predictions: the table of `scoring.read_predictions`.
        scores: the scores of `scoring.score`.
        title: the figure's title.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(11, 6.1), layout=ConstrainedLayoutEngine(**MARGINS))
    names = ("valence", "arousal")
    values = predictions[
        [f"{name}_{side}" for name in names for side in ("reference", "predicted")]
    ]
    # The scale is 1 to 5; a prediction may leave it, and then both panels grow with it.
    low, high = float(values.to_numpy().min()), float(values.to_numpy().max())
    ends = min(1.0, low) - 0.15, max(5.0, high) + 0.15
    for axes, name in zip(figure.subplots(1, 2), names, strict=True):
        pair = predictions[f"{name}_reference"], predictions[f"{name}_predicted"]
        draw_scatter(axes, *pair, name=name, ends=ends)
        ccc, error = number(scores[f"ccc_{name}"], digits=2), scores[f"distance_{name}"]
        axes.set_title(f"{name}: CCC {ccc}, MSE {number(error, digits=2)}", fontsize=13, color=INK)
    figure.suptitle(title, fontsize=15, color=INK)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG.

    Args:
        figure: the figure, of no canvas yet.
        path: the file to write.
    """
    FigureCanvasAgg(figure)  # becomes the figure's canvas
    figure.savefig(path, dpi=DOTS_PER_INCH, facecolor="white")
