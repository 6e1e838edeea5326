"""A checkpoint that answers recordings, one utterance after another.

Step of `python -m kemer.predict` between `cutting` and `formats`; the demo Space answers with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kemer.fast.encoder import DTYPES, make_fast
from kemer.predict.cutting import cut_utterances
from kemer.predict.reading import Recording, read_recording
from kemer.predict.settings import CutSettings
from kemer.trained import load_trained


class Answerer:
    """A checkpoint that answers recordings.

    Args:
        checkpoint: folder or repository of a KEMER model.
        settings: how recordings are cut.
        batch_size: utterances that are answered together; changes no answer.
        precision: that the speech encoder computes in, one of `PRECISIONS`.
        fast: encode speech without padding where that is there: SpeechT5's, on a processor.
        option: what the user named the checkpoint by, for messages.

    Attributes:
        model: in evaluation mode, on the GPU where there is one.
        processor: the model's.

    Raises:
        ValueError: if the checkpoint cannot be loaded, or `batch_size` is less than 1.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        settings: CutSettings,
        batch_size: int = 8,
        precision: str = "fp32",
        fast: bool = True,
        option: str = "--model",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"`--batch-size` is {batch_size}; allowed is 1 or more.")
        self.model, self.processor = load_trained(checkpoint, option=option)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.settings, self.batch_size = settings, batch_size
        self.dtype = DTYPES[precision]
        encoder = self.model.speech_encoder if fast else None
        self.fast = make_fast(encoder, dtype=self.dtype)

    def read(self, path: Path) -> Recording:
        """Return a recording, decoded at the model's rate.

        Args:
            path: of any format that ffmpeg reads.

        Raises:
            ValueError: if it cannot be read.
        """
        return read_recording(
            path,
            rate=self.processor.sampling_rate,
            silence_db=self.settings.silence_db,
            silence_seconds=self.settings.silence_seconds,
        )

    def answer(self, recording: Recording, *, text: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the answer to each utterance of a recording, in their order.

        Args:
            recording: as `read` returned it.
            text: what was said in it; the recording is then one utterance.

        Yields:
            `start` and `end` in seconds, and what `KemerProcessor.post_process` gives.

        Raises:
            ValueError: if nobody speaks in it, or the model cannot hear and no text is given.
        """
        rate = self.processor.sampling_rate
        if text is not None:
            spans = [(0.0, len(recording.samples) / rate)]
        else:
            spans = cut_utterances(recording, rate=rate, settings=self.settings)
        if not spans:
            raise ValueError("nobody speaks in it; see `--silence-db`")
        for first in range(0, len(spans), self.batch_size):
            some = spans[first : first + self.batch_size]
            audio = [self.part(recording, *span) for span in some]
            for span, answer in zip(some, self._answer_batch(audio, text), strict=True):
                yield {"start": round(span[0], 3), "end": round(span[1], 3), **answer}

    def part(self, recording: Recording, start: float, end: float) -> np.ndarray:
        """Return a part of a recording, followed by silence where it is too short to be heard.

        Args:
            recording: the whole.
            start: in seconds.
            end: in seconds.

        Returns:
            (samples,) float32.
        """
        rate = self.processor.sampling_rate
        part = recording.samples[int(start * rate) : int(end * rate)]
        missing = self.processor.minimum_samples - len(part)
        return np.pad(part, (0, missing)) if missing > 0 else part

    @torch.no_grad()
    def _answer_batch(self, audio: list[np.ndarray], text: str | None) -> list[dict[str, Any]]:
        arguments: dict[str, Any] = {}
        if self.model.config.speech_config is not None:
            arguments |= {"audio": audio, "sampling_rate": self.processor.sampling_rate}
        if self.model.config.text_config is not None and text is not None:
            arguments["text"] = [text] * len(audio)
        if not arguments:
            raise ValueError("the model reads only; give `--text`")
        inputs = dict(self.processor(**arguments))
        if self.fast is not None:
            inputs |= self._encode(inputs.pop("input_values"), inputs.pop("attention_mask"))
        inputs = {name: value.to(self.model.device) for name, value in inputs.items()}
        is_lower = self.dtype != torch.float32
        with torch.autocast(self.model.device.type, dtype=self.dtype, enabled=is_lower):
            outputs = self.model(**inputs)
        return self.processor.post_process(outputs)

    def _encode(self, input_values: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """Return what the model takes in place of waveforms, both (batch, samples)."""
        states = [one.float() for one in self.fast.encode_padded(input_values, attention_mask)]
        masks = [torch.ones(len(one), dtype=torch.long) for one in states]
        return {
            "speech_hidden_states": pad_sequence(states, batch_first=True),
            "attention_mask": pad_sequence(masks, batch_first=True),
        }
