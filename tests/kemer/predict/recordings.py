"""Recordings of tones and silence, in the formats that people have."""

import subprocess
from pathlib import Path

import numpy as np
import soundfile

FORMATS = ("wav", "flac", "mp3", "ogg", "m4a", "webm")


def make_sound(*spoken: float, silence: float = 0.8, rate: int = 16_000) -> np.ndarray:
    """Return tones of so many seconds with silence between them."""
    parts = []
    for place, seconds in enumerate(spoken):
        times = np.arange(int(seconds * rate)) / rate
        parts.append(0.4 * np.sin(2 * np.pi * (200 + 50 * place) * times))
        parts.append(np.zeros(int(silence * rate)))
    return np.concatenate(parts[:-1]).astype("f4")


def write_recording(path: Path, samples: np.ndarray, *, rate: int) -> Path:
    """Write a recording in the format that its name says, by ffmpeg."""
    wav = path.with_name(f".{path.name}.wav")
    soundfile.write(wav, samples, rate)
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(wav), str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    wav.unlink()
    return path
