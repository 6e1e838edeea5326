"""How answers are written: JSON, one object a line; CSV; or a table for people.

Last step of `python -m kemer.predict`. Each answer is written when it is there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any, TextIO

FORMATS = ("json", "csv", "table")
WIDTHS = {"file": 32, "start": 8, "end": 8, "emotions": 24, "valence": 8, "arousal": 8}


class AnswerWriter:
    """Writes answers in one of the formats.

    Args:
        stream: where they go.
        style: one of `FORMATS`.
        emotions: names of the model's labels.
    """

    def __init__(self, stream: TextIO, style: str, emotions: Sequence[str]) -> None:
        self.stream, self.style, self.emotions = stream, style, list(emotions)
        if style == "csv":
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow([*WIDTHS, *(f"p_{name}" for name in self.emotions)])
        elif style == "table":
            stream.write("".join(_cell(name, name) for name in WIDTHS).rstrip() + "\n")

    def write(self, answer: dict[str, Any]) -> None:
        """Write one utterance's answer.

        Args:
            answer: `file`, `start` and `end` in seconds, and what `post_process` gives.
        """
        if self.style == "json":
            self.stream.write(json.dumps(answer, ensure_ascii=False) + "\n")
        elif self.style == "csv":
            cells = {**answer, "emotions": ";".join(answer["emotions"])}
            chances = [answer["probabilities"][name] for name in self.emotions]
            self._csv.writerow([*(cells[name] for name in WIDTHS), *chances])
        else:
            cells = {**answer, "emotions": ", ".join(answer["emotions"])}
            self.stream.write("".join(_cell(n, cells[n]) for n in WIDTHS).rstrip() + "\n")
        self.stream.flush()


def _cell(name: str, value: Any) -> str:
    """Return a cell of the table; of a long file name its end is shown."""
    width = WIDTHS[name]
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    if len(text) >= width:
        text = "…" + text[len(text) - width + 2 :]
    return text.ljust(width)
