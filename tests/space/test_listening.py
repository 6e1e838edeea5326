from pathlib import Path

import numpy as np
import pytest
import soundfile

from kemer.attention_weights import attend
from listening import Listener, Problem
from tests import tiny

RATE = 16_000


@pytest.fixture(scope="module")
def listener(space_checkpoint: Path) -> Listener:
    return Listener(str(space_checkpoint))


def test_each_utterance_is_answered_and_looked_into(listener: Listener, recordings: Path) -> None:
    heard = listener.listen(str(recordings / "long.wav"), "  ")
    assert heard.text is None and len(heard.answers) == 3
    samples, weights = listener.attend(heard, 1)
    first, last = heard.answers[1]["start"], heard.answers[1]["end"]
    expected = heard.recording.samples[int(first * RATE) : int(last * RATE)]
    np.testing.assert_array_equal(samples, expected)
    model, processor = listener.answerer.model, listener.answerer.processor
    alone = attend(model, processor, expected, None, sampling_rate=RATE)
    np.testing.assert_allclose(weights.frame_weights, alone.frame_weights, rtol=1e-5)
    assert weights.words == []


def test_with_a_text_the_recording_is_one_utterance(listener: Listener, recordings: Path) -> None:
    heard = listener.listen(str(recordings / "long.wav"), "well done")
    assert len(heard.answers) == 1
    _, weights = listener.attend(heard, 0)
    assert weights.words == ["well", "done", "</s>"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (None, None, "no_audio"),
        ("short.wav", "잘했다", "korean"),
        ("broken.wav", None, "unreadable"),
        ("silent.wav", None, "silent"),
    ],
)
def test_problems_have_names(
    listener: Listener, recordings: Path, name: str | None, text: str | None, problem: str
) -> None:
    with pytest.raises(Problem) as found:
        listener.listen(name and str(recordings / name), text)
    assert found.value.name == problem


def test_what_is_too_long_is_told_in_seconds(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listening.LONGEST_SECONDS", 2)
    soundfile.write(tmp_path / "a.wav", np.zeros(3 * RATE), RATE)
    with pytest.raises(Problem) as found:
        listener.listen(str(tmp_path / "a.wav"), None)
    assert found.value.name == "too_long"
    assert found.value.details == {"seconds": 3, "longest": 2}


def test_a_model_that_does_not_hear_is_refused(tmp_path: Path) -> None:
    tiny.make_model(None).save_pretrained(tmp_path)
    tiny.make_processor(tmp_path).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="`KEMER_MODEL` is .* which does not hear"):
        Listener(str(tmp_path))


def test_a_model_without_meta_attention_answers_all_the_same(
    tmp_path: Path, recordings: Path
) -> None:
    tiny.make_model(text=None).save_pretrained(tmp_path)
    tiny.make_processor(tmp_path).save_pretrained(tmp_path)
    hearing = Listener(str(tmp_path))
    samples, weights = hearing.attend(hearing.listen(str(recordings / "short.wav"), None), 0)
    assert weights is None and len(samples) == pytest.approx(0.7 * RATE, abs=2)
