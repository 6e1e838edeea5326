"""Draws one session of the KEMDy19 layout: a man and a woman play scripts and improvise.

Six scripts are played in every session, numbered otherwise in each, and four dialogues are free. In
every turn both people feel something: the annotation of KEMDy19 has the speaker's emotion in one
file and the listener's in the other. Everything but the sound; as in `session`, each session has
its own random stream.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from .generative import (
    Turns,
    draw_categories,
    draw_prosody,
    draw_votes,
    emotion_probabilities,
)
from .lexicon import EVENTS, Lexicon
from .parameters import Parameters
from .scripts import Dialogue, draw_dialogue, join_turns, perform, translate_lead
from .session import SampleOptions, Session, Speaker
from .speech import deal_voices, parse_voice
from .translator import Rendering, translate_dialogue

IMPROS = 4
SESSION_STREAM = 19  # apart from the sessions of the KEMDy20 layout

CONTAGION = 0.17  # probability that a listener feels what the speaker does
OWN_EVENT = 0.85  # probability that what happened is something else to the listener
LISTENER_SD = (0.25, 0.50)  # valence, arousal of a listener around what the event asks for


@dataclass(frozen=True)
class ActedSession(Session):
    """A session of KEMDy19; what `Session` has is of the speaker.

    Attributes:
        scripts: what each turn's dialogue plays: `1` to `6` of the corpus's scripts, "" if free.
        listener: what the listener feels.
        listener_votes: emotion by rater, index into `EMOTIONS`, `(turns, raters)`.
        listener_ratings: valence and arousal by rater, `(turns, raters, 2)`.
    """

    scripts: list[str]
    listener: Turns
    listener_votes: np.ndarray
    listener_ratings: np.ndarray

    corpus: ClassVar[str] = "kemdy19"

    @property
    def dialogues(self) -> list[str]:
        """Name of each turn's dialogue."""
        return [name.rsplit("_", 1)[0] for name in self.segment_ids]

    def stem(self, turn: int) -> Path:
        """Return where a turn's wav and transcript lie in the corpus, without extension."""
        folder = Path("wav", f"Session{self.number:02d}", self.dialogues[turn])
        return folder / self.segment_ids[turn]


def draw_acted_session(
    number: int,
    options: SampleOptions,
    lexicon: Lexicon,
    scripts: list[Dialogue],
    *,
    neutral_bias: float,
) -> ActedSession:
    """Draw one session: who plays what, how, and what the raters answer of both people.

    Args:
        number: session number, from 1.
        options: what to write.
        lexicon: the lines.
        scripts: what every session plays (`scripts.draw_scripts`).
        neutral_bias: log-odds added to neutral.
    """
    rng = np.random.default_rng([options.seed, number, SESSION_STREAM])
    parameters = options.parameters
    order = rng.permutation(len(scripts))
    played = [perform(scripts[script], rng) for script in order]
    names = [f"script{position:02d}" for position in range(1, len(played) + 1)]
    for impro in range(1, IMPROS + 1):
        played.append(draw_dialogue(rng, options, lexicon, neutral_bias=neutral_bias))
        names.append(f"impro{impro:02d}")
    turns = join_turns([dialogue.turns for dialogue in played])
    pair = _cast(number, options, rng)
    speakers = [pair[role] for dialogue in played for role in dialogue.roles]
    habits = np.stack([speaker.habits for speaker in speakers])
    votes, ratings = draw_votes(parameters, rng, turns)
    listener = listen(parameters, rng, turns, neutral_bias=neutral_bias)
    listener_votes, listener_ratings = draw_votes(parameters, rng, listener)
    lengths = [len(dialogue.turns) for dialogue in played]
    kinds = [str(script + 1) for script in order] + [""] * IMPROS
    return ActedSession(
        number=number,
        turns=turns,
        speakers=speakers,
        segment_ids=_name_segments(number, names, played),
        lines=[
            " ".join([*lead, line])
            for dialogue in played
            for lead, line in zip(dialogue.leads, dialogue.lines, strict=True)
        ],
        renderings=[
            rendering
            for dialogue in played
            for rendering in _translate(dialogue, lexicon, cue_window=parameters.cue_window)
        ],
        prosody=draw_prosody(parameters, rng, turns, speaker_offsets=habits),
        votes=votes,
        ratings=ratings,
        scripts=np.repeat(kinds, lengths).tolist(),
        listener=listener,
        listener_votes=listener_votes,
        listener_ratings=listener_ratings,
    )


def listen(
    parameters: Parameters, rng: np.random.Generator, turns: Turns, *, neutral_bias: float
) -> Turns:
    """Draw what the listener feels while the other speaks: often about something else.

    Args:
        parameters: the generative model.
        rng: source of randomness.
        turns: what the speaker feels.
        neutral_bias: log-odds added to neutral.

    Returns:
        The same turns with the listener's event, valence, arousal and emotion; none is mixed.
    """
    others = rng.choice(len(EVENTS), len(turns), p=parameters.event_prior)
    event = np.where(rng.random(len(turns)) < OWN_EVENT, others, turns.event)
    valence = np.take(parameters.event_valence, event)
    valence = valence + rng.normal(0, LISTENER_SD[0], len(turns))
    arousal = np.take(parameters.event_arousal, event)
    arousal = arousal + rng.normal(0, LISTENER_SD[1], len(turns))
    chances = emotion_probabilities(parameters, event, valence, arousal, neutral_bias=neutral_bias)
    own = draw_categories(rng, chances)
    caught = rng.random(len(turns)) < CONTAGION
    return replace(
        turns,
        event=np.where(caught, turns.event, event),
        valence=np.where(caught, turns.valence, valence),
        arousal=np.where(caught, turns.arousal, arousal),
        emotion=np.where(caught, turns.emotion, own),
        mixed=np.full(len(turns), -1),
    )


def _cast(number: int, options: SampleOptions, rng: np.random.Generator) -> list[Speaker]:
    """Draw the woman and the man of a session."""
    pool = deal_voices(options.voices, options.folds)[(number - 1) % options.folds]
    pair = []
    for index, gender in enumerate("FM"):
        voices = [voice for voice in pool if parse_voice(voice)[0] == gender]
        habits = rng.normal(0, options.parameters.speaker_sd)
        pair.append(Speaker(2 * number - 1 + index, str(rng.choice(voices)), habits))
    return pair


def _translate(dialogue: Dialogue, lexicon: Lexicon, *, cue_window: int) -> list[Rendering]:
    lines = translate_dialogue(lexicon, dialogue.lines, cue_window=cue_window)
    leads = [translate_lead(lead) for lead in dialogue.leads]
    return [
        Rendering(f"{lead} {line.literal}", f"{lead} {line.contextual}")
        for lead, line in zip(leads, lines, strict=True)
    ]


def _name_segments(session: int, names: list[str], played: list[Dialogue]) -> list[str]:
    """Name utterances as KEMDy19 does: numbered for each speaker of each dialogue."""
    segment_ids = []
    for name, dialogue in zip(names, played, strict=True):
        spoken: Counter[str] = Counter()
        for role in dialogue.roles:
            gender = "FM"[role]
            spoken[gender] += 1
            segment_ids.append(f"Sess{session:02d}_{name}_{gender}{spoken[gender]:03d}")
    return segment_ids
