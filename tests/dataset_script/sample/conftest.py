"""One small corpus that is spoken once; tests read it and leave it as it is."""

import numpy as np
import pytest

from dataset_script.sample import writer
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.writer import write_sample_corpus


@pytest.fixture(scope="session")
def options():
    return SampleOptions(sessions=3, turns=7, seed=5, folds=3)


@pytest.fixture(scope="session")
def corpus(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "corpus"
    assert write_sample_corpus(folder, options) == 3 * 6 * 7
    return folder


@pytest.fixture
def uncalibrated(monkeypatch):
    """Spare the writer the second that it takes to find the bias towards neutral."""
    monkeypatch.setattr(writer, "tabulate_consensus", lambda parameters: None)
    monkeypatch.setattr(writer, "calibrate_neutral", lambda parameters, table: 2.0)


@pytest.fixture
def mute(uncalibrated, monkeypatch):
    """Make the writer write ten milliseconds a line without espeak-ng."""
    monkeypatch.setattr(writer, "refuse_unknown_voices", lambda voices: None)
    monkeypatch.setattr(writer, "speak", lambda text, delivery: np.full(160, 7, np.int16))
