"""The page's figures: emotion bars, the valence/arousal plane, attention, and the timeline.

Drawn by the browser (Plotly), so that Korean needs no font on the server. The colours are told
apart by the colour-blind and in grey (Okabe and Ito, https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kemer.attention_weights import AttentionWeights
from page_texts import TEXTS, emotion_name

BLUE, ORANGE, INK, GREY, PALE = "#0072B2", "#D55E00", "#222222", "#767676", "#9CCFEF"
SHADES = [[0.0, "#FFFFFF"], [0.5, "#9CCFEF"], [1.0, "#0072B2"]]
WAVEFORM_POINTS = 1000
"""Pairs of least and greatest sample that are drawn of a waveform."""

LAYOUT: dict[str, Any] = {
    "template": "plotly_white",
    "margin": {"l": 60, "r": 20, "t": 50, "b": 50},
    "font": {"family": "Noto Sans KR, Noto Sans CJK KR, system-ui, sans-serif", "color": INK},
    "dragmode": False,
}


def draw_emotions(answer: dict[str, Any], *, language: str) -> go.Figure:
    """Draw the probability of each emotion; those that are answered are dark.

    Args:
        answer: `emotions` and `probabilities` of an utterance.
        language: a key of `TEXTS`.
    """
    texts, names = TEXTS[language], list(answer["probabilities"])
    values = list(answer["probabilities"].values())
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[emotion_name(name, language) for name in names],
            orientation="h",
            marker_color=[BLUE if name in answer["emotions"] else PALE for name in names],
            text=[f"{value:.0%}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_xaxes(range=[0, 1.08], tickformat=".0%", title=texts["probability"])
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(**LAYOUT, title=texts["emotions"], height=360)


def draw_plane(answers: Sequence[dict[str, Any]], *, place: int, language: str) -> go.Figure:
    """Draw valence and arousal of every utterance, the chosen one large.

    Args:
        answers: of the utterances.
        place: of the chosen one.
        language: a key of `TEXTS`.
    """
    texts = TEXTS[language]
    valence, arousal = ([one[name] for one in answers] for name in ("valence", "arousal"))
    figure = go.Figure(
        go.Scatter(
            x=valence,
            y=arousal,
            mode="lines+markers" if len(answers) > 1 else "markers",
            line={"color": "#C8C8C8", "width": 1},
            marker={
                "size": [18 if number == place else 9 for number in range(len(answers))],
                "color": [ORANGE if number == place else BLUE for number in range(len(answers))],
                "opacity": 0.9,
            },
            text=[_span(one, texts) for one in answers],
            hovertemplate="%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
        )
    )
    corners = {
        "calm_unpleasant": (1.1, 1.15, "left"),
        "calm_pleasant": (4.9, 1.15, "right"),
        "excited_unpleasant": (1.1, 4.85, "left"),
        "excited_pleasant": (4.9, 4.85, "right"),
    }
    for name, (x, y, anchor) in corners.items():
        figure.add_annotation(
            x=x, y=y, xanchor=anchor, text=texts[name], showarrow=False, font={"color": GREY}
        )
    figure.add_hline(y=3, line={"color": "#C8C8C8", "dash": "dot"})
    figure.add_vline(x=3, line={"color": "#C8C8C8", "dash": "dot"})
    ends = _scale(answers)
    figure.update_xaxes(range=ends, dtick=1, title=texts["valence"])
    figure.update_yaxes(range=ends, dtick=1, title=texts["arousal"])
    return figure.update_layout(**LAYOUT, title=texts["plane"], height=360)


def draw_attention(
    samples: np.ndarray,
    weights: AttentionWeights | None,
    *,
    rate: int,
    start: float,
    language: str,
) -> go.Figure:
    """Draw an utterance's waveform with the attention to it, and the attention to its words.

    Args:
        samples: (samples,) of the utterance.
        weights: of the meta-attention, None where the model has none.
        rate: of the samples, in Hz.
        start: of the utterance in its recording, in seconds.
        language: a key of `TEXTS`.
    """
    texts = TEXTS[language]
    has_words = weights is not None and bool(weights.words)
    figure = make_subplots(
        rows=1 + has_words,
        cols=1,
        specs=[[{"secondary_y": True}], *([[{}]] * has_words)],
        vertical_spacing=0.3,
        subplot_titles=[None, texts["words"]] if has_words else None,
    )
    times, edges = _envelope(samples, rate=rate)
    line = {"color": "#B0B0B0", "width": 1}
    wave = go.Scatter(x=times + start, y=edges, line=line, name=texts["waveform"], hoverinfo="skip")
    figure.add_trace(wave, row=1, col=1)
    if weights is not None:
        look = go.Scatter(
            x=weights.seconds + start,
            y=weights.frame_weights * weights.positions,
            line={"color": ORANGE, "width": 2},
            name=texts["attention_axis"],
            hovertemplate="%{x:.2f}: %{y:.2f}<extra></extra>",
        )
        figure.add_trace(look, row=1, col=1, secondary_y=True)
        title = {"text": texts["attention_axis"], "font": {"color": ORANGE}}
        figure.update_yaxes(
            title=title, rangemode="tozero", showgrid=False, row=1, col=1, secondary_y=True
        )
    if has_words:
        _draw_words(figure, weights)
    figure.update_xaxes(title=texts["seconds"], row=1, col=1)
    figure.update_yaxes(showticklabels=False, row=1, col=1, secondary_y=False)
    title = texts["attention"] if weights is not None else texts["no_attention"]
    legend = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
    height = 520 if has_words else 320
    return figure.update_layout(**LAYOUT, title=title, legend=legend, height=height)


def _draw_words(figure: go.Figure, weights: AttentionWeights) -> None:
    """Draw what the tokens of each word are given, in the figure's second row."""
    numbers = list(range(len(weights.words)))
    bars = go.Bar(
        x=numbers,
        y=weights.word_weights * weights.positions / weights.tokens,
        marker_color=BLUE,
        showlegend=False,
        hovertemplate="%{y:.2f}<extra></extra>",
    )
    figure.add_trace(bars, row=2, col=1)
    # Plotly would take a special token such as `</s>` for a tag.
    words = [html.escape(word) for word in weights.words]
    figure.update_xaxes(tickvals=numbers, ticktext=words, row=2, col=1)


