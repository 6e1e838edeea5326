"""The wav files: is this one whole and in the corpora's format, how long is it, is it silent?

The bytes go into the dataset as they are, so nothing is decoded here beyond the header and a search
for a sample that is not zero. The corpora are PCM, 16 bits, mono, 16 kHz throughout; a file in
another format is refused, not converted, because a dataset whose rows went through different
resamplers would be hard to reproduce. libsndfile reads a truncated file without a word, hence the
header is compared with what is there.
"""

import io
import wave
from dataclasses import dataclass

from .layout import SAMPLING_RATE

SAMPLE_WIDTH = 2  # bytes


@dataclass(frozen=True)
class WavFacts:
    """What the dataset says about a wav.

    Attributes:
        duration: seconds.
        is_silent: whether every sample is zero.
    """

    duration: float
    is_silent: bool


class BadWavError(ValueError):
    """A wav that cannot become a row.

    Attributes:
        kind: name of the problem: `unreadable_wav`, `truncated_wav`, `empty_wav` or `wav_format`.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def inspect_wav(content: bytes) -> WavFacts:
    """Check a wav and measure it.

    Args:
        content: the whole file.

    Returns:
        Its duration in seconds and whether it is silent.

    Raises:
        BadWavError: if it is no wav, holds fewer samples than its header promises, holds none, or
            is not 16-bit PCM, mono, 16 kHz. The message completes "the wav …".
    """
    try:
        with wave.open(io.BytesIO(content)) as file:
            promised = file.getnframes()
            form = (file.getsampwidth(), file.getnchannels(), file.getframerate())
            samples = file.readframes(promised)
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends inside its header"
        raise BadWavError("unreadable_wav", f"cannot be read as PCM ({reason})") from error
    width, channels, rate = form
    if form != (SAMPLE_WIDTH, 1, SAMPLING_RATE):
        raise BadWavError(
            "wav_format",
            f"has {8 * width} bits, {channels} channel(s) and {rate} Hz in place of 16 bits, 1 and "
            f"{SAMPLING_RATE} Hz; convert it (ffmpeg -i IN -ar {SAMPLING_RATE} -ac 1 "
            "-c:a pcm_s16le OUT)",
        )
    present = len(samples) // SAMPLE_WIDTH
    if present < promised:
        raise BadWavError(
            "truncated_wav",
            f"is cut off: its header promises {promised} samples and {present} are there",
        )
    if present == 0:
        raise BadWavError("empty_wav", "holds no sample")
    return WavFacts(present / SAMPLING_RATE, is_silent=samples.count(0) == len(samples))
