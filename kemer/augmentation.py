"""The sound of a training utterance, a little changed in each epoch: speed, noise and gain.

Between `variants`, which hands the waveforms of training rows over, and `torchaudio`. What is drawn
depends on seed, epoch and utterance alone, so that an interrupted run goes on as it would have.
Speed perturbation is that of Ko, Peddinti, Povey and Khudanpur (Interspeech 2015): one of three
speeds, which moves the pitch with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torchaudio.functional import add_noise, gain, speed

NOISE_RANGE = 20.0
"""dB between the loudest and the softest noise."""


@dataclass(frozen=True)
class Augmentation:
    """How far the sound of training utterances is changed.

    Attributes:
        speed: each utterance is played at 1 - speed, 1 or 1 + speed times its speed, in [0, 0.5];
            0 leaves it.
        gain: it is made louder or softer by up to so many dB, 0 or more.
        noise: white noise is added, at a ratio of signal to noise between this and 20 dB more; None
            adds none.

    Example:
        >>> bool(Augmentation()), bool(Augmentation(gain=6.0))
        (False, True)
    """

    speed: float = 0.0
    gain: float = 0.0
    noise: float | None = None

    def __bool__(self) -> bool:
        return self.speed > 0 or self.gain > 0 or self.noise is not None

    def __call__(
        self, samples: np.ndarray, *, rate: int, seed: int, epoch: int, row_id: str
    ) -> np.ndarray:
        """Return an utterance as one epoch hears it.

        Args:
            samples: (samples,) float32 in [-1, 1].
            rate: in Hz.
            seed: of the run.
            epoch: number of the epoch, from 0.
            row_id: id of the utterance.

        Returns:
            (samples,) float32 in [-1, 1]; longer or shorter where the speed is another.
        """
        key = f"sound/{seed}/{epoch}/{row_id}".encode()
        random = np.random.default_rng(list(hashlib.sha256(key).digest()))
        # Always all three, so that one setting does not change what another draws.
        pace, ratio, loudness = random.integers(-1, 2), random.random(), random.uniform(-1, 1)
        changed = torch.from_numpy(samples)
        if self.speed > 0 and pace != 0:
            changed, _ = speed(changed, rate, 1.0 + float(pace) * self.speed)
        if self.noise is not None:
            hiss = torch.from_numpy(random.standard_normal(len(changed), dtype=np.float32))
            changed = add_noise(changed, hiss, torch.tensor(self.noise + NOISE_RANGE * ratio))
        if self.gain > 0:
            changed = gain(changed, self.gain * loudness)
        return changed.clamp(-1.0, 1.0).numpy()
