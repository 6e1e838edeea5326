"""The lines of a synthetic dialogue, in Korean and English, read from a JSON file.

First step of the sample corpus. `lexicon.json` beside this file is the default; another file of
the same form gives a corpus with other lines (the shipped encoders were trained on one).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..layout import EMOTIONS

EVENTS = ("good", "offence", "loss", "nothing")
"""What a stretch of dialogue is about; its first turn (the cue) states it."""

DEFAULT_LEXICON = Path(__file__).with_name("lexicon.json")


@dataclass(frozen=True)
class Line:
    """A Korean line with its one English sense."""

    ko: str
    en: str


@dataclass(frozen=True)
class AmbiguousLine:
    """A Korean line whose English sense depends on the event that the dialogue is about.

    Attributes:
        ko: the line.
        literal: the English of one who does not see the dialogue.
        senses: the English by event.
    """

    ko: str
    literal: str
    senses: dict[str, str]


@dataclass(frozen=True)
class Lexicon:
    """All lines of a synthetic corpus; no Korean line occurs twice.

    Attributes:
        cues: lines that state an event, by event.
        ambiguous: lines that mean something else after each event.
        emotions: lines that speak of an emotion, by emotion.
        filler: lines without content.
        mixed: lines between two emotions, by `reserved;expressive` pair of emotions: what the two
            kinds of rater hear in them.
    """

    cues: dict[str, list[Line]]
    ambiguous: list[AmbiguousLine]
    emotions: dict[str, list[Line]]
    filler: list[Line]
    mixed: dict[tuple[str, str], list[Line]]

    def plain_lines(self) -> list[Line]:
        """Return every line whose English does not depend on the dialogue."""
        groups = [*self.cues.values(), *self.emotions.values(), *self.mixed.values(), [self.filler]]
        return [line for group in groups for line in _flatten(group)]


def _flatten(group: list) -> list[Line]:
    return [line for item in group for line in (item if isinstance(item, list) else [item])]


def load_lexicon(path: str | Path = DEFAULT_LEXICON) -> Lexicon:
    """Read a lexicon.

    Args:
        path: a JSON file of the form of `lexicon.json` beside this module.

    Returns:
        the lexicon.

    Raises:
        ValueError: if the file is not such a lexicon: an event or emotion is missing or unknown, a
            line lacks a field, or a Korean line occurs twice.
    """
    path = Path(path)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        lexicon = Lexicon(
            cues={event: [Line(**line) for line in raw["cues"][event]] for event in EVENTS},
            ambiguous=[_ambiguous_line(line) for line in raw["ambiguous"]],
            emotions={name: [Line(**line) for line in raw["emotions"][name]] for name in EMOTIONS},
            filler=[Line(**line) for line in raw["filler"]],
            mixed={
                _emotion_pair(pair): [Line(**line) for line in lines]
                for pair, lines in raw["mixed"].items()
            },
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"`{path}` is not a lexicon ({type(error).__name__}: {error}); "
            f"it needs the fields of `{DEFAULT_LEXICON.name}`."
        ) from error
    _refuse_repeated_lines(lexicon, path)
    return lexicon


def _ambiguous_line(raw: dict[str, str]) -> AmbiguousLine:
    return AmbiguousLine(raw["ko"], raw["literal"], {event: raw[event] for event in EVENTS})


def _emotion_pair(name: str) -> tuple[str, str]:
    pair = tuple(name.split(";"))
    if len(pair) != 2 or not set(pair) <= set(EMOTIONS):
        raise ValueError(f"`mixed` has the pair {name!r}; allowed are two of {EMOTIONS} with `;`.")
    return pair


def _refuse_repeated_lines(lexicon: Lexicon, path: Path) -> None:
    spoken = [line.ko for line in (*lexicon.plain_lines(), *lexicon.ambiguous)]
    repeated = sorted({line for line in spoken if spoken.count(line) > 1})
    if repeated:
        raise ValueError(
            f"`{path}` has {repeated[0]!r} more than once; the English of a line must be "
            "a function of the line: remove one."
        )
