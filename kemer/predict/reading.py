"""Recordings of any format: found in folders, and decoded by ffmpeg.

First step of `python -m kemer.predict`. One call of ffmpeg gives a recording's samples and, from
its filter `silencedetect`, where it is silent.
"""

from __future__ import annotations

import mimetypes
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SILENCE_LINE = re.compile(r"silence_(start|end): (-?[\d.]+)")
LINES_SHOWN = 2
FILES_AHEAD = 2
OTHER_KINDS = ("text/", "image/", "application/json", "application/pdf")


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
    """Yield files, and of folders what is in them and below, in the order of their names.

    Of a folder, what its name says to be a text or a picture is passed over: corpora have the
    transcript beside each recording.

    Args:
        places: files and folders; a file that is not there is yielded, too, and fails later.
    """
    for place in places:
        if place.is_dir():
            yield from sorted(
                path
                for path in place.rglob("*")
                if path.is_file() and not path.name.startswith(".") and not _is_other(path)
            )
        else:
            yield place


def _is_other(path: Path) -> bool:
    """Return whether a file is no recording by its name."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    return kind.startswith(OTHER_KINDS)


def read_ahead(
    paths: Sequence[Path], read: Callable[[Path], Recording]
) -> Iterator[tuple[Path, Future[Recording]]]:
    """Read the next files while the last one is worked on.

    Args:
        paths: the files.
        read: reads one.

    Yields:
        each file with what reading it gives, or raises; two more are read by then.
    """
    waiting: deque[tuple[Path, Future[Recording]]] = deque()
    with ThreadPoolExecutor(1) as reader:
        for path in paths:
            waiting.append((path, reader.submit(read, path)))
            if len(waiting) > FILES_AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()


def read_recording(
    path: Path, *, rate: int, silence_db: float, silence_seconds: float
) -> Recording:
    """Decode a recording.

    Args:
        path: of any format that ffmpeg reads; channels are averaged.
        rate: of the samples, in Hz.
        silence_db: what is below this level, in dB of full scale, is silence.
        silence_seconds: shorter ones are none.

    Raises:
        ValueError: if the file is not there, or ffmpeg is not, or finds no sound in it.
    """
    if not path.is_file():
        raise ValueError("there is no such file")
    if shutil.which("ffmpeg") is None:
        raise ValueError("ffmpeg was not found; install it (on Debian: apt-get install ffmpeg)")
    silence = f"silencedetect=noise={silence_db}dB:d={silence_seconds}"
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
