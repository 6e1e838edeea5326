"""What to distrust in a translation: `FILE.report.html` to read, `FILE.report.json` to count on.

Made from the finished file, read line by line beside the dialogues, and from what the store says
was paid; the page itself is `page.py`. The JSON has numbers and ids, and no word that anyone said.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..replacement import replace_file
from .audit import Audit, rank
from .dialogues import Dialogue, Utterance
from .options import ContextOptions, ReportOptions, TranslationOptions
from .output import STATUSES
from .page import Block, Row, render_page
from .prompts import prompt_version
from .store import Store

MOST_MARKED = 5000  # marked and flagged lines on the page; a browser has to bear it
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
BIN, BINS = 0.5, 16  # width and number of the histogram's bins; the last one takes all above

Dialogues = Callable[[], Iterable[Dialogue]]


@dataclass
class Measured:
    """What the lines of the file add up to.

    Attributes:
        statuses: lines by status.
        reasons: marked lines by the kind of their reason, what stands before the colon.
        flags: translated lines by flag; a line may have several.
        looked_at: lines that are marked or flagged.
        ratios: letters of English for one of Korean, of each translated line.
        lengths: lines of each dialogue, by name.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0
    ratios: array = field(default_factory=lambda: array("d"))
    lengths: dict[str, int] = field(default_factory=dict)

    def add(self, dialogue: Dialogue, lines: list[dict[str, Any]]) -> None:
        """Count the lines of a dialogue."""
        self.lengths[dialogue.name] = len(lines)
        for utterance, line in zip(dialogue.utterances, lines, strict=True):
            self.statuses[line["status"]] += 1
            self.looked_at += is_to_be_looked_at(line)
            if line["status"] == "failed":
                self.reasons[kind_of(line["reason"])] += 1
            elif line["status"] == "ok":
                self.flags.update(line["flags"])
                self.ratios.append(len(line["text_en"]) / len(utterance.text_ko))


def write_report(
    output: str | Path,
    dialogues: Dialogues,
    store: Store,
    options: TranslationOptions,
    report: ReportOptions,
    *,
    title: str,
    synthetic: bool,
    audit: Audit | None = None,
) -> tuple[Path, Path]:
    """Write both forms of the report, each whole or not at all.

    Args:
        output: the finished file of translations.
        dialogues: gives the dialogues of which it is, each time anew.
        store: what was answered and paid.
        options: of the run.
        report: how much to show.
        title: name of the corpus.
        synthetic: whether nobody said any of it.
        audit: what came of the sample without context; None if there is none.

    Returns:
        The page and the JSON file.

    Raises:
        ValueError: if the file is not of these dialogues.
    """
    path = Path(output).expanduser()
    measured = Measured()
    for dialogue, lines in read_lines(path, dialogues()):
        measured.add(dialogue, lines)
    shown = choose_dialogues(measured.lengths, report)
    summary = {
        "synthetic": synthetic,
        "corpus": title,
        "translations": path.name,
        **_describe_run(options),
        **_describe_lines(measured),
        "store": sum_answers(store),
        "audit": None if audit is None else _describe_audit(audit),
        "sample": {"seed": report.seed, "dialogues": sorted(shown)},
    }
    stem = path.name.removesuffix(".jsonl")
    page, numbers = (path.with_name(f"{stem}.report.{form}") for form in ("html", "json"))
    with replace_file(numbers) as file:
        json.dump(summary, file, ensure_ascii=False, indent=1)
        file.write("\n")
    with replace_file(page) as file:
        pieces = render_page(
            summary,
            marked=_find_marked(path, dialogues()),
            most_marked=MOST_MARKED,
            sampled=_take(path, dialogues(), shown),
            pairs=() if audit is None else audit.pairs,
        )
        file.writelines(pieces)
    return page, numbers


def read_lines(
    path: Path, dialogues: Iterable[Dialogue]
) -> Iterator[tuple[Dialogue, list[dict[str, Any]]]]:
    """Read the lines of a file dialogue by dialogue.

    Args:
        path: the file that `output.write_translations` wrote.
        dialogues: those of which it is, in its order.

    Yields:
        Each dialogue and its lines, one an utterance.

    Raises:
        ValueError: if the file is not of these dialogues.
    """
    with open(path, encoding="utf-8") as file:
        for dialogue in dialogues:
            lines = [json.loads(file.readline() or "{}") for _ in dialogue.utterances]
            for utterance, line in zip(dialogue.utterances, lines, strict=True):
                if line.get("id") != utterance.id:
                    raise ValueError(
                        f"{path.name!r} has {line.get('id')!r} where the corpus has "
                        f"{utterance.id!r}; write it again from this corpus."
                    )
            yield dialogue, lines
        if file.readline():
            raise ValueError(
                f"{path.name!r} has more lines than the corpus; write it again from this corpus."
            )


def is_to_be_looked_at(line: dict[str, Any]) -> bool:
    """Whether a person should look at a line: it is marked or flagged."""
    return line["status"] == "failed" or bool(line.get("flags"))