def draw_timeline(answers: Sequence[dict[str, Any]], *, place: int, language: str) -> go.Figure:
    """Draw the probabilities of every utterance over time, and valence and arousal below.

    Args:
        answers: of the utterances, in their order.
        place: of the chosen one.
        language: a key of `TEXTS`.
    """
    texts, emotions = TEXTS[language], list(answers[0]["probabilities"])
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.6, 0.4])
    edges, columns = [], []
    for answer in answers:
        if edges and answer["start"] > edges[-1]:  # a pause, of which nothing is drawn
            edges.append(answer["start"])
            columns.append([None] * len(emotions))
        elif not edges:
            edges.append(answer["start"])
        edges.append(answer["end"])
        columns.append([answer["probabilities"][name] for name in emotions])
    heat = go.Heatmap(
        x=edges,
        y=[emotion_name(name, language) for name in emotions],
        z=[list(row) for row in zip(*columns, strict=True)],
        zmin=0,
        zmax=1,
        colorscale=SHADES,
        colorbar={"title": texts["probability"], "len": 0.6, "y": 0.75, "tickformat": ".0%"},
        hovertemplate="%{y}: %{z:.0%}<extra></extra>",
    )
    figure.add_trace(heat, row=1, col=1)
    for name, colour in (("valence", BLUE), ("arousal", ORANGE)):
        points = go.Scatter(
            x=[(one["start"] + one["end"]) / 2 for one in answers],
            y=[one[name] for one in answers],
            mode="lines+markers",
            line={"color": colour},
            name=texts[name],
            hovertemplate="%{y:.2f}<extra></extra>",
        )
        figure.add_trace(points, row=2, col=1)
    chosen = answers[place]
    figure.add_vrect(
        x0=chosen["start"], x1=chosen["end"], line={"color": ORANGE, "width": 2}, fillcolor=None
    )
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    figure.update_yaxes(range=_scale(answers), dtick=1, row=2, col=1)
    figure.update_xaxes(title=texts["seconds"], row=2, col=1)
    legend = {"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2}
    return figure.update_layout(**LAYOUT, title=texts["timeline"], legend=legend, height=460)


def _envelope(samples: np.ndarray, *, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times in seconds and the least and greatest sample of each stretch, by turns."""
    size = max(1, -(-len(samples) // WAVEFORM_POINTS))
    starts = np.arange(0, len(samples), size)
    ends = np.stack(
        [np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)], axis=1
    )
    return np.repeat(starts / rate, 2), ends.ravel()


def _scale(answers: Sequence[dict[str, Any]]) -> list[float]:
    """Return the ends of an axis: 1 to 5, and further where an answer lies beyond."""
    values = [one[name] for one in answers for name in ("valence", "arousal")]
    return [min(1.0, *values) - 0.1, max(5.0, *values) + 0.1]


def _span(answer: dict[str, Any], texts: dict[str, str]) -> str:
    return f"{answer['start']:.1f}–{answer['end']:.1f} {texts['seconds']}"
