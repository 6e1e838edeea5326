"""English renderings of the transcripts, from a JSON Lines file of `{"id", "text_en"}`.

Other keys of a line are ignored, so that the file of a translation program can be given as it is.
One file may serve several corpora: the prefix of an id (`kemdy20/…`) says to which it belongs.
"""

import json
from collections.abc import Collection
from pathlib import Path

from .report import BuildReport, CorpusError


def load_translations(
    path: str | Path, *, corpus: str, known: Collection[str], report: BuildReport
) -> dict[str, str]:
    """Read the translations of one corpus.

    Args:
        path: the JSON Lines file, UTF-8.
        corpus: `kemdy19` or `kemdy20`; lines of other corpora are passed over.
        known: ids of the corpus's rows; a translation of anything else is a problem.
        report: takes a problem for each line that cannot be used.

    Returns:
        The English text, white space trimmed, by row id.

    Raises:
        CorpusError: if there is no such file, or if it is not UTF-8.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise CorpusError(
            f"`translations` {str(path)!r} is not a file; give JSON Lines of "
            '{"id": "kemdy20/…", "text_en": "…"}.'
        )
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise CorpusError(f"`translations` {str(path)!r} is not UTF-8 ({error.reason}).") from error
    translations: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row_id, text = _read_line(line)
            if not row_id.startswith(f"{corpus}/"):
                continue
            if row_id not in known:
                raise ValueError(f"the corpus has no usable row {row_id!r}")
            if row_id in translations:
                raise ValueError(f"{row_id!r} has a translation above, which stands")
        except ValueError as error:
            report.add_problem(
                "translation_line", file.name, line=number, message=f"{error}; the line was ignored"
            )
            continue
        translations[row_id] = text
    return translations


def _read_line(line: str) -> tuple[str, str]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"the line is not JSON ({error.msg})") from error
    if not isinstance(entry, dict):
        raise ValueError("the line is JSON but no object")
    for key in ("id", "text_en"):
        if not isinstance(entry.get(key), str):
            raise ValueError(f"the line has no text under {key!r}")
    return entry["id"], " ".join(entry["text_en"].split())