def kind_of(reason: str) -> str:
    """Return the kind of a reason.

    Example:
        >>> kind_of("hangul: Korean letters are left"), kind_of("draft: empty: nothing")
        ('hangul', 'draft: empty')
    """
    kind, _, rest = reason.partition(":")
    return f"{kind}: {kind_of(rest.strip())}" if kind == "draft" else kind


def choose_dialogues(lengths: dict[str, int], report: ReportOptions) -> set[str]:
    """Draw dialogues for as long as their lines fit.

    Args:
        lengths: lines of each dialogue, by name.
        report: number of lines and seed.

    Returns:
        Names of the dialogues.
    """
    chosen: set[str] = set()
    left = report.lines
    for name in sorted(lengths, key=lambda name: rank(report.seed, name)):
        if lengths[name] <= left:
            chosen.add(name)
            left -= lengths[name]
    return chosen


def describe_context(context: ContextOptions) -> str:
    """Say in words what was seen with an utterance, and whether that was said later."""
    width = f"{context.before} utterance(s) before and {context.after} after."
    if context.after == 0:
        return f"{width} Causal: nothing that is said later was seen."
    later = context.after + context.targets - 1
    others = "" if context.targets == 1 else f", others of the {context.targets} that share it"
    return (
        f"{width} It sees the future: a request shows up to {later} later turn(s) of an utterance "
        f"(its context{others}). Not what a system would know that follows a dialogue as it is "
        "spoken; the causal form (--context-after 0) is."
    )


def sum_answers(store: Store) -> dict[str, Any]:
    """Add up what all answers of the store had and cost, whichever run asked."""
    total = {"answers": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}
    for paid in store.answers():
        total["answers"] += 1
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens"):
            total[name] += getattr(paid, name)
    return {**total, "cost": store.total_cost()}


def _describe_run(options: TranslationOptions) -> dict[str, Any]:
    context = options.context
    return {
        "model": options.model,
        "prompt_version": prompt_version(options.steps),
        "draft": options.draft,
        "temperature": options.temperature,
        "context": {
            "before": context.before,
            "after": context.after,
            "targets_per_request": context.targets,
            "sees_the_future": context.after > 0,
            "in_words": describe_context(context),
        },
    }


def _describe_lines(measured: Measured) -> dict[str, Any]:
    ratios = np.array(measured.ratios)
    edges = [*(BIN * n for n in range(BINS)), np.inf]
    counts = np.histogram(ratios, bins=edges)[0].tolist()
    marks = np.quantile(ratios, QUANTILES).tolist() if len(ratios) else []
    return {
        "lines": measured.statuses.total(),
        "statuses": {status: measured.statuses[status] for status in STATUSES},
        "reasons": dict(measured.reasons.most_common()),
        "flags": dict(measured.flags.most_common()),
        "marked_or_flagged": measured.looked_at,
        "length_ratio": {
            "of": "letters of English for one of Korean, in each translated line",
            "quantiles": dict(zip(map(str, QUANTILES), marks, strict=False)),
            "bins": [
                {"from": edge, "lines": count}
                for edge, count in zip(edges[:-1], counts, strict=True)
            ],
        },
    }


def _describe_audit(audit: Audit) -> dict[str, Any]:
    numbers = {"share_changed": audit.share, "mean_similarity": audit.similarity}
    return {
        "pairs": len(audit.pairs),
        "unanswered": audit.unanswered,
        "changed": audit.changed,
        # JSON has no NaN, which is what a share of nothing is.
        **{name: value if audit.pairs else None for name, value in numbers.items()},
        "interval": list(audit.interval),
    }


def _find_marked(path: Path, dialogues: Iterable[Dialogue]) -> Iterator[Block]:
    """Lines to be looked at, up to `MOST_MARKED`, each with the turn before and after it."""
    left = MOST_MARKED
    for dialogue, lines in read_lines(path, dialogues):
        places = [n for n, line in enumerate(lines) if is_to_be_looked_at(line)][:left]
        if places:
            yield Block(dialogue.name, _show_around(dialogue.utterances, lines, places))
        left -= len(places)
        if left == 0:
            return


def _show_around(
    turns: tuple[Utterance, ...], lines: list[dict[str, Any]], places: list[int]
) -> list[Row]:
    """Rows of some turns, each with its neighbours, in turn order and once."""
    seen = sorted({n for p in places for n in (p - 1, p, p + 1) if 0 <= n < len(turns)})
    rows = []
    for last, n in zip([None, *seen], seen, strict=False):
        is_gap = last is not None and last + 1 != n
        rows.append(Row(turns[n], lines[n], is_context=n not in places, follows_gap=is_gap))
    return rows


def _take(path: Path, dialogues: Iterable[Dialogue], names: set[str]) -> Iterator[Block]:
    """Whole dialogues, by name."""
    for dialogue, lines in read_lines(path, dialogues):
        if dialogue.name in names:
            yield Block(dialogue.name, list(map(Row, dialogue.utterances, lines)))
