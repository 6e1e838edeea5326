import numpy as np
import pytest

from kemer.attention_figure import draw_attention
from kemer.attention_weights import AttentionWeights
from kemer.figures import save_figure

RATE = 16_000


def make_weights() -> AttentionWeights:
    """Return four frames and two words of 2 and 4 tokens: of ten positions, speech has 40 %."""
    looks = np.array([[0.1, 0.2, 0.3, 0.0], [0.0, 0.0, 0.1, 0.4]])
    return AttentionWeights(
        seconds=np.array([0.05, 0.15, 0.25, 0.35]),
        words=["well", "done"],
        frame_weights=np.array([0.1, 0.2, 0.3, 0.1]),
        word_weights=np.array([0.1, 0.2]),
        text_to_speech=looks,
        speech_to_text=looks.T,
        tokens=np.array([2, 4]),
    )


def test_the_figure_shows_the_weights(tmp_path) -> None:
    samples = np.sin(np.arange(6400) / 9).astype("f4")
    figure = draw_attention(make_weights(), samples, sampling_rate=RATE, title="“well done”")
    assert figure.get_suptitle() == "“well done”"
    speech, shares, looks, words, given = figure.axes
    assert speech.get_xlim() == (0, 0.4) == looks.get_xlim()
    x, y = given.lines[0].get_data()
    assert list(x) == [0.05, 0.15, 0.25, 0.35]
    assert list(y) == pytest.approx([1, 2, 3, 1])  # of ten positions, each has .1 if all are alike
    assert [bar.get_width() for bar in shares.patches] == pytest.approx([0.7, 0.3])
    assert [line.get_xdata()[0] for line in shares.lines] == pytest.approx([0.4, 0.6])
    assert [label.get_text() for label in looks.get_yticklabels()] == ["well", "done"]
    assert looks.images[0].get_array().max(axis=1).tolist() == [1, 1]
    # A word of 4 tokens with .2 of ten positions: each of its tokens has half of what all have.
    assert [bar.get_width() for bar in words.patches] == pytest.approx([0.5, 0.5])
    save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_silence_is_drawn_too() -> None:
    figure = draw_attention(make_weights(), np.zeros(6400), sampling_rate=RATE, title="a " * 90)
    assert "\n" in figure.get_suptitle()
