"""The file that `build` takes: a line an utterance, written from the store, whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..replacement import replace_file
from .answers import find_flags
from .chain import Chain, Standing
from .dialogues import Dialogue, Utterance
from .options import TranslationOptions
from .prompts import prompt_version
from .store import Result

STATUSES = ("ok", "failed", "pending", "empty")


def write_translations(
    path: str | Path, dialogues: Iterable[Dialogue], chain: Chain, options: TranslationOptions
) -> Counter[str]:
    """Write what the store has of every utterance.

    Args:
        path: the file, JSON Lines; replaced when all of it is written.
        dialogues: the dialogues, in the order of the lines.
        chain: looks them up.
        options: with which they were translated.

    Returns:
        Number of lines by status: `ok`, `failed` (with a `reason`), `pending` (not asked yet) and
        `empty` (nothing was said that is known).
    """
    counts: Counter[str] = Counter()
    with replace_file(Path(path).expanduser()) as file:
        for dialogue in dialogues:
            for line in make_lines(chain.look_up(dialogue), options):
                counts[line["status"]] += 1
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return counts


def make_lines(standing: Standing, options: TranslationOptions) -> Iterator[dict[str, Any]]:
    """Describe what there is of each utterance of a dialogue, spoken or not.

    Args:
        standing: what the store has of it.
        options: with which it was translated.

    Yields:
        The lines of the file, as objects.
    """
    places = {turn.id: place for place, turn in enumerate(standing.dialogue.spoken)}
    about = _describe_run(options)
    for utterance in standing.dialogue.utterances:
        if utterance.id not in places:
            yield {"id": utterance.id, "text_en": "", "status": "empty"}
        else:
            yield {**_make_line(utterance, places[utterance.id], standing, options), **about}


def _make_line(
    utterance: Utterance, place: int, standing: Standing, options: TranslationOptions
) -> dict[str, Any]:
    line: dict[str, Any] = {"id": utterance.id, "text_en": ""}
    draft = standing.results["draft"][place] if "draft" in standing.results else None
    if draft is not None and draft.is_good:
        line["draft"] = draft.texts[0]
    result = standing.translation(options)[place]
    if result is None:
        return {**line, "status": "pending"}
    if not result.is_good:
        return {**line, "status": "failed", "reason": result.fault, "date": result.time[:10]}
    line["text_en"] = result.texts[0]
    flags = find_flags(utterance.text_ko, line["text_en"])
    flags += ["no_draft"] * ("draft" in standing.results and "draft" not in line)
    if "vary" in options.steps:
        flags += _add_variants(line, standing.results["vary"][place])
    return {**line, "status": "ok", "flags": flags, "date": result.time[:10]}


def _add_variants(line: dict[str, Any], varied: Result | None) -> list[str]:
    """Put the variants into a line; the flag of those that are missing."""
    line["text_en_variants"] = list(varied.texts) if varied is not None else []
    return [] if line["text_en_variants"] else ["no_variants"]


def _describe_run(options: TranslationOptions) -> dict[str, Any]:
    """What the card of the data set tells of how a line came about."""
    return {
        "model": options.model,
        "prompt_version": prompt_version(options.steps),
        "draft_model": options.draft,
        "context_before": options.context.before,
        "context_after": options.context.after,
        "targets_per_request": options.context.targets,
    }
