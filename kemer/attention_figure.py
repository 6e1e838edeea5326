"""The figure of one utterance's attention: speech over time, words, and what words look at.

Beside `attention_weights`, whose values it shows; `python -m kemer.attention` saves it.
"""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kemer.attention_weights import AttentionWeights
from kemer.figures import BLUE, GREY, INK, MARGINS, ORANGE, SHADES

TITLE_WIDTH = 70  # letters
WORD_HEIGHT, HEAD_HEIGHT, WIDTH = 0.3, 4.4, 11.0  # inches


def draw_attention(
    weights: AttentionWeights, samples: np.ndarray, *, sampling_rate: int, title: str
) -> Figure:
    """Draw where the meta-attention looked in one utterance.

    Args:
        weights: of the utterance.
        samples: (samples,) its waveform.
        sampling_rate: in Hz.
        title: the figure's title; what was said.
    """
    height = HEAD_HEIGHT + WORD_HEIGHT * len(weights.words)
    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(**MARGINS))
    ratios = [2.2, max(1.6, WORD_HEIGHT * len(weights.words))]
    grid = figure.subplots(2, 2, width_ratios=[3, 1], height_ratios=ratios)
    _draw_speech(grid[0, 0], weights, samples, sampling_rate=sampling_rate)
    _draw_shares(grid[0, 1], weights)
    _draw_looks(grid[1, 0], weights, seconds=len(samples) / sampling_rate)
    _draw_words(grid[1, 1], weights)
    figure.suptitle("\n".join(textwrap.wrap(title, TITLE_WIDTH)), fontsize=14, color=INK)
    return figure


def relative(weights: np.ndarray, positions: int) -> np.ndarray:
    """Return weights as multiples of what each of so many positions has where all are equal."""
    return weights * positions


def _draw_speech(
    axes: Axes, weights: AttentionWeights, samples: np.ndarray, *, sampling_rate: int
) -> None:
    """Draw the waveform, and over it what each frame is given."""
    times = np.arange(len(samples)) / sampling_rate
    axes.plot(times, samples, color=GREY, linewidth=0.4, alpha=0.7)
    peak = max(float(np.abs(samples).max()), 1e-6)
    axes.set(xlim=(0, len(samples) / sampling_rate), ylim=(-1.1 * peak, 1.1 * peak), yticks=[])
    axes.set_title("speech: waveform, and what its frames are given", fontsize=11, color=INK)
    axes.tick_params(labelcolor=INK)
    given = axes.twinx()
    given.plot(
        weights.seconds,
        relative(weights.frame_weights, weights.positions),
        color=BLUE,
        linewidth=1.8,
    )
    given.axhline(1.0, color=ORANGE, linewidth=1.2, linestyle=(0, (5, 3)))
    given.set_ylim(bottom=0)
    given.yaxis.set_label_position("left")
    given.yaxis.tick_left()
    given.set_ylabel("attention (1: all alike)", fontsize=10, color=BLUE)
    given.tick_params(axis="y", labelcolor=BLUE)
    for one in (axes, given):
        one.spines[["top", "right"]].set_visible(False)


def _draw_shares(axes: Axes, weights: AttentionWeights) -> None:
    """Draw what each modality is given, and its share of the positions."""
    given = [weights.speech_share, 1 - weights.speech_share]
    alike = [weights.speech_positions, 1 - weights.speech_positions]
    axes.barh([0, 1], given, height=0.5, color=BLUE)
    for place, share in enumerate(alike):
        axes.plot([share] * 2, [place - 0.32, place + 0.32], color=ORANGE, linewidth=2)
    for place, share in enumerate(given):
        axes.text(1.02, place, f"{share:.0%}", va="center", size=10, color=INK)
    axes.set(xlim=(0, 1.2), xticks=[0, 0.5, 1], yticks=[0, 1], ylim=(1.6, -0.6))
    axes.set_yticklabels(["speech", "text"], fontsize=10, color=INK)
    axes.set_title("share of attention\n(line: share of positions)", fontsize=11, color=INK)
    axes.tick_params(labelcolor=INK, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_looks(axes: Axes, weights: AttentionWeights, *, seconds: float) -> None:
    """Draw where in speech each word looks, each row by itself."""
    rows = weights.text_to_speech
    shown = rows / rows.max(axis=1, keepdims=True)
    half = seconds / len(weights.seconds) / 2
    ends = (weights.seconds[0] - half, weights.seconds[-1] + half)
    axes.imshow(
        shown,
        aspect="auto",
        cmap=SHADES,
        vmin=0.0,
        vmax=1.0,
        extent=(*ends, len(rows) - 0.5, -0.5),
        interpolation="nearest",
    )
    axes.set_xlim(0, seconds)
    axes.set_yticks(range(len(weights.words)), weights.words, fontsize=10)
    axes.set_xlabel("seconds", fontsize=11, color=INK)
    axes.set_title(
        "where in speech each word looks (dark: most, row by row)", fontsize=11, color=INK
    )
    axes.tick_params(axis="y", length=0)
    axes.tick_params(labelcolor=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_words(axes: Axes, weights: AttentionWeights) -> None:
    """Draw what the tokens of each word are given."""
    values = relative(weights.word_weights, weights.positions) / weights.tokens
    axes.barh(range(len(values)), values, height=0.6, color=BLUE)
    axes.axvline(1.0, color=ORANGE, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.set(ylim=(len(values) - 0.5, -0.5), yticks=[])
    axes.set_xlabel("attention (1: all alike)", fontsize=10, color=INK)
    axes.set_title("text: what each token\nof a word is given", fontsize=11, color=INK)
    axes.tick_params(labelcolor=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
