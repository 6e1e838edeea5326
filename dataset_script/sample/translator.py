"""The sample corpus's English: literal, and with the dialogue around each line.

Both renderings are functions of what is said, never of what is felt: a reader who holds the lexicon
and the transcript can make them again. The contextual one resolves an ambiguous line by the nearest
line before it that states an event, a few turns back at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .lexicon import Lexicon


@dataclass(frozen=True)
class Rendering:
    """English of one line: word by word, and as the dialogue means it."""

    literal: str
    contextual: str


def translate_dialogue(
    lexicon: Lexicon, lines: Sequence[str], *, cue_window: int
) -> list[Rendering]:
    """Render one dialogue.

    Args:
        lexicon: the lexicon that the lines are from.
        lines: the dialogue's Korean lines in turn order.
        cue_window: how many turns back a line that states an event is looked for.

    Returns:
        one rendering a line.

    Raises:
        ValueError: if a line is not in the lexicon.
    """
    plain = {line.ko: line.en for line in lexicon.plain_lines()}
    ambiguous = {line.ko: line for line in lexicon.ambiguous}
    events = {line.ko: event for event, cues in lexicon.cues.items() for line in cues}
    renderings = []
    for turn, line in enumerate(lines):
        if line in plain:
            renderings.append(Rendering(plain[line], plain[line]))
        elif line in ambiguous:
            before = reversed(lines[max(0, turn - cue_window) : turn])
            event = next((events[cue] for cue in before if cue in events), None)
            literal = ambiguous[line].literal
            contextual = literal if event is None else ambiguous[line].senses[event]
            renderings.append(Rendering(literal, contextual))
        else:
            raise ValueError(
                f"`lines[{turn}]` is {line!r}, which is not in the lexicon; "
                "use the lexicon that the dialogue was written with."
            )
    return renderings
