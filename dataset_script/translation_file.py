"""English renderings of the transcripts, from a JSON Lines file: one line an utterance.

A line needs `id` and `text_en`, and a file that holds nothing else is as good as any. The command
`translate` writes more: whether a line is a translation at all (`status`, `reason`), other
renderings (`text_en_variants`), doubts (`flags`), and how and when it was made. What is there is
checked; keys that are not known are ignored. One file may serve several corpora: the prefix of an
id (`kemdy20/…`) says to which it belongs.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from .annotations import Annotation
from .report import BuildReport, CorpusError

NAMED = 3  # missing rows in an error
STATUSES = ("ok", "failed", "empty", "pending")
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")


@dataclass(frozen=True)
class Translation:
    """What one line says.

    Attributes:
        line: line of the file, from 1.
        status: one of `STATUSES`; `ok` if and only if there is a text.
        text_en: the English text, white space trimmed; "" where there is none.
        variants: other renderings, each once and none of them `text_en`.
        reason: why the translation failed; "" where nobody says.
        flags: doubts about the translation, by name.
        model: what translated; None where nobody says, as in a file made by hand.
        prompt_version: what it was asked.
        draft_model: what wrote the draft that it started from.
        context: utterances before and after that it had in view.
        targets: utterances translated in one request.
        date: when, as `YYYY-MM-DD`.
    """

    line: int
    status: str
    text_en: str
    variants: tuple[str, ...]
    reason: str
    flags: tuple[str, ...]
    model: str | None
    prompt_version: str | None
    draft_model: str | None
    context: tuple[int, int] | None
    targets: int | None
    date: str | None


@dataclass(frozen=True)
class TranslationFile:
    """The lines of one file that belong to one corpus.

    Attributes:
        name: name of the file.
        lines: what each line says, by row id.
    """

    name: str
    lines: dict[str, Translation] = field(default_factory=dict)

    def find_texts(self, row_id: str) -> tuple[str, list[str]]:
        """Return the English text of a row and its other renderings; "" and [] without any."""
        line = self.lines.get(row_id)
        return ("", []) if line is None else (line.text_en, list(line.variants))

    def explain_missing(self, row_id: str) -> str:
        """Say in a few words why a row has no English."""
        line = self.lines.get(row_id)
        if line is None:
            return "no usable line has its id"
        return {
            "failed": f"its translation failed: {line.reason or 'no reason is given'}",
            "pending": "it is not translated yet",
        }.get(line.status, "its line has no text")

    def refuse_missing(self, row_ids: Sequence[str]) -> None:
        """Refuse a file that lacks the English of a row.

        Args:
            row_ids: the rows that have Korean text.

        Raises:
            CorpusError: if any of them has none.
        """
        missing = [row_id for row_id in row_ids if not self.find_texts(row_id)[0]]
        if missing:
            first = (f"{row_id!r} ({self.explain_missing(row_id)})" for row_id in missing[:NAMED])
            raise CorpusError(
                f"`translations` {self.name!r} lacks the English of {len(missing):,} of "
                f"{len(row_ids):,} rows with Korean text, the first being {', '.join(first)}; "
                "translate them, or leave `require_translations` out."
            )

    def report_missing(self, annotation: Annotation, report: BuildReport) -> None:
        """Name a row with Korean text and no English, at its line here or in the annotation."""
        row_id = f"{report.config}/{annotation.segment_id}"
        line = self.lines.get(row_id)
        report.add_problem(
            "missing_translation" if line is None else f"{line.status}_translation",
            annotation.file if line is None else self.name,
            line=annotation.line if line is None else line.line,
            segment_id=annotation.segment_id,
            message=f"{row_id!r} has no English, {self.explain_missing(row_id)}; the row was kept",
        )

    def describe(self) -> dict[str, Any]:
        """Return where the texts come from.

        Returns:
            Numbers of lines by `statuses`, of failed ones by `reasons`; of translations, how many
            are `flagged`, have `variants` or are of `unknown_origin` (no model is named), and how
            many are of each of the `flags`, `models`, `prompt_versions` and `draft_models`; the
            pairs of `contexts` and the numbers of `targets` that occur; the first and last of the
            `dates`, [] if there are none.
        """
        lines = list(self.lines.values())
        made = [line for line in lines if line.text_en]
        dates = sorted({line.date for line in made} - {None})
        return {
            "statuses": _count(line.status for line in lines),
            "reasons": _count(line.reason or None for line in lines if line.status == "failed"),
            "flagged": sum(bool(line.flags) for line in made),
            "flags": _count(flag for line in made for flag in line.flags),
            "variants": sum(bool(line.variants) for line in made),
            "unknown_origin": sum(line.model is None for line in made),
            "models": _count(line.model for line in made),
            "prompt_versions": _count(line.prompt_version for line in made),
            "draft_models": _count(line.draft_model for line in made),
            "contexts": sorted(list(pair) for pair in {line.context for line in made} - {None}),
            "targets": sorted({line.targets for line in made} - {None}),
            "dates": dates[:1] + dates[-1:],
        }


def load_translations(
    path: str | Path, *, corpus: str, known: Collection[str], report: BuildReport
) -> TranslationFile:
    """Read the translations of one corpus.

    Args:
        path: the JSON Lines file, UTF-8.
        corpus: `kemdy19` or `kemdy20`; lines of other corpora are passed over.
        known: ids of the corpus's rows; a translation of anything else is a problem.
        report: takes a problem for each line that cannot be used or has Hangul in its English.

    Returns:
        The lines that can be used. Of several of one id the first that has a text stands.

    Raises:
        CorpusError: if there is no such file, or if it is not UTF-8.
    """
    file = TranslationFile(Path(path).name)
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        try:
            entry = _parse_object(line)
            row_id = _read_text(entry, "id", required=True)
            if not row_id.startswith(f"{corpus}/"):
                continue
            if row_id not in known:
                raise ValueError(f"the corpus has no usable row {row_id!r}")
            if file.find_texts(row_id)[0]:
                raise ValueError(f"{row_id!r} has a translation above, which stands")
            translation = _read_translation(entry, number)
        except ValueError as error:
            report.add_problem(
                "translation_line", file.name, line=number, message=f"{error}; the line was ignored"
            )
            continue
        file.lines[row_id] = translation
        if HANGUL.search("\n".join((translation.text_en, *translation.variants))):
            message = f"{row_id!r} has Hangul left in its English; the text was kept"
            report.add_problem("hangul_in_english", file.name, line=number, message=message)
    return file


def _read_lines(path: str | Path) -> list[str]:
    file = Path(path).expanduser()
    if not file.is_file():
        raise CorpusError(
            f"`translations` {str(path)!r} is not a file; give JSON Lines of "
            '{"id": "kemdy20/…", "text_en": "…"}.'
        )
    try:
        return file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"`translations` {str(path)!r} is not UTF-8 ({error.reason}); save it as UTF-8."
        ) from error


def _parse_object(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"the line is not JSON ({error.msg})") from error
    if not isinstance(entry, dict):
        raise ValueError("the line is JSON but no object")
    return entry


def _read_translation(entry: dict[str, Any], number: int) -> Translation:
    """Read one line of a known row.

    Raises:
        ValueError: if a key holds something else than it should.
    """
    status = _read_text(entry, "status")
    status = "ok" if status is None else status
    if status not in STATUSES:
        raise ValueError(f"'status' is {status!r}, not one of {', '.join(STATUSES)}")
    text = " ".join((_read_text(entry, "text_en", required=status == "ok") or "").split())
    status = "empty" if status == "ok" and not text else status
    text = text if status == "ok" else ""
    variants = [" ".join(variant.split()) for variant in _read_texts(entry, "text_en_variants")]
    before, after = (_read_count(entry, f"context_{side}") for side in ("before", "after"))
    return Translation(
        line=number,
        status=status,
        text_en=text,
        variants=tuple(v for v in dict.fromkeys(variants) if v != text) if text else (),
        reason=_read_text(entry, "reason") or "",
        flags=tuple(dict.fromkeys(_read_texts(entry, "flags"))),
        model=_read_text(entry, "model"),
        prompt_version=_read_text(entry, "prompt_version"),
        draft_model=_read_text(entry, "draft_model"),
        context=None if before is None or after is None else (before, after),
        targets=_read_count(entry, "targets_per_request"),
        date=_read_date(entry),
    )


def _read_text(entry: dict[str, Any], key: str, *, required: bool = False) -> str | None:
    value = entry.get(key)
    if not isinstance(value, str) and (required or value is not None):
        raise ValueError(f"the line has no text under {key!r}")
    return value


def _read_texts(entry: dict[str, Any], key: str) -> list[str]:
    """A list of texts, none of them blank; [] where the key is missing."""
    values = entry.get(key)
    if values is None:
        return []
    if not (
        isinstance(values, list)
        and all(isinstance(value, str) and value.strip() for value in values)
    ):
        raise ValueError(f"the line has no list of texts under {key!r}")
    return values


def _read_count(entry: dict[str, Any], key: str) -> int | None:
    value = entry.get(key)
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError(f"the line has no count under {key!r}")
    return value


def _read_date(entry: dict[str, Any]) -> str | None:
    text = _read_text(entry, "date")
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ValueError(f"'date' is {text!r}, not YYYY-MM-DD") from error


def _count(values: Iterable[str | None]) -> dict[str, int]:
    """Count each value but None, the commonest first."""
    return dict(Counter(value for value in values if value is not None).most_common())
