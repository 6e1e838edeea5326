"""Korean speech for the sample corpus, spoken by espeak-ng.

espeak-ng (https://github.com/espeak-ng/espeak-ng) is a formant synthesiser: it carries prosody and
speaker, not intelligible words. Pitch, rate, pitch range and loudness follow the four prosody
numbers of `generative`; the same request gives the same samples.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ..layout import SAMPLING_RATE

VOICES = ("m1", "f1", "m2", "f2", "m3", "f3", "m4", "f4", "m5", "f5", "m6", "m7", "m8")
"""Variants of espeak-ng's Korean voice that sound like people; `m` and `f` are their genders."""


@dataclass(frozen=True)
class Delivery:
    """How a line is spoken, in espeak-ng's units.

    Attributes:
        voice: a variant of espeak-ng's Korean voice, such as `m3`; "" for the voice itself.
        pitch: base pitch, 1 to 99.
        rate: words a minute, 90 to 400.
        range: pitch range in percent of the voice's own, 20 to 300.
        loudness: amplitude, 30 to 200.
    """

    voice: str
    pitch: int
    rate: int
    range: int
    loudness: int


def parse_voice(voice: str) -> tuple[str, str]:
    """Read a voice as the command line names it.

    Args:
        voice: a variant named by its gender (`m3`), or gender and variant (`f:Annie`).

    Returns:
        gender (`F` or `M`) and the variant's name.

    Raises:
        ValueError: if the gender is neither.
    """
    gender, colon, variant = voice.partition(":")
    if not (colon and variant and gender in ("f", "m")) and voice not in VOICES:
        raise ValueError(
            f"`voices` has {voice!r}; allowed are {', '.join(VOICES)}, "
            "and other variants of espeak-ng with their gender, such as `f:Annie`."
        )
    return voice[0].upper(), variant or voice


def deliver(voice: str, prosody: np.ndarray) -> Delivery:
    """Turn prosody numbers into espeak-ng's settings.

    Args:
        voice: a voice as `parse_voice` takes it.
        prosody: pitch, rate, range and loudness `(4,)`, each about -2 to 2.
    """
    pitch, rate, pitch_range, loudness = (float(value) for value in prosody)
    return Delivery(
        voice=parse_voice(voice)[1],
        pitch=int(np.clip(round(50 + 18 * pitch), 1, 99)),
        rate=int(np.clip(round(200 * np.exp(0.24 * rate)), 90, 400)),
        range=int(np.clip(round(100 * np.exp(0.6 * pitch_range)), 20, 300)),
        loudness=int(np.clip(round(90 * np.exp(0.35 * loudness)), 30, 200)),
    )


def deal_voices(voices: tuple[str, ...], pools: int) -> list[tuple[str, ...]]:
    """Split voices into pools that share none, for sessions of different folds.

    Args:
        voices: voice variants.
        pools: number of pools.

    Returns:
        `pools` tuples of at least two voices; an order of `voices` always gives the same ones.

    Raises:
        ValueError: if a voice cannot be read (`parse_voice`), is given twice, or a pool would have
            fewer than the two voices that a session needs.

    Example:
        >>> deal_voices(("m1", "f1", "m2", "f2", "m3"), 2)
        [('m1', 'f1', 'm3'), ('m2', 'f2')]
    """
    variants = [parse_voice(voice)[1] for voice in voices]
    for voice, variant in zip(voices, variants, strict=True):
        if variants.count(variant) > 1:
            raise ValueError(
                f"`voices` has {voice!r} more than once; each voice is dealt to one fold: "
                "remove one."
            )
    if len(voices) < 2 * pools:
        raise ValueError(
            f"`voices` has {len(voices)} voices for {pools} folds; each fold needs two of its own: "
            f"give {2 * pools} voices or fewer folds."
        )
    pairs = [voices[index : index + 2] for index in range(0, len(voices), 2)]
    dealt: list[tuple[str, ...]] = [()] * pools
    for index, pair in enumerate(pairs):
        dealt[index % pools] += pair
    return dealt


def find_espeak() -> str:
    """Return the path of espeak-ng.

    Raises:
        RuntimeError: if it is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError(
            "`espeak-ng` speaks the sample corpus and is not installed; "
            "install it, for example with `apt-get install espeak-ng`."
        )
    return program


def refuse_unknown_voices(voices: tuple[str, ...]) -> None:
    """Check that espeak-ng has every voice.

    It speaks a variant that it does not know with its plain voice and says nothing of it, so that
    speakers and folds would share one: the sound tells.

    Args:
        voices: voices as `parse_voice` takes them.

    Raises:
        ValueError: if a voice sounds like the plain one or like another.
        RuntimeError: if espeak-ng is not installed or fails.
    """
    sounds = {speak("아", _plainly("")).tobytes(): "espeak-ng's plain voice"}
    for voice in voices:
        sound = speak("아", _plainly(parse_voice(voice)[1])).tobytes()
        if sound in sounds:
            raise ValueError(
                f"`voices` has {voice!r}, which sounds like {sounds[sound]}; "
                "`espeak-ng --voices=variant` lists the variants that this espeak-ng has."
            )
        sounds[sound] = repr(voice)


def _plainly(variant: str) -> Delivery:
    return Delivery(voice=variant, pitch=50, rate=175, range=100, loudness=100)


def speak(text: str, delivery: Delivery) -> np.ndarray:
    """Speak one line.

    Args:
        text: Korean text; what would be markup in it is spoken as text.
        delivery: how to speak it.

    Returns:
        16-bit samples at 16 kHz, `(samples,)`.

    Raises:
        RuntimeError: if espeak-ng is not installed or fails.
    """
    ssml = f'<speak><prosody range="{delivery.range}%">{escape(text)}</prosody></speak>'
    with tempfile.TemporaryDirectory() as folder:
        # A file, not a pipe: the header of what espeak-ng pipes has a wrong length.
        wav = Path(folder) / "line.wav"
        voice = f"ko+{delivery.voice}" if delivery.voice else "ko"
        command = [find_espeak(), "-m", "-v", voice, "-p", str(delivery.pitch)]
        command += ["-s", str(delivery.rate), "-a", str(delivery.loudness), "-w", str(wav), ssml]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not wav.exists():
            raise RuntimeError(
                f"`espeak-ng` failed on {text!r} with voice {delivery.voice!r}: "
                f"{done.stderr.strip() or f'exit status {done.returncode}'}; "
                "check that `espeak-ng -v ko` works."
            )
        samples, rate = soundfile.read(wav, dtype="float64")
    divisor = np.gcd(rate, SAMPLING_RATE)
    resampled = resample_poly(samples, SAMPLING_RATE // divisor, rate // divisor)
    return np.clip(np.rint(resampled * 32767), -32768, 32767).astype(np.int16)
