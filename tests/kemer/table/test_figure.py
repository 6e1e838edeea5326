import numpy as np
import pytest

from kemer.table.figure import draw_table
from tests.kemer.table.reports import make_report


@pytest.mark.parametrize("folds", [(0, 1), (0,)])
def test_every_row_and_decoding_is_drawn_where_its_score_is(folds: tuple[int, ...]) -> None:
    report = make_report(folds=folds)
    figure = draw_table(report, synthetic=True)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(report.titles.values())
    drawn = {float(line.get_xdata()[0]) for line in left.lines if len(line.get_xdata()) == 1}
    for scores in report.scores.values():
        assert any(np.isclose(scores.estimates["exact_match"].value, x) for x in drawn)
    intervals = [line for line in left.lines if line.get_linewidth() == 1.8]
    assert len(intervals) == (len(report.scores) if len(folds) == 2 else 0)
    if intervals:
        ends = {tuple(line.get_xdata()) for line in intervals}
        found = report.scores["joint", "argmax"].estimates["exact_match"]
        assert (found.low, found.high) in ends
    distances = {float(line.get_xdata()[0]) for line in right.lines if len(line.get_xdata()) == 1}
    assert len(distances) == len(report.titles)
    assert figure.get_suptitle() == "kemdy20, protocol session (synthetic speech)"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(names) == len(set(names)) and "constant answer" in names


def test_a_leak_stands_in_the_title() -> None:
    figure = draw_table(make_report(protocol="random"), synthetic=False)
    assert figure.get_suptitle() == "kemdy20, protocol random (leak)"
