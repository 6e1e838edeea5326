"""Transcripts: which encoding a corpus uses, and what is left of a line without its markers.

A transcript is one line beside its wav. KEMDy20 writes CP949, other corpora and later versions may
write UTF-8; the corpus decides as a whole, because single files often decode under both.
Transcribers marked what they heard with a letter and a slash (`b/` breath, `l/` laughter, `n/`
noise …). Laughter alone gives a happy turn away, and no speech recogniser writes such marks, so
they are stripped unless asked for.

KEMDy19 brackets what was said at the same time: `(X)` is the other speaker's, of `(X+Y)` only Y is
the speaker's own. What is the other's goes with the marks: it would give this turn two speakers.
"""

import re
from collections.abc import Collection

# UTF-8 first: Korean in CP949 hardly ever decodes as UTF-8, the reverse happens in one file of 80.
ENCODINGS = ("utf-8-sig", "cp949")

# A single letter before a slash, or the mistyped "/n"; never a letter inside a word.
MARKER = re.compile(r"(?<![A-Za-z])[A-Za-z]/|/n(?![A-Za-z])")

# Innermost brackets; a plus sign outside of brackets is text.
OVERLAP = re.compile(r"\(([^()+]*\+)?([^()]*)\)")
LONELY_BRACKET = re.compile(r"[()]")


def decide_encoding(contents: Collection[bytes], *, default: str) -> str:
    """Choose the one encoding of a corpus by majority.

    Args:
        contents: raw bytes of the transcripts; those in plain ASCII have no say.
        default: encoding to take where there is nothing to decide by.

    Returns:
        The member of `ENCODINGS` under which most transcripts decode, the first of them if they
        tie, or `default` if every transcript is ASCII.

    Example:
        >>> decide_encoding(["웃겨".encode("cp949"), b"b/"], default="utf-8-sig")
        'cp949'
    """
    telling = [content for content in contents if not content.isascii()]
    if not telling:
        return default
    decodable = {
        encoding: sum(_decodes(content, encoding) for content in telling) for encoding in ENCODINGS
    }
    return max(ENCODINGS, key=lambda encoding: decodable[encoding])


def decode_transcript(content: bytes, *, encoding: str) -> tuple[str | None, str | None]:
    """Decode one transcript in the encoding of its corpus, or in the other one if that fails.

    Args:
        content: raw bytes of the file.
        encoding: what `decide_encoding` chose for the corpus.

    Returns:
        The text without white space at its ends, and the encoding that worked; two None if neither
        encoding does.
    """
    for candidate in (encoding, *(other for other in ENCODINGS if other != encoding)):
        if _decodes(content, candidate):
            return content.decode(candidate).strip(), candidate
    return None, None


def clean_transcript(raw: str, *, keep_markers: bool = False) -> str:
    """Reduce a transcript to what was said.

    Args:
        raw: the transcript as the file has it.
        keep_markers: leave markers such as `l/` and overlaps in, and only collapse white space.

    Returns:
        One line with single spaces; "" if the transcript held nothing but markers.

    Example:
        >>> clean_transcript("b/ 아 l/ 진짜  웃겨.")
        '아 진짜 웃겨.'
        >>> clean_transcript("(응) 그건 (뭐+아니야).")
        '그건 아니야.'
        >>> clean_transcript("l/ 진짜", keep_markers=True)
        'l/ 진짜'
    """
    text = raw if keep_markers else _drop_overlaps(MARKER.sub(" ", raw))
    return " ".join(text.split())


def _drop_overlaps(text: str) -> str:
    """Leave of each bracket what the speaker said; a bracket without its partner is no text."""
    while (shorter := OVERLAP.sub(_keep_own_words, text)) != text:
        text = shorter
    return LONELY_BRACKET.sub(" ", text)


def _keep_own_words(bracket: re.Match[str]) -> str:
    return bracket[2].replace("+", " ") if bracket[1] is not None else " "


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
