"""How recordings are cut: the settings, checked before anything heavy is imported."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

CUTS = ("silence", "voice")

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class CutSettings:
    """How long recordings are cut into utterances.

    Attributes:
        by: `silence`, what is below a level; `voice`, what a model takes for no speech.
        silence_db: what is below this level, in dB of full scale, is silence.
        silence_seconds: so long a silence ends an utterance.
        shortest: utterances of fewer seconds are left out.
        longest: utterances of more seconds are cut into equal parts.
        margin: seconds of silence left at both ends, at most half of `silence_seconds`.
    """

    by: str = "silence"
    silence_db: float = -40.0
    silence_seconds: float = 0.5
    shortest: float = 0.2
    longest: float = 20.0
    margin: float = 0.1

    def __post_init__(self) -> None:
        if self.by not in CUTS:
            raise ValueError(f"`--cut` is {self.by!r}; allowed is one of {', '.join(CUTS)}.")
        if self.silence_seconds <= 0 or self.longest < 1:
            raise ValueError(
                f"`--silence-seconds` is {self.silence_seconds} and `--longest` {self.longest}; "
                "allowed are more than 0, and 1 up."
            )
        if self.by == "voice" and importlib.util.find_spec("silero_vad") is None:
            raise ValueError(
                "`--cut` is 'voice', which needs the package silero-vad, and it is not installed; "
                "install it (pip install silero-vad), or cut by `silence`."
            )
