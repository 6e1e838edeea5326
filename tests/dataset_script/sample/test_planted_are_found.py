"""`check` finds every fault that the sample corpus plants, each once, and nothing else."""

import json
from collections import Counter

import pytest

from dataset_script.check import check_corpora
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.writer import write_sample_corpus

from ..corpus_files import pack_folder


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
    assert len(named) >= 12 and max(named.values()) == 1
    assert {"signal_prefix", "signal_lines", "missing_signal"} <= {kind for kind, _, _ in named}
    assert found == named
    assert result["rows_in"] == result["rows_out"] == rows
    archive = pack_folder(tmp_path / "c", tmp_path / "c.zip", prefix="delivered/")
    packed, found = list_found(archive)
    assert found == Counter({(k, f"delivered/{f}", n): 1 for k, f, n in named})
    assert packed["figures"] == result["figures"]


@pytest.mark.parametrize("bio", [False, True])
@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_a_clean_corpus_has_nothing_to_find(layout, bio, uncalibrated, tmp_path):
    options = SampleOptions(sessions=3, turns=2, folds=3, layout=layout, bio=bio)
    write_sample_corpus(tmp_path / "c", options)
    _, found = list_found(tmp_path / "c")
    assert found == Counter()


@pytest.mark.parametrize("bio", [False, True])
@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_a_corpus_without_recordings_has_nothing_else_to_find(layout, bio, uncalibrated, tmp_path):
    options = SampleOptions(sessions=3, folds=3, layout=layout, bio=bio, recordings=False)
    rows = write_sample_corpus(tmp_path / "c", options)
    result, found = list_found(tmp_path / "c")
    assert found == Counter({("no_recordings", "wav", None): 1})
    assert result["rows_in"] == result["rows_out"] == rows


def test_pairs_of_wearer_and_segment_are_counted(uncalibrated, tmp_path):
    for layout, per_segment in (("kemdy20", 1), ("kemdy19", 2)):
        options = SampleOptions(sessions=3, folds=3, layout=layout, bio=True, recordings=False)
        rows = write_sample_corpus(tmp_path / layout, options)
        result, _ = list_found(tmp_path / layout)
        counts = {figure["name"]: figure["found"] for figure in result["figures"]}
        for signal in ("EDA", "TEMP", *(["ECG"] if layout == "kemdy19" else [])):
            assert counts[f"segments with {signal}"] == rows * per_segment
        if layout == "kemdy20":  # an utterance may be shorter than a gap between beats
            assert rows / 2 < counts["segments with IBI"] <= rows
