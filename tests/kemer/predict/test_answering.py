"""What a checkpoint answers to the parts of a recording; `test_main` has the rest."""

from pathlib import Path

import numpy as np
import pytest

from kemer.predict.answering import Answerer
from kemer.predict.reading import Recording
from kemer.predict.settings import CutSettings
from tests import tiny
from tests.kemer.predict.recordings import make_sound

RATE = 16_000


@pytest.fixture
def answerer(tmp_path: Path) -> Answerer:
    tiny.save_checkpoint(tmp_path)
    return Answerer(str(tmp_path), settings=CutSettings(), batch_size=2)


def test_parts_are_those_of_the_recording_and_never_too_short(answerer: Answerer) -> None:
    recording = Recording(np.arange(2 * RATE, dtype="f4"), ())
    np.testing.assert_array_equal(answerer.part(recording, 0.5, 1.5), np.arange(8000, 24_000))
    short = answerer.part(recording, 0.5, 0.5001)
    assert len(short) == answerer.processor.minimum_samples
    assert short[0] == 8000 and short[1:].max() == 0


def test_nobody_speaks_and_a_checkpoint_that_is_none(answerer: Answerer, tmp_path: Path) -> None:
    silent = Recording(np.zeros(RATE, "f4"), ((0.0, 1.0),))
    with pytest.raises(ValueError, match="nobody speaks in it"):
        list(answerer.answer(silent))
    (told,) = answerer.answer(Recording(make_sound(0.5), ()), text="well done")
    assert told["start"] == 0 and 0.5 == pytest.approx(told["end"])
    for words, message in (
        ({"batch_size": 0}, "`--batch-size` is 0; allowed is 1 or more"),
        ({"option": "KEMER_MODEL"}, "`KEMER_MODEL` is .*nowhere"),
    ):
        with pytest.raises(ValueError, match=message):
            Answerer(str(tmp_path / "nowhere"), settings=CutSettings(), **words)


def test_the_fast_encoder_answers_as_the_model_does(answerer: Answerer, tmp_path: Path) -> None:
    slow = Answerer(str(tmp_path), settings=CutSettings(), fast=False)
    half = Answerer(str(tmp_path), settings=CutSettings(), precision="bf16")
    assert answerer.fast is not None and slow.fast is None
    recording = Recording(make_sound(0.5, 0.7, 0.4), ((0.5, 1.3), (2.0, 2.8)))
    for text in (None, "well done"):
        expected = list(slow.answer(recording, text=text))
        for other, tolerance in ((answerer, 1e-4), (half, 0.02)):
            found = list(other.answer(recording, text=text))
            assert len(found) == len(expected) == (1 if text else 3)
            for one, reference in zip(found, expected, strict=True):
                chances = reference["probabilities"]
                assert one["probabilities"] == pytest.approx(chances, abs=tolerance)
                assert one["valence"] == pytest.approx(reference["valence"], abs=5 * tolerance)
