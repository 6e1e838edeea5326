import numpy as np
import pandas as pd
import pytest

from configuration_kemer import EMOTIONS
from kemer.calibration import calibration_table
from kemer.reliability_figure import draw_reliability
from tests.kemer.predictions import make_predictions


def make_frame(items: int) -> pd.DataFrame:
    """Return answers whose probabilities lie in three of the ten bins of every emotion."""
    random = np.random.default_rng(0)
    chances = random.choice([0.05, 0.35, 0.95], size=(items, 7))
    labels = (random.random((items, 7)) < chances).astype(int)
    frame = pd.concat([make_predictions()] * (items // 5), ignore_index=True)
    return frame.assign(probabilities=chances.tolist(), labels_reference=labels.tolist())


def test_each_emotion_has_its_curve_and_its_counts() -> None:
    frame = make_frame(500)
    figure = draw_reliability(frame, calibration_table(frame), title="Run 7")
    assert figure.get_suptitle() == "Run 7"
    grid = np.array(figure.axes).reshape(4, 4)
    chances = np.array(frame["probabilities"].tolist())
    labels = np.array(frame["labels_reference"].tolist())
    for place, emotion in enumerate(EMOTIONS):
        curve, counts = grid[2 * (place // 4), place % 4], grid[2 * (place // 4) + 1, place % 4]
        assert curve.get_title().strip() == emotion
        x, y = curve.lines[1].get_data()
        assert list(x) == pytest.approx([0.05, 0.35, 0.95])
        found = [labels[chances[:, place] == value, place].mean() for value in (0.05, 0.35, 0.95)]
        assert list(y) == pytest.approx(found)
        assert [bar.get_height() for bar in counts.patches] == [
            (chances[:, place] == value).sum() for value in (0.05, 0.35, 0.95)
        ]
        assert "Brier 0." in curve.texts[0].get_text()
    assert not grid[2, 3].axison and "dashed line" in grid[2, 3].texts[0].get_text()
