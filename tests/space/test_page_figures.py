import numpy as np
import pytest

from kemer.attention_weights import AttentionWeights
from page_figures import (
    BLUE,
    ORANGE,
    PALE,
    WAVEFORM_POINTS,
    draw_attention,
    draw_emotions,
    draw_plane,
    draw_timeline,
)


def answer(start: float, end: float, sad: float, valence: float = 2.0) -> dict:
    return {
        "start": start, "end": end, "emotions": ["sad"], "valence": valence, "arousal": 3.5,
        "probabilities": {"angry": 0.25, "sad": sad},
    }  # fmt: skip


ANSWERS = [answer(0.0, 1.0, 0.75), answer(1.5, 2.0, 0.5, valence=5.5), answer(2.0, 4.0, 0.625)]


def test_bars_are_the_probabilities_and_the_answered_are_dark() -> None:
    (bars,) = draw_emotions(ANSWERS[0], language="ko").data
    assert list(bars.x) == [0.25, 0.75] and list(bars.y) == ["분노", "슬픔"]
    assert list(bars.marker.color) == [PALE, BLUE] and list(bars.text) == ["25%", "75%"]


def test_the_plane_holds_every_utterance_and_marks_the_chosen_one() -> None:
    figure = draw_plane(ANSWERS, place=2, language="en")
    (points,) = figure.data
    assert list(points.x) == [2.0, 5.5, 2.0] and list(points.y) == [3.5] * 3
    assert list(points.marker.color) == [BLUE, BLUE, ORANGE]
    assert figure.layout.xaxis.range[1] >= 5.5 and figure.layout.xaxis.range[0] < 1
    assert {one.text for one in figure.layout.annotations} >= {"at ease", "sad, tired"}


def test_the_timeline_leaves_pauses_empty() -> None:
    figure = draw_timeline(ANSWERS, place=1, language="en")
    heat, valence, arousal = figure.data
    assert list(heat.x) == [0.0, 1.0, 1.5, 2.0, 4.0]
    assert list(heat.z[1]) == [0.75, None, 0.5, 0.625] and list(heat.z[0])[1] is None
    assert list(valence.x) == [0.5, 1.75, 3.0] and list(valence.y) == [2.0, 5.5, 2.0]
    assert figure.layout.yaxis2.range[1] >= 5.5
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (1.5, 2.0)


def weights(words: list[str]) -> AttentionWeights:
    count = len(words)
    return AttentionWeights(
        seconds=np.array([0.1, 0.2]),
        words=words,
        frame_weights=np.array([0.25, 0.25]),
        word_weights=np.full(count, 0.5 / max(count, 1)),
        text_to_speech=np.zeros((count, 2)),
        speech_to_text=np.zeros((2, count)),
        tokens=np.full(count, 3),
    )


def test_attention_is_drawn_as_multiples_of_even_shares() -> None:
    samples = np.sin(np.arange(4801)).astype("f4")
    figure = draw_attention(samples, weights(["</s>"]), rate=1000, start=2.0, language="en")
    wave, look, bars = figure.data
    assert len(wave.x) <= 2 * WAVEFORM_POINTS and wave.x[0] == 2.0 and wave.x[-1] <= 6.801
    assert max(wave.y) == pytest.approx(samples.max()) and min(wave.y) == samples.min()
    # Five positions: two frames and the three tokens of the word.
    assert list(look.y) == [1.25, 1.25] and list(look.x) == pytest.approx([2.1, 2.2])
    assert list(bars.y) == pytest.approx([0.5 * 5 / 3])
    assert list(figure.layout.xaxis2.ticktext) == ["&lt;/s&gt;"]


def test_without_words_or_attention_less_is_drawn() -> None:
    samples = np.ones(9, dtype="f4")
    alone = draw_attention(samples, weights([]), rate=10, start=0.0, language="en")
    assert len(alone.data) == 2
    without = draw_attention(samples, None, rate=10, start=0.0, language="en")
    assert len(without.data) == 1
    assert without.layout.title.text == "This model has no meta-attention."
