"""The figures say the numbers: counts, shares, titles, the points and the line of equality."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from kemer import figures
from kemer.scoring import score
from tests.kemer.predictions import make_predictions

ORDER = ["surprise", "angry", "fear", "neutral", "sad", "disgust", "happy"]


def shown(axes):
    return [text.get_text() for text in axes.texts]


def test_confusion_counts_by_hand():
    counts = figures.confusion_counts(make_predictions())
    assert counts.shape == (7, 2, 2)
    assert counts.sum(axis=(1, 2)).tolist() == [5] * 7
    assert counts[ORDER.index("neutral")].tolist() == [[3, 1], [0, 1]]
    assert counts[ORDER.index("sad")].tolist() == [[1, 0], [1, 3]]
    assert counts[ORDER.index("happy")].tolist() == [[3, 0], [1, 1]]
    assert counts[ORDER.index("fear")].tolist() == [[5, 0], [0, 0]]


def test_the_confusion_figure_shows_counts_shares_and_scores():
    table = make_predictions()
    figure = figures.draw_confusion(table, score(table), title="Run 7")
    assert figure.get_suptitle() == "Run 7"
    panels = {axes.get_title().strip(): axes for axes in figure.axes}
    assert [name for name in panels if name] == ORDER
    # Truth no (said no, said yes), truth yes (said no, said yes), and the line of small print.
    assert shown(panels["neutral"]) == [
        "3", "75%", "1", "25%", "0", "0%", "1", "100%", "F1 0.67, recall 1.00",
    ]  # fmt: skip
    assert shown(panels["fear"])[4:8] == ["0", "none", "0", "none"]
    shades = panels["happy"].images[0].get_array()
    np.testing.assert_allclose(shades, [[1, 0], [0.5, 0.5]])
    assert panels["happy"].images[0].get_clim() == (0, 1)
    assert "5 utterances\nexact match 0.600" in shown(panels[""])[0]
    assert (panels["sad"].get_ylabel(), panels["sad"].get_xlabel()) == ("reference", "predicted")


def test_the_numbers_stand_out_from_their_shade():
    def luminance(colour):
        channels = np.array(to_rgba(colour)[:3])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    table = make_predictions()
    figure = figures.draw_confusion(table, score(table), title="Run 7")
    colours = {text.get_color() for axes in figure.axes[:7] for text in axes.texts[:8]}
    assert len(colours) == 1
    text = luminance(colours.pop())
    for share in np.linspace(0, 1, 21):
        # 4.5 is what the Web Content Accessibility Guidelines ask of body text.
        assert (luminance(figures.SHADES(share)) + 0.05) / (text + 0.05) >= 4.5


def test_the_scatter_shows_the_points_the_line_and_the_scores():
    table = make_predictions().assign(valence_predicted=[3.0, 2.0, 2.0, 3.0, 5.9])
    figure = figures.draw_valence_arousal(table, score(table), title="Run 7")
    assert figure.get_suptitle() == "Run 7"
    left, right = figure.axes
    assert left.get_title() == "valence: CCC 0.21, MSE 2.08"
    assert right.get_title() == "arousal: CCC 0.80, MSE 0.20"
    assert left.get_xlabel().startswith("reference") and left.get_ylabel() == "predicted valence"
    points = np.array(right.collections[0].get_offsets())
    assert points.tolist() == [[3, 3], [3, 3], [2, 2], [2, 3], [4, 4]]
    (line,) = left.lines
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    # The scale, and the prediction that leaves it, are in view on every axis.
    for axes in (left, right):
        assert axes.get_xlim() == axes.get_ylim() == pytest.approx((0.85, 6.05))


def test_constant_predictions_are_drawn_as_undefined():
    table = make_predictions().assign(valence_predicted=3.0, valence_reference=3.0)
    figure = figures.draw_valence_arousal(table, score(table), title="Run 7")
    assert figure.axes[0].get_title() == "valence: CCC undefined, MSE 0.00"
