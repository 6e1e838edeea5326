"""Written scripts, which every session of the KEMDy19 layout plays, and free dialogue beside them.

A script fixes, line by line, who speaks, what is said and what is to be felt. Each performance of
it deviates as actors do: lines are skipped and words are said otherwise. What is said in a turn is
a lead and a line of the lexicon: `바다에서 미나하고 왔다며, 잘했다.` The leads are about people and
places that only this dialogue has, which is how a script can be told from another; deviations stay
within them, so that the English of lead and line remains a function of what is said.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from .generative import Turns, draw_turns
from .lexicon import Lexicon
from .session import SPEAKER_CHANGE, SampleOptions, draw_wording

SCRIPTS = 6
SCRIPTS_SEED = 19  # with session 0, which there is not

NAMES_PER_DIALOGUE = 30
VOWELS = {"a": 0, "o": 8, "u": 13, "i": 20}  # their number among those of Unicode's Hangul block
CONSONANTS = {"g": 0, "n": 2, "d": 3, "r": 5, "m": 6, "b": 7, "s": 9, "j": 12, "h": 18}
SYLLABLES = {
    chr(0xAC00 + (number * 21 + vowel) * 28): consonant + sound
    for consonant, number in CONSONANTS.items()
    for sound, vowel in VOWELS.items()
}
"""What names are made of, and how it is romanised."""

PARTICLES = {
    "에서": "from",
    "하고": "with",
    "까지": "up to",
    "보다": "more than",
    "처럼": "like",
    "한테": "to",
}
ENDINGS = {
    "갔는데,": "they went,",
    "왔다며,": "they say they came,",
    "봤는데,": "I saw,",
    "있잖아,": "you know,",
    "말인데,": "speaking of it,",
}
LEAD_WORDS = (2, 4)  # names with a particle before the ending, from and to

REPLACED = 0.18  # share of a lead's words said otherwise; about .1 of all words
SKIPPED = (0.05, 0.15)  # share of lines that a performance skips, from and to
FEELING_SD = 0.1  # how far actors are from the written valence and arousal


@dataclass(frozen=True)
class Dialogue:
    """One dialogue, one entry a turn in every sequence.

    Attributes:
        turns: what is felt, and of what kind the line is.
        roles: 0 where the woman speaks, 1 where the man does, `(turns,)`.
        leads: the words before the line of the lexicon.
        lines: the line of the lexicon.
        names: people and places that the leads are about.
    """

    turns: Turns
    roles: np.ndarray
    leads: list[tuple[str, ...]]
    lines: list[str]
    names: tuple[str, ...]


def draw_scripts(
    options: SampleOptions, lexicon: Lexicon, *, neutral_bias: float
) -> list[Dialogue]:
    """Write the scripts of a corpus: the same ones whatever its number of sessions.

    Args:
        options: what to write.
        lexicon: the lines.
        neutral_bias: log-odds added to neutral.
    """
    rng = np.random.default_rng([options.seed, 0, SCRIPTS_SEED])
    return [draw_dialogue(rng, options, lexicon, neutral_bias=neutral_bias) for _ in range(SCRIPTS)]


def draw_dialogue(
    rng: np.random.Generator, options: SampleOptions, lexicon: Lexicon, *, neutral_bias: float
) -> Dialogue:
    """Draw one dialogue with people and places of its own.

    Args:
        rng: source of randomness.
        options: what to write.
        lexicon: the lines.
        neutral_bias: log-odds added to neutral.
    """
    turns = draw_turns(
        options.parameters,
        rng,
        dialogues=1,
        turns_per_dialogue=options.turns,
        neutral_bias=neutral_bias,
    )
    changes = rng.random(options.turns) < SPEAKER_CHANGE
    changes[0] = False
    names = tuple(_draw_name(rng) for _ in range(NAMES_PER_DIALOGUE))
    return Dialogue(
        turns=turns,
        roles=(int(rng.integers(2)) + changes.cumsum()) % 2,
        leads=[_draw_lead(rng, names) for _ in range(options.turns)],
        lines=draw_wording(rng, turns, lexicon),
        names=names,
    )


def perform(script: Dialogue, rng: np.random.Generator) -> Dialogue:
    """Play a script as actors do: not every line, not every word, not every feeling as written.

    Args:
        script: what is written.
        rng: source of randomness.

    Returns:
        What is played; at least one turn.
    """
    kept = rng.random(len(script.turns)) >= rng.uniform(*SKIPPED)
    if not kept.any():
        kept[0] = True
    chosen = np.flatnonzero(kept)
    turns = take_turns(script.turns, chosen)
    valence, arousal = rng.normal(0, FEELING_SD, (2, len(chosen)))
    turns = replace(turns, valence=turns.valence + valence, arousal=turns.arousal + arousal)
    return replace(
        script,
        turns=turns,
        roles=script.roles[chosen],
        leads=[_deviate(script.leads[turn], rng) for turn in chosen],
        lines=[script.lines[turn] for turn in chosen],
    )


def translate_lead(lead: tuple[str, ...]) -> str:
    """Render a lead in English, word for word.

    Args:
        lead: names with their particles, then an ending.

    Example:
        >>> translate_lead(("바다에서", "미나하고", "왔다며,"))
        'From Bada, with Mina, they say they came,'
    """
    *words, ending = lead
    parts = []
    for word in words:
        name = "".join(SYLLABLES[syllable] for syllable in word[:-2]).capitalize()
        parts.append(f"{PARTICLES[word[-2:]]} {name},")
    english = " ".join([*parts, ENDINGS[ending]])
    return english[0].upper() + english[1:]


def take_turns(turns: Turns, index: np.ndarray) -> Turns:
    """Return some turns, in the order of `index`, `(chosen,)`."""
    return Turns(**{field.name: getattr(turns, field.name)[index] for field in fields(Turns)})


def join_turns(parts: list[Turns]) -> Turns:
    """Return the turns of several dialogues, dialogue after dialogue."""
    return Turns(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Turns)
        }
    )


def _draw_name(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list(SYLLABLES), int(rng.integers(2, 4))))


def _draw_lead(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[str, ...]:
    words = [
        str(rng.choice(names)) + str(rng.choice(list(PARTICLES)))
        for _ in range(int(rng.integers(LEAD_WORDS[0], LEAD_WORDS[1] + 1)))
    ]
    return (*words, str(rng.choice(list(ENDINGS))))


def _deviate(lead: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """Say some words otherwise: another name, another ending."""
    *words, ending = lead
    said = [
        _draw_name(rng) + str(rng.choice(list(PARTICLES))) if rng.random() < REPLACED else word
        for word in words
    ]
    other = [choice for choice in ENDINGS if choice != ending]
    return (*said, str(rng.choice(other)) if rng.random() < REPLACED else ending)
