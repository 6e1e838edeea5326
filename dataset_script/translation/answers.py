"""Whether an answer is a translation of what was asked, line by line.

An answer is believed where every id that was asked for comes back exactly once and no other does;
a translation is believed where it is English, not empty and about as long as its source. Whatever
fails has a reason, and nothing is ever moved to the place of its neighbour: if the ids do not
agree, none of the answer is used.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .jobs import Job, Request
from .options import TranslationOptions
from .prompts import PROMPTS

HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff\uffa0-\uffdc]")
REPEATED = re.compile(r"(.)\1+")

# Letters of English for one of Korean. Sentences have two to three; beyond these limits something
# was left out, made up, or obeyed in place of translated.
SHORTEST, LONGEST = 0.5, 8.0
FREE_LETTERS = 40  # that a short line may have beyond that: "네." is a sentence in English
LEAST_LETTERS = 10  # a shorter source is never found to be translated too briefly

ANSWERED = re.compile(
    r"\b(as an ai|language model|cannot assist|can't assist|can't help with that)\b", re.IGNORECASE
)
ADDRESSED = re.compile(
    "지시|명령|무시하고|무시해|프롬프트|번역하지|출력해|인공지능|시스템|JSON", re.IGNORECASE
)


@dataclass(frozen=True)
class Settled:
    """What came of one job.

    Attributes:
        job: the job.
        texts: the translation, or the variants; empty if there is none.
        fault: why there is none; None if there is.
    """

    job: Job
    texts: tuple[str, ...]
    fault: str | None


def settle(request: Request, content: str, options: TranslationOptions) -> list[Settled]:
    """Take from an answer what can be believed.

    Args:
        request: what was asked.
        content: text of the answer.
        options: how many variants were asked for.

    Returns:
        One entry a job, in the order of the request.
    """
    try:
        given = _read_entries(request, content)
    except ValueError as error:
        return refuse(request, str(error))
    settled = []
    for job in request.jobs:
        try:
            texts = _read_texts(job, given[job.utterance.id], options)
            settled.append(Settled(job, texts, None))
        except ValueError as error:
            settled.append(Settled(job, (), str(error)))
    return settled


def refuse(request: Request, fault: str) -> list[Settled]:
    """Settle all jobs of a request with one fault.

    Args:
        request: what was asked.
        fault: kind of fault, a colon, and what it was.
    """
    fault = fault.encode("utf-8", "replace").decode()  # a server may quote half a character
    return [Settled(job, (), fault) for job in request.jobs]


def find_flags(text_ko: str, text_en: str) -> list[str]:
    """Say what a person should look at although the translation stands.

    Args:
        text_ko: the source.
        text_en: its translation.

    Returns:
        `instruction_like` if the source reads as if it spoke to a machine, `length` if the
        translation is unusually short or long, though not impossibly.
    """
    flags = ["instruction_like"] if ADDRESSED.search(text_ko) else []
    ratio = len(text_en) / max(1, len(text_ko))
    if len(text_ko) >= LEAST_LETTERS and not 2 * SHORTEST <= ratio <= LONGEST / 2:
        flags.append("length")
    return flags


def _read_entries(request: Request, content: str) -> dict[str, Any]:
    """What the answer has for each id; the ids are those of the request, each once."""
    prompt = PROMPTS[request.step]
    try:
        answer = json.loads(content)
        entries = answer[prompt.items]
        given = [(entry["id"], entry[prompt.field]) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"form: the answer is not the JSON that was asked for ({error})"
        ) from error
    asked = [job.utterance.id for job in request.jobs]
    counts = Counter(str(row_id) for row_id, _ in given)
    for kind, found in (
        ("invented_id", sorted(counts.keys() - set(asked))),
        ("repeated_id", [row_id for row_id, count in counts.items() if count > 1]),
        ("missing_id", [row_id for row_id in asked if row_id not in counts]),
    ):
        if found:
            raise ValueError(f"{kind}: {len(found)} of {len(asked)}, the first is {found[0]!r}")
    return dict(given)


def _read_texts(job: Job, given: Any, options: TranslationOptions) -> tuple[str, ...]:
    """Translation or variants of one job."""
    if job.step != "vary":
        return (_read_text(job.utterance.text_ko, given),)
    if not isinstance(given, list):
        raise ValueError("form: the variants are no list")
    texts = [_read_text(job.utterance.text_ko, text) for text in given]
    different = {_plain(text) for text in [*texts, job.given["text_en"]]}
    if len(texts) != options.variants or len(different) != len(texts) + 1:
        raise ValueError(
            f"variants: {len(texts)} came, {len(different) - 1} of them new, in place of "
            f"{options.variants}"
        )
    return tuple(texts)


def _read_text(source: str, given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f"form: the translation is {type(given).__name__}, no text")
    text = " ".join(given.split())
    _check_letters(source, text)
    if ANSWERED.search(text):
        raise ValueError("answered: the model seems to speak for itself in place of translating")
    length = len(REPEATED.sub(r"\1", source))  # a drawn-out cry is no longer in English
    if length >= LEAST_LETTERS and len(text) < SHORTEST * length:
        raise ValueError(f"short: {len(text)} letters for {len(source)} of the source")
    if len(text) > LONGEST * len(source) + FREE_LETTERS:
        raise ValueError(f"long: {len(text)} letters for {len(source)} of the source")
    return text


def _check_letters(source: str, text: str) -> None:
    """Refuse what is not written in Latin letters, or says nothing where the source does."""
    if HANGUL.search(text):
        raise ValueError("hangul: Korean letters are left")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("form: half a character is in the translation")
    if not _plain(text) and (_plain(source) or not text):
        raise ValueError("empty: the translation says nothing")
    foreign = [letter for letter in text if letter.isalpha() and not _is_latin(letter)]
    if foreign:
        raise ValueError(f"letters: {foreign[0]!r} is no Latin letter")


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
