import pytest

from dataset_script.expectations import EXPECTATIONS
from dataset_script.layout import EMOTIONS, LAYOUTS
from dataset_script.signal_files import SIGNALS


@pytest.mark.parametrize(
    ("config", "rows", "sessions", "dialogues", "speakers"),
    [("kemdy19", 10_283, 20, 200, 40), ("kemdy20", 13_462, 40, 240, 80)],
)
def test_figures_of_a_corpus_agree_with_each_other(config, rows, sessions, dialogues, speakers):
    known = EXPECTATIONS[config]
    assert (known.rows, len(known.rows_by_session)) == (rows, sessions)
    assert (known.dialogues, known.speakers) == (dialogues, speakers)
    assert set(known.single_label) == set(EMOTIONS)
    labelled = sum(known.single_label.values()) + known.several_labels
    assert labelled == rows - known.label_tolerance


def test_each_corpus_has_its_figures():
    assert set(EXPECTATIONS) == set(LAYOUTS)


@pytest.mark.parametrize("config", EXPECTATIONS)
def test_signals_are_those_of_the_corpus_and_at_most_of_two_people_a_segment(config):
    known = EXPECTATIONS[config]
    assert set(known.signal_segments) <= set(SIGNALS[config])
    assert all(count <= 2 * known.rows for count in known.signal_segments.values())
