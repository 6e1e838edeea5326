"""`check` finds every fault that the sample corpus plants, each once, and nothing else."""

import json
from collections import Counter

import pytest

from dataset_script.check import check_corpora
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.writer import write_sample_corpus


def list_found(root):
    (result,) = check_corpora(root)
    found = [*result["problems"], *result["notes"]]
    return result, Counter((one["kind"], one["file"], one["line"]) for one in found)


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_each_planted_fault_is_found_once_and_nothing_else(layout, mute, tmp_path):
    options = SampleOptions(sessions=3, turns=12, folds=3, layout=layout, anomalies=True)
    rows = write_sample_corpus(tmp_path / "c", options)
    planted = json.loads((tmp_path / "c" / "anomalies.json").read_text(encoding="utf-8"))
    named = Counter((one["kind"], one["file"], one["line"]) for one in planted if one["is_named"])
    result, found = list_found(tmp_path / "c")
    assert len(named) >= 9
    assert found == named
    assert result["rows_in"] == result["rows_out"] == rows


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_a_clean_corpus_has_nothing_to_find(layout, uncalibrated, tmp_path):
    options = SampleOptions(sessions=3, turns=2, folds=3, layout=layout)
    write_sample_corpus(tmp_path / "c", options)
    _, found = list_found(tmp_path / "c")
    assert found == Counter()
