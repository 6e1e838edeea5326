"""Recordings of any format: found in folders, decoded by ffmpeg, and cut where nobody speaks.

First step of `python -m kemer.predict`. One call of ffmpeg gives a recording's samples and, from
its filter `silencedetect`, where it is silent.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SILENCE_LINE = re.compile(r"silence_(start|end): (-?[\d.]+)")
LINES_SHOWN = 2


@dataclass(frozen=True)
class CutSettings:
    """How long recordings are cut into utterances.

    Attributes:
        silence_db: what is below this level, in dB of full scale, is silence.
        silence_seconds: so long a silence ends an utterance.
        shortest: utterances of fewer seconds are left out.
        longest: utterances of more seconds are cut into equal parts.
        margin: seconds of silence left at both ends.
    """

    silence_db: float = -40.0
    silence_seconds: float = 0.5
    shortest: float = 0.2
    longest: float = 20.0
    margin: float = 0.1


@dataclass(frozen=True)
class Recording:
    """A decoded recording.

    Attributes:
        samples: (samples,) float32 in [-1, 1].
        silences: beginning and end of each silence, in seconds.
    """

    samples: np.ndarray
    silences: tuple[tuple[float, float], ...]


def find_files(places: Sequence[Path]) -> Iterator[Path]:
    """Yield files, and of folders all that is in them and below, in the order of their names.

    Args:
        places: files and folders; a file that is not there is yielded, too, and fails later.
    """
    for place in places:
        if place.is_dir():
            yield from sorted(
                path
                for path in place.rglob("*")
                if path.is_file() and not path.name.startswith(".")
            )
        else:
            yield place


def read_recording(path: Path, *, rate: int, settings: CutSettings) -> Recording:
    """Decode a recording.

    Args:
        path: of any format that ffmpeg reads; channels are averaged.
        rate: of the samples, in Hz.
        settings: what is silence.

    Raises:
        ValueError: if the file is not there, or ffmpeg is not, or finds no sound in it.
    """
    if not path.is_file():
        raise ValueError("there is no such file")
    if shutil.which("ffmpeg") is None:
        raise ValueError("ffmpeg was not found; install it (on Debian: apt-get install ffmpeg)")
    silence = f"silencedetect=noise={settings.silence_db}dB:d={settings.silence_seconds}"
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "info", "-i", f"file:{path}", "-vn"]
    # Silence is looked for in what the model hears: after the channels are averaged.
    chain = f"aformat=channel_layouts=mono,aresample={rate},{silence}"
    command += ["-af", chain, "-f", "f32le", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    told = done.stderr.decode("utf-8", errors="replace")
    if done.returncode != 0 or len(done.stdout) < 4:
        last = " ".join(told.strip().splitlines()[-LINES_SHOWN:])
        raise ValueError(f"ffmpeg finds no sound in it ({last.removeprefix('file:').strip()})")
    samples = np.frombuffer(done.stdout, dtype="<f4").astype(np.float32)
    seconds, open_since, silences = len(samples) / rate, None, []
    for kind, time in SILENCE_LINE.findall(told):
        if kind == "start":
            open_since = max(0.0, float(time))
        elif open_since is not None:
            silences.append((open_since, float(time)))
            open_since = None
    if open_since is not None:  # silent to the end
        silences.append((open_since, seconds))
    return Recording(samples, tuple(silences))


def cut_utterances(
    recording: Recording, *, rate: int, settings: CutSettings
) -> list[tuple[float, float]]:
    """Return beginning and end of each utterance, in seconds.

    Args:
        recording: what was decoded.
        rate: of its samples, in Hz.
        settings: how it is cut.

    Returns:
        the utterances in their order; one as long as the recording where no silence is in it, none
        where all of it is silent.
    """
    seconds = len(recording.samples) / rate
    found, begin = [], 0.0
    for start, end in (*recording.silences, (seconds, seconds)):
        if start - begin >= settings.shortest:
            found.append((max(0.0, begin - settings.margin), min(seconds, start + settings.margin)))
        begin = max(begin, end)
    return [part for one in found for part in _parts(one, longest=settings.longest)]


def _parts(span: tuple[float, float], *, longest: float) -> list[tuple[float, float]]:
    """Return a span, or equal parts of one that is too long."""
    count = max(1, int(np.ceil((span[1] - span[0]) / longest - 1e-9)))
    edges = np.linspace(*span, count + 1).tolist()
    return list(zip(edges[:-1], edges[1:], strict=True))
