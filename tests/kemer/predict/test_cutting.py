"""Cuts by hand, and a model of voices on speech between music and noise."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kemer.predict.cutting import cut_utterances
from kemer.predict.reading import Recording, read_recording
from kemer.predict.settings import CutSettings
from tests.kemer.predict.recordings import make_sound

RATE = 16_000


def cut(seconds: float, *silences: tuple[float, float], **settings: Any):
    recording = Recording(np.zeros(int(seconds * 100)), silences)
    return cut_utterances(recording, rate=100, settings=CutSettings(**settings))


def test_cuts_by_hand() -> None:
    assert cut(3.0) == [(0.0, 3.0)]
    assert cut(5.0, (1.0, 2.0), (4.0, 5.0)) == [(0.0, 1.1), (1.9, 4.1)]
    assert cut(3.0, (0.0, 3.0)) == []  # nobody speaks
    assert cut(4.0, (0.0, 1.0), (1.1, 2.0)) == [(1.9, 4.0)]  # a click is no utterance
    assert cut(5.0, longest=2.5, margin=0.0) == [(0.0, 2.5), (2.5, 5.0)]
    assert len(cut(5.0, longest=2.0)) == 3


def speak(words: str, folder: Path) -> np.ndarray:
    path = folder / "spoken.wav"
    subprocess.run(["espeak-ng", "-v", "en", "-w", str(path), words], check=True)
    return read_recording(path, rate=RATE, silence_db=-40.0, silence_seconds=0.5).samples


def test_a_model_of_voices_leaves_out_what_is_loud_and_no_speech(tmp_path: Path) -> None:
    first = speak("How dare anyone do that to me after all these years?", tmp_path)
    second = speak("I am so happy that you came to see me today.", tmp_path)
    tone, gap = make_sound(2.0), np.zeros(RATE, dtype="f4")
    samples = np.concatenate([tone, gap, first, gap, second, gap, tone])
    starts = np.array([3.0, 4.0 + len(first) / RATE])
    threads = torch.get_num_threads()
    found = cut_utterances(Recording(samples, ()), rate=RATE, settings=CutSettings(by="voice"))
    assert torch.get_num_threads() == threads
    assert len(found) == 2
    np.testing.assert_allclose([one[0] for one in found], starts, atol=0.35)
    ends = starts + np.array([len(first), len(second)]) / RATE
    np.testing.assert_allclose([one[1] for one in found], ends, atol=0.6)
    assert cut_utterances(Recording(tone, ()), rate=RATE, settings=CutSettings(by="voice")) == []
    by_level = cut_utterances(Recording(samples, ()), rate=RATE, settings=CutSettings())
    assert len(by_level) == 1  # here no silence was found, so nothing is cut


def test_a_rate_that_the_model_of_voices_does_not_hear_is_refused() -> None:
    with pytest.raises(ValueError, match="the model hears 22050 Hz"):
        cut_utterances(
            Recording(np.zeros(9, "f4"), ()), rate=22_050, settings=CutSettings(by="voice")
        )
