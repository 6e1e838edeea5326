"""The wav files: is this one whole and in the corpora's format, how long is it, is it silent?

The bytes go into the dataset as they are, so nothing is decoded here beyond the header and a search
for a sample that is not zero. The corpora are PCM, 16 bits, mono, 16 kHz throughout; a file in
another format is refused, not converted, because a dataset whose rows went through different
resamplers would be hard to reproduce. The header is read here rather than by a library because
libsndfile reads a truncated file without a word, and Python's `wave` lets a damaged header end in
other errors from version to version.
"""

import struct
from dataclasses import dataclass

from .layout import SAMPLING_RATE

SAMPLE_WIDTH = 2  # bytes
PCM = 1  # the format's code

RIFF_HEADER_SIZE = 12  # bytes: "RIFF", a size, "WAVE"
CHUNK_HEADER = struct.Struct("<4sI")  # name, bytes
FORMAT = struct.Struct("<HHIIHH")  # code, channels, Hz, bytes a second, bytes a frame, bits


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
    chunks = _find_chunks(content)
    is_wav = content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    if not is_wav or b"fmt " not in chunks or b"data" not in chunks:
        raise BadWavError("unreadable_wav", "has no RIFF header with a format and samples")
    _check_format(content, *chunks[b"fmt "])
    start, size = chunks[b"data"]
    end = min(start + size, len(content))
    promised, present = size // SAMPLE_WIDTH, (end - start) // SAMPLE_WIDTH
    if present < promised:
        raise BadWavError(
            "truncated_wav",
            f"is cut off: its header promises {promised} samples and {present} are there",
        )
    if present == 0:
        raise BadWavError("empty_wav", "holds no sample")
    return WavFacts(
        duration=present / SAMPLING_RATE, is_silent=content.count(0, start, end) == end - start
    )


def _find_chunks(content: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each chunk of a RIFF file starts, and how many bytes its header promises."""
    chunks: dict[bytes, tuple[int, int]] = {}
    position = RIFF_HEADER_SIZE
    while position + CHUNK_HEADER.size <= len(content):
        name, size = CHUNK_HEADER.unpack_from(content, position)
        position += CHUNK_HEADER.size
        chunks.setdefault(name, (position, size))
        position += size + size % 2  # chunks start at even bytes
    return chunks


def _check_format(content: bytes, start: int, size: int) -> None:
    if size < FORMAT.size or start + FORMAT.size > len(content):
        raise BadWavError("unreadable_wav", "has a header that is cut off")
    code, channels, rate, _, _, bits = FORMAT.unpack_from(content, start)
    if (code, channels, rate, bits) != (PCM, 1, SAMPLING_RATE, 8 * SAMPLE_WIDTH):
        raise BadWavError(
            "wav_format",
            f"has format {code}, {channels} channel(s), {rate} Hz and {bits} bits in place of "
            f"{PCM} (PCM), 1, {SAMPLING_RATE} and {8 * SAMPLE_WIDTH}; convert it with ffmpeg -i IN "
            f"-ar {SAMPLING_RATE} -ac 1 -c:a pcm_s16le OUT",
        )
