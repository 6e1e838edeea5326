"""The lines of a synthetic dialogue, in Korean and English, read from a JSON file.

First step of the sample corpus. `lexicon.json` beside this file is the default; another file of
the same form gives a corpus with other lines (the shipped encoders were trained on one).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..layout import EMOTIONS, TRANSCRIPT_ENCODING_KEMDY20

EVENTS = ("good", "offence", "loss", "nothing")
"""What a stretch of dialogue is about; its first turn (the cue) states it."""

MIXED_PAIRS = (
    ("neutral", "happy"),
    ("neutral", "sad"),
    ("neutral", "angry"),
    ("surprise", "happy"),
    ("fear", "sad"),
)
"""What reserved and expressive raters hear in a mixed line; a lexicon joins the two with `;`."""

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
        mixed: lines between two emotions, by pair of `MIXED_PAIRS`.
    """

    cues: dict[str, list[Line]]
    ambiguous: list[AmbiguousLine]
    emotions: dict[str, list[Line]]
    filler: list[Line]
    mixed: dict[tuple[str, str], list[Line]]

    def plain_lines(self) -> list[Line]:
        """Return every line whose English does not depend on the dialogue."""
        groups = [*self.cues.values(), *self.emotions.values(), self.filler, *self.mixed.values()]
        return [line for group in groups for line in group]


def load_lexicon(path: str | Path = DEFAULT_LEXICON) -> Lexicon:
    """Read a lexicon.

    Args:
        path: a JSON file of the form of `lexicon.json` beside this module.

    Returns:
        The lexicon.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not such a lexicon: an event, an emotion or a pair is missing,
            unknown or without a line; a line lacks a field, does not fit a transcript or occurs
            twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`lexicon` {str(path)!r} is not a file; give a JSON file of lines."
        )
    try:
        lexicon = _read_lexicon(json.loads(path.read_text(encoding="utf-8")))
        _refuse_unusable_lines(lexicon)
    except ValueError as error:  # of JSON and of text that is not UTF-8 too
        raise ValueError(
            f"`{path}` is not a lexicon: {error}; `{DEFAULT_LEXICON.name}` shows the form."
        ) from error
    return lexicon


def _read_lexicon(raw: object) -> Lexicon:
    pairs = {";".join(pair): pair for pair in MIXED_PAIRS}
    fields = _read_object(
        raw, ("cues", "ambiguous", "emotions", "filler", "mixed"), where="the file"
    )
    mixed = _read_groups(fields["mixed"], tuple(pairs), where="`mixed`")
    senses = _read_lines(fields["ambiguous"], ("ko", "literal", *EVENTS), where="`ambiguous`")
    return Lexicon(
        cues=_read_groups(fields["cues"], EVENTS, where="`cues`"),
        ambiguous=[
            AmbiguousLine(line["ko"], line["literal"], {event: line[event] for event in EVENTS})
            for line in senses
        ],
        emotions=_read_groups(fields["emotions"], EMOTIONS, where="`emotions`"),
        filler=_read_plain_lines(fields["filler"], where="`filler`"),
        mixed={pair: mixed[name] for name, pair in pairs.items()},
    )


def _read_groups(raw: object, names: Sequence[str], *, where: str) -> dict[str, list[Line]]:
    groups = _read_object(raw, names, where=where)
    return {name: _read_plain_lines(groups[name], where=f"{where}, {name!r}") for name in names}


def _read_plain_lines(raw: object, *, where: str) -> list[Line]:
    return [Line(**line) for line in _read_lines(raw, ("ko", "en"), where=where)]


def _read_lines(raw: object, fields: Sequence[str], *, where: str) -> list[dict[str, str]]:
    """Check a list of lines: at least one, each of one-line texts in exactly these fields."""
    if not isinstance(raw, list) or not raw:
        raise ValueError(f"{where} is {raw!r} where a list of at least one line is needed")
    lines = [_read_object(line, fields, where=f"a line of {where}") for line in raw]
    for line in lines:
        for field, text in line.items():
            if not isinstance(text, str) or not text.strip() or len(text.splitlines()) > 1:
                raise ValueError(f"{field!r} in {where} is {text!r} where one line is needed")
    return lines


def _read_object(raw: object, fields: Sequence[str], *, where: str) -> dict:
    if not isinstance(raw, dict) or set(raw) != set(fields):
        found = sorted(raw) if isinstance(raw, dict) else raw
        raise ValueError(f"{where} has {found!r} where the fields {sorted(fields)} are needed")
    return raw


def _refuse_unusable_lines(lexicon: Lexicon) -> None:
    spoken = Counter(line.ko for line in (*lexicon.plain_lines(), *lexicon.ambiguous))
    for line, count in spoken.items():
        if count > 1:
            raise ValueError(
                f"{line!r} occurs {count} times, and the English of a line must be a function of "
                "the line"
            )
        try:
            line.encode(TRANSCRIPT_ENCODING_KEMDY20)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{line!r} does not fit the transcripts, which are {TRANSCRIPT_ENCODING_KEMDY20}"
            ) from error
