"""Draws one session of the sample corpus: who speaks, what is said and felt, what raters answer.

Everything but the sound. Each session has its own random stream, so a corpus of more sessions holds
the smaller one unchanged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..layout import EMOTIONS, format_segment_id_kemdy20
from .generative import LINE_KINDS, Turns, draw_prosody, draw_turns, draw_votes
from .lexicon import DEFAULT_LEXICON, EVENTS, MIXED_PAIRS, Lexicon
from .parameters import Parameters
from .speech import VOICES, deal_voices, parse_voice
from .translator import Rendering, translate_dialogue

DIALOGUES_PER_SESSION = 6
LAYOUTS = ("kemdy20", "kemdy19")
LEAST_TURNS_WITH_ANOMALIES = 12  # so that every fault has a row of its own
MOST_SESSIONS_WITH_ANOMALIES = 40  # beyond it users 081 and 082 speak elsewhere
SPEAKER_CHANGE = 0.85
"""Probability that the next turn is the other speaker's."""


@dataclass(frozen=True)
class SampleOptions:
    """What to write.

    Attributes:
        sessions: number of sessions.
        seed: of everything random.
        turns: turns of each of a session's dialogues, six in KEMDy20 and ten in KEMDy19.
        folds: sessions whose numbers differ by a multiple of this share voices; no others do.
        voices: espeak-ng voice variants; two are drawn for each session.
        lexicon: the file with the lines.
        parameters: the generative model.
        layout: one of `LAYOUTS`: the corpus whose form is written.
        anomalies: plant the known faults of the delivered corpora (`anomalies`).
        bio: write bio-signals (`signals`); anomalies need them and write them in any case.
        recordings: speak the lines; without them there is no wav and lengths are drawn.

    Raises:
        ValueError: if a number is too small, the layout is unknown, the voices cannot be dealt
            (`deal_voices`), or anomalies are to be planted in recordings that are not to be
            written; sessions of KEMDy19 need a man's and a woman's voice.
    """

    sessions: int = 8
    seed: int = 0
    turns: int = 20
    folds: int = 5
    voices: tuple[str, ...] = VOICES
    lexicon: Path = DEFAULT_LEXICON
    parameters: Parameters = field(default_factory=Parameters)
    layout: str = LAYOUTS[0]
    anomalies: bool = False
    bio: bool = False
    recordings: bool = True

    def __post_init__(self) -> None:
        for name, least in (("sessions", 1), ("turns", 1), ("folds", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` is {getattr(self, name)}; it must be {least} or more.")
        if self.layout not in LAYOUTS:
            raise ValueError(f"`layout` is {self.layout!r}; allowed are {', '.join(LAYOUTS)}.")
        pools = deal_voices(self.voices, self.folds)
        if self.layout == "kemdy19":
            _refuse_one_gender(pools)
        if self.anomalies and not self.recordings:
            raise ValueError(
                "`recordings` is False and `anomalies` is True, and some anomalies are in "
                "recordings: leave out `--without-wav` or `--anomalies`."
            )
        if self.anomalies and self.turns < LEAST_TURNS_WITH_ANOMALIES:
            raise ValueError(
                f"`turns` is {self.turns}; with `anomalies` it must be "
                f"{LEAST_TURNS_WITH_ANOMALIES} or more."
            )
        if self.anomalies and self.sessions > MOST_SESSIONS_WITH_ANOMALIES:
            raise ValueError(
                f"`sessions` is {self.sessions}; with `anomalies` it must be "
                f"{MOST_SESSIONS_WITH_ANOMALIES} or less."
            )

    @property
    def has_bio(self) -> bool:
        """Whether the corpus has bio-signals, asked for or to be spoilt."""
        return self.bio or self.anomalies


def _refuse_one_gender(pools: list[tuple[str, ...]]) -> None:
    for pool in pools:
        if {parse_voice(voice)[0] for voice in pool} != {"F", "M"}:
            raise ValueError(
                f"`voices` deals {', '.join(pool)} to one fold, and a session of KEMDy19 is a man "
                "and a woman: give as many women as folds in every second place, or fewer folds."
            )


@dataclass(frozen=True)
class Speaker:
    """One of a session's two speakers; `habits` are offsets of pitch, rate, range, loudness."""

    user: int
    voice: str
    habits: np.ndarray

    @property
    def gender(self) -> str:
        """Return `F` or `M`."""
        return parse_voice(self.voice)[0]


@dataclass(frozen=True)
class Session:
    """Everything about one session but the sound; one entry a turn in every sequence.

    Attributes:
        number: of the session, from 1.
        turns: what is felt, and of what kind the line is.
        speakers: who speaks.
        segment_ids: name of the utterance.
        lines: Korean line.
        renderings: its English.
        prosody: `(turns, 4)`, see `parameters.PROSODY`.
        votes: emotion by rater, index into `EMOTIONS`, `(turns, raters)`.
        ratings: valence and arousal by rater, integers from 1 to 5, `(turns, raters, 2)`.
    """

    number: int
    turns: Turns
    speakers: list[Speaker]
    segment_ids: list[str]
    lines: list[str]
    renderings: list[Rendering]
    prosody: np.ndarray
    votes: np.ndarray
    ratings: np.ndarray

    corpus: ClassVar[str] = "kemdy20"

    @property
    def dialogues(self) -> list[str]:
        """Name of each turn's dialogue."""
        return [name.split("_User")[0] for name in self.segment_ids]

    def stem(self, turn: int) -> Path:
        """Return where a turn's wav and transcript lie in the corpus, without extension."""
        return Path("wav", f"Session{self.number:02d}", self.segment_ids[turn])


def draw_session(
    number: int, options: SampleOptions, lexicon: Lexicon, *, neutral_bias: float
) -> Session:
    """Draw one session: who speaks, what is felt and said, how, and what the raters answer.

    Args:
        number: session number, from 1.
        options: what to write.
        lexicon: the lines.
        neutral_bias: log-odds added to neutral (see `consensus.calibrate_neutral`).
    """
    rng = np.random.default_rng([options.seed, number])
    parameters = options.parameters
    turns = draw_turns(
        parameters,
        rng,
        dialogues=DIALOGUES_PER_SESSION,
        turns_per_dialogue=options.turns,
        neutral_bias=neutral_bias,
    )
    pool = deal_voices(options.voices, options.folds)[(number - 1) % options.folds]
    voices = rng.choice(pool, 2, replace=False)
    pair = [
        Speaker(2 * number - 1 + index, str(voice), rng.normal(0, parameters.speaker_sd))
        for index, voice in enumerate(voices)
    ]
    speakers = _draw_turn_taking(rng, pair, dialogues=DIALOGUES_PER_SESSION, turns=options.turns)
    lines = draw_wording(rng, turns, lexicon)
    renderings = [
        rendering
        for start in range(0, len(lines), options.turns)
        for rendering in translate_dialogue(
            lexicon, lines[start : start + options.turns], cue_window=parameters.cue_window
        )
    ]
    habits = np.stack([speaker.habits for speaker in speakers])
    prosody = draw_prosody(parameters, rng, turns, speaker_offsets=habits)
    votes, ratings = draw_votes(parameters, rng, turns)
    return Session(
        number=number,
        turns=turns,
        speakers=speakers,
        segment_ids=_name_segments(number, speakers, options.turns),
        lines=lines,
        renderings=renderings,
        prosody=prosody,
        votes=votes,
        ratings=ratings,
    )


def _draw_turn_taking(
    rng: np.random.Generator, pair: list[Speaker], *, dialogues: int, turns: int
) -> list[Speaker]:
    first = rng.integers(0, 2, (dialogues, 1))
    changes = rng.random((dialogues, turns)) < SPEAKER_CHANGE
    changes[:, 0] = False
    who = (first + changes.cumsum(1)) % 2
    return [pair[index] for index in who.ravel()]


def draw_wording(rng: np.random.Generator, turns: Turns, lexicon: Lexicon) -> list[str]:
    """Choose each turn's line among those of its kind and topic.

    Args:
        rng: source of randomness.
        turns: the turns.
        lexicon: the lines.

    Returns:
        one Korean line a turn.
    """
    lines = []
    for kind, topic in zip(turns.line_kind, turns.line_topic, strict=True):
        match LINE_KINDS[kind]:
            case "cue":
                choices = lexicon.cues[EVENTS[topic]]
            case "emotion":
                choices = lexicon.emotions[EMOTIONS[topic]]
            case "mixed":
                choices = lexicon.mixed[MIXED_PAIRS[topic]]
            case "filler":
                choices = lexicon.filler
            case _:
                choices = lexicon.ambiguous
        lines.append(choices[int(rng.integers(len(choices)))].ko)
    return lines


def _name_segments(session: int, speakers: list[Speaker], turns: int) -> list[str]:
    """Name utterances as KEMDy20 does: numbered for each speaker of each dialogue."""
    names = []
    spoken: Counter[tuple[int, int]] = Counter()
    for index, speaker in enumerate(speakers):
        script = index // turns + 1
        spoken[script, speaker.user] += 1
        names.append(
            format_segment_id_kemdy20(
                session,
                script,
                user=speaker.user,
                gender=speaker.gender,
                number=spoken[script, speaker.user],
            )
        )
    return names
