"""From a recording to what the page shows: the answer to each utterance, and its attention.

The page's only way to the model. What is wrong with a recording is a `Problem` that the page says
in its user's language.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kemer.attention_weights import AttentionWeights, attend
from kemer.predict.answering import Answerer
from kemer.predict.reading import Recording
from kemer.predict.settings import CutSettings
from pipeline_kemer import is_korean_to

LONGEST_SECONDS = 600
"""Longer recordings are refused: the page is for a look, `kemer.predict` for an archive."""


class Problem(Exception):  # noqa: N818 (it is the user's, and no error of the page)
    """What is wrong with what the user gave.

    Args:
        name: a key of `page_texts.TEXTS`.
        **details: what its text is filled with.
    """

    def __init__(self, name: str, **details: Any) -> None:
        super().__init__(name)
        self.name, self.details = name, details


@dataclass(frozen=True)
class Heard:
    """A recording that was answered.

    Attributes:
        recording: its samples, at `rate`.
        rate: in Hz.
        text: what was said, None if it was not given.
        answers: for each utterance `start` and `end` in seconds, `emotions`, `probabilities`,
            `valence` and `arousal`.
    """

    recording: Recording
    rate: int
    text: str | None
    answers: list[dict[str, Any]]


class Listener:
    """A model that listens to recordings for the page.

    Args:
        checkpoint: folder or repository of a KEMER model that hears.

    Raises:
        ValueError: if it cannot be loaded.
    """

    def __init__(self, checkpoint: str) -> None:
        self.answerer = Answerer(checkpoint, settings=CutSettings(), option="KEMER_MODEL")
        if self.answerer.model.config.speech_config is None:
            raise ValueError(f"`KEMER_MODEL` is {checkpoint!r}, which does not hear; name another.")

    def listen(self, path: str | None, text: str | None) -> Heard:
        """Answer a recording.

        Args:
            path: of the file, None if there is none.
            text: its English translation; then the recording is one utterance. Blank is none.

        Raises:
            Problem: if there is nothing to hear or to read in what was given.
        """
        if not path:
            raise Problem("no_audio")
        text = (text or "").strip() or None
        if text is not None and is_korean_to(self.answerer.processor.tokenizer, text):
            raise Problem("korean")
        try:
            recording = self.answerer.read(Path(path))
        except ValueError as error:
            raise Problem("unreadable") from error
        rate = self.answerer.processor.sampling_rate
        seconds = len(recording.samples) / rate
        if seconds > LONGEST_SECONDS:
            raise Problem("too_long", seconds=round(seconds), longest=LONGEST_SECONDS)
        try:
            answers = list(self.answerer.answer(recording, text=text))
        except ValueError as error:
            raise Problem("silent") from error
        return Heard(recording, rate, text, answers)

    def attend(self, heard: Heard, place: int) -> tuple[np.ndarray, AttentionWeights | None]:
        """Return an utterance's samples and where the meta-attention looks in it.

        Args:
            heard: the recording.
            place: of the utterance in `heard.answers`.

        Returns:
            (samples,) float32, and the weights; None for a model without meta-attention.
        """
        answer, model = heard.answers[place], self.answerer.model
        samples = self.answerer.part(heard.recording, answer["start"], answer["end"])
        if model.meta_attention is None:
            return samples, None
        processor = self.answerer.processor
        weights = attend(model, processor, samples, heard.text, sampling_rate=heard.rate)
        return samples, weights
