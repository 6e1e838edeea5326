"""Long recordings to utterances: cut where nobody speaks, by level or by a model of voices.

Between `reading` and `answering`. The level is what ffmpeg's filter `silencedetect` found; the
model is Silero VAD (https://github.com/snakers4/silero-vad), which tells speech from music and
noise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch

from kemer.predict.reading import Recording
from kemer.predict.settings import CutSettings

VOICE_RATES = (8_000, 16_000)
"""Sampling rates that the model of voices hears, in Hz."""

Spans = list[tuple[float, float]]


def cut_utterances(recording: Recording, *, rate: int, settings: CutSettings) -> Spans:
    """Return beginning and end of each utterance, in seconds.

    Args:
        recording: what was decoded.
        rate: of its samples, in Hz.
        settings: how it is cut.

    Returns:
        the utterances in their order; one as long as the recording where no silence is in it, none
        where nobody speaks.

    Raises:
        ValueError: if the model of voices does not hear this rate.
    """
    seconds = len(recording.samples) / rate
    margin = min(settings.margin, settings.silence_seconds / 2)
    find = _spans_of_voice if settings.by == "voice" else _spans_between_silences
    found = [
        (max(0.0, begin - margin), min(seconds, end + margin))
        for begin, end in find(recording, rate=rate, settings=settings)
        if end - begin >= settings.shortest
    ]
    return [part for one in found for part in _parts(one, longest=settings.longest)]


def _spans_between_silences(recording: Recording, *, rate: int, settings: CutSettings) -> Spans:
    seconds = len(recording.samples) / rate
    found, begin = [], 0.0
    for start, end in (*recording.silences, (seconds, seconds)):
        found.append((begin, start))
        begin = max(begin, end)
    return found


def _spans_of_voice(recording: Recording, *, rate: int, settings: CutSettings) -> Spans:
    if rate not in VOICE_RATES:
        raise ValueError(
            f"the model hears {rate} Hz, and `--cut voice` only "
            f"{' or '.join(map(str, VOICE_RATES))}; cut by `silence`"
        )
    model, find = _load_voice_model()
    found = find(
        torch.from_numpy(recording.samples),
        model,
        sampling_rate=rate,
        min_speech_duration_ms=int(settings.shortest * 1000),
        min_silence_duration_ms=int(settings.silence_seconds * 1000),
        speech_pad_ms=0,  # the margin is ours
    )
    return [(one["start"] / rate, one["end"] / rate) for one in found]


@functools.cache
def _load_voice_model() -> tuple[torch.nn.Module, Callable[..., list[dict[str, int]]]]:
    """Return Silero's model, which comes with its package, and its function that finds speech."""
    threads = torch.get_num_threads()
    import silero_vad  # here, because it is optional, and takes all threads but one from PyTorch

    torch.set_num_threads(threads)
    return silero_vad.load_silero_vad(), silero_vad.get_speech_timestamps


def _parts(span: tuple[float, float], *, longest: float) -> Spans:
    """Return a span, or equal parts of one that is too long."""
    count = max(1, int(np.ceil((span[1] - span[0]) / longest - 1e-9)))
    edges = np.linspace(*span, count + 1).tolist()
    return list(zip(edges[:-1], edges[1:], strict=True))
