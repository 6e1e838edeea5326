"""The numbers of the sample corpus's generative model, each invented: none describes people.

`generative` draws with them, `consensus` and `oracle` compute with them what can be known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..layout import EMOTIONS

PROSODY = ("pitch", "rate", "range", "loudness")
"""The four numbers that speech carries, each around 0 with a spread of about 1."""

NEUTRAL = EMOTIONS.index("neutral")

NEUTRAL_RANGE = (0.25, 0.9)
"""Shares of neutral that can be asked for: under 0.23 enough raters would still miss an emotion."""


def _by_emotion(**values: tuple[float, ...]) -> np.ndarray:
    return np.array([values[name] for name in EMOTIONS], dtype=float)


@dataclass(frozen=True)
class Parameters:
    """Parameters of the generative model; the defaults are the sample corpus.

    Attributes:
        speech_signal: how much of arousal and emotion reaches the prosody, 0 (none) to 1.
        text_signal: how much of event and emotion reaches the wording, 0 (none) to 1.
        context_signal: probability that a segment stays with the event that its first turn stated,
            0 to 1; at 0 the dialogue around a turn tells nothing about it.
        neutral: share of turns whose consensus is neutral alone, 0.25 to 0.9.
        turns_per_segment: turns about one event.
        cue_window: how many turns back a reader looks for the event.

    The fields after these are the model itself: the command line has no option for them.
    """

    speech_signal: float = 1.0
    text_signal: float = 1.0
    context_signal: float = 1.0
    neutral: float = 0.42
    turns_per_segment: int = 5
    cue_window: int = 3

    # By event, in the order of `EVENTS`.
    event_prior: tuple[float, ...] = (0.23, 0.20, 0.20, 0.37)
    event_valence: tuple[float, ...] = (0.75, -0.75, -0.75, 0.0)
    event_arousal: tuple[float, ...] = (0.25, 0.20, -0.15, -0.05)
    valence_sd: tuple[float, float] = (0.12, 0.20)  # between dialogues, between turns
    arousal_sd: tuple[float, float] = (0.15, 0.52)

    # Places of the emotions in the valence/arousal plane, and which events they go with: the
    # latter is what valence and arousal cannot say (anger and fear share their place).
    prototypes: np.ndarray = field(
        default_factory=lambda: _by_emotion(
            surprise=(0.05, 0.85),
            angry=(-0.70, 0.65),
            fear=(-0.65, 0.60),
            neutral=(0.0, 0.0),
            sad=(-0.70, -0.50),
            disgust=(-0.65, 0.10),
            happy=(0.75, 0.45),
        )
    )
    prototype_sd: float = 0.36
    compatibility: np.ndarray = field(
        default_factory=lambda: _by_emotion(  # good, offence, loss, nothing
            surprise=(0.45, 0.0, -0.45, 0.2),
            angry=(-2.2, 2.4, -1.3, -0.55),
            fear=(-2.2, -1.3, 0.65, -0.3),
            neutral=(-0.2, -0.2, -0.2, 1.2),
            sad=(-2.2, -0.65, 2.6, -0.55),
            disgust=(-2.2, 0.65, -0.9, -0.3),
            happy=(2.4, -2.2, -2.2, 0.0),
        )
    )

    # Raters: half speak of an emotion only when it is strong, half already when it is faint.
    raters_per_group: int = 5
    rater_thresholds: tuple[float, float] = (0.70, 0.25)  # reserved, expressive
    rater_softness: float = 0.12
    rater_confusion: tuple[float, float] = (0.22, 0.14)  # of an emotion, of neutral
    mixed_share: float = 0.05
    mixed_agreement: float = 0.93
    mixed_prior: tuple[float, ...] = (0.27, 0.22, 0.22, 0.17, 0.12)  # in the order of `MIXED_PAIRS`
    rating_scale: tuple[float, float] = (1.2, 1.1)  # valence, arousal to the 1-5 scale around 3
    rating_sd: float = 0.55

    prosody_loading: tuple[float, ...] = (1.0, 0.9, 0.8, 0.8)
    prosody_offset: np.ndarray = field(
        default_factory=lambda: _by_emotion(  # pitch, rate, range, loudness
            surprise=(0.55, 0.10, 0.75, 0.15),
            angry=(-0.10, 0.30, -0.30, 0.55),
            fear=(0.50, 0.50, -0.45, -0.40),
            neutral=(0.0, 0.0, 0.0, 0.0),
            sad=(-0.25, -0.45, -0.50, -0.35),
            disgust=(-0.45, -0.40, 0.15, 0.10),
            happy=(0.30, 0.20, 0.45, 0.15),
        )
    )
    speaker_sd: tuple[float, ...] = (0.30, 0.25, 0.15, 0.20)
    prosody_noise_sd: tuple[float, ...] = (0.20, 0.20, 0.25, 0.20)

    line_shares: tuple[float, float, float] = (0.05, 0.80, 0.15)  # filler, ambiguous, emotion
    emotion_line_accuracy: float = 0.60

    def __post_init__(self) -> None:
        for name in ("speech_signal", "text_signal", "context_signal"):
            _refuse_outside(name, getattr(self, name), 0.0, 1.0)
        _refuse_outside("neutral", self.neutral, *NEUTRAL_RANGE)
        for name, least in (("turns_per_segment", 1), ("cue_window", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` is {getattr(self, name)}; it must be {least} or more.")


def _refuse_outside(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"`{name}` is {value}; it must be between {low} and {high}.")
