"""The report on a translation as one HTML page, written piece by piece.

Everything that a corpus or a model said is data: escaped, and no script but the page's own runs
(its hash is in the page's security policy). Nothing is loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from .answers import LEAST_LETTERS, LONGEST, SHORTEST
from .audit import Pair
from .dialogues import Utterance

FOLDER = Path(__file__).parent
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")

# The histogram, in units of its own.
COLUMN, HEIGHT, FOOT, HEAD = 36, 120, 18, 16


@dataclass(frozen=True)
class Row:
    """A turn on the page.

    Attributes:
        utterance: the turn.
        line: what the file has of it.
        is_context: whether it stands there only for its neighbour.
        follows_gap: whether turns are left out before it.
    """

    utterance: Utterance
    line: dict[str, Any]
    is_context: bool = False
    follows_gap: bool = False


@dataclass(frozen=True)
class Block:
    """Turns of one dialogue, in their order.

    Attributes:
        name: of the dialogue.
        rows: the turns.
    """

    name: str
    rows: list[Row]


@dataclass(frozen=True)
class Column:
    """A column of the histogram: its place and height, and what stands above and below it."""

    x: int
    height: float
    lines: int
    label: str
    is_unusual: bool


def render_page(
    summary: dict[str, Any],
    *,
    marked: Iterable[Block],
    most_marked: int,
    sampled: Iterable[Block],
    pairs: Sequence[Pair],
) -> Iterator[str]:
    """Write the page.

    Args:
        summary: the numbers, as `quality.py` puts them into the JSON file.
        marked: lines to be looked at, with their neighbours.
        most_marked: how many of them are shown at most.
        sampled: whole dialogues.
        pairs: translations with and without context.

    Yields:
        The page, piece by piece; blocks are taken one at a time.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_make_visible,
    )
    environment.filters["share"] = format_share
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    yield from environment.get_template("page.html").generate(
        summary=summary,
        script=script,
        script_hash=digest,
        columns=draw_histogram(summary["length_ratio"]["bins"]),
        frame={"column": COLUMN, "height": HEIGHT, "foot": FOOT, "head": HEAD},
        usual=(2 * SHORTEST, LONGEST / 2),
        least_letters=LEAST_LETTERS,
        marked=marked,
        most_marked=most_marked,
        sampled=sampled,
        pairs=pairs,
    )


def format_share(count: int, total: int) -> str:
    """Write a share in percent.

    Example:
        >>> format_share(1, 8), format_share(0, 0)
        ('12.5 %', '–')
    """
    return f"{100 * count / total:.1f} %" if total else "–"


def draw_histogram(bins: Sequence[dict[str, Any]]) -> list[Column]:
    """Give every bin its column.

    Args:
        bins: `from`, the lower edge, and `lines`, the count; the last bin takes all above.
    """
    most = max(1, *(one["lines"] for one in bins))
    last = len(bins) - 1
    return [
        Column(
            x=place * COLUMN,
            height=round(HEIGHT * one["lines"] / most, 1),
            lines=one["lines"],
            label=f"{one['from']:g}{'+' * (place == last)}",
            is_unusual=not 2 * SHORTEST <= one["from"] < LONGEST / 2,
        )
        for place, one in enumerate(bins)
    ]


def _make_visible(value: Any) -> Any:
    """Put a sign in the place of what HTML cannot hold."""
    return CONTROL.sub("\ufffd", value) if type(value) is str else value
