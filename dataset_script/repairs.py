"""Rules that give a segment of KEMDy19 the file that can only be its own.

The delivered corpus has a row whose recording has another name, and a transcript that is named one
number off. Which ones they are differs from version to version, so they are found by rule, and
only where the rule leaves a single answer; otherwise nothing is guessed.
"""

import re
from collections.abc import Collection, Sequence

from .layout import LAYOUTS
from .pairs import SegmentPair

SEGMENT_ID = LAYOUTS["kemdy19"].segment_id


def find_unused_wav(
    pairs: Sequence[SegmentPair], wavs: Collection[str], *, transcripts: Collection[str] = ()
) -> tuple[SegmentPair, str] | None:
    """Find the wav of the one segment of a dialogue that seems to have none.

    The rule: the dialogue has as many rows as wavs, exactly one row has no wav, exactly one wav has
    no row, one of the session's two files names the row after the gender that the wav is named
    after, and no transcript has the row's own name: else it is its wav that is lost.

    Args:
        pairs: all rows of one dialogue.
        wavs: stems of all wavs of this dialogue.
        transcripts: stems of all transcripts of this dialogue.

    Returns:
        The row and the stem of its wav; None where the rule does not hold.
    """
    named = {pair.segment_id for pair in pairs}
    without = [pair for pair in pairs if pair.segment_id not in wavs]
    unused = sorted(set(wavs) - named)
    if len(pairs) != len(wavs) or len(without) != 1 or len(unused) != 1:
        return None
    names = (without[0].segment_id, without[0].name_in_f)
    if set(names) & set(transcripts):
        return None
    genders = {SEGMENT_ID.match(name)["gender"] for name in names if name is not None}
    return (without[0], unused[0]) if _parts(unused[0])["gender"] in genders else None


def find_misnamed_transcript(
    segments: Collection[str], transcripts: Collection[str], *, wavs: Collection[str]
) -> tuple[str, str] | None:
    """Find the transcript of the one segment of a dialogue that seems to have none.

    The rule: exactly one segment of the dialogue has no transcript, exactly one transcript of it
    belongs to no segment and to no wav, and the two differ by one in the number alone.

    Args:
        segments: all Segment IDs of one dialogue.
        transcripts: stems of all transcripts of this dialogue.
        wavs: stems of all wavs of this dialogue.

    Returns:
        The segment and the stem of its transcript; None where the rule does not hold.

    Example:
        >>> find_misnamed_transcript(
        ...     ["Sess01_impro01_M016"], ["Sess01_impro01_M015"], wavs=["Sess01_impro01_M016"]
        ... )
        ('Sess01_impro01_M016', 'Sess01_impro01_M015')
    """
    without = sorted(set(segments) - set(transcripts))
    unused = sorted(set(transcripts) - set(segments) - set(wavs))
    if len(without) != 1 or len(unused) != 1:
        return None
    segment, stem = _parts(without[0]), _parts(unused[0])
    one_off = abs(int(segment["number"]) - int(stem["number"])) == 1
    return (without[0], unused[0]) if one_off and segment["gender"] == stem["gender"] else None


def _parts(segment_id: str) -> re.Match[str]:
    return SEGMENT_ID.match(segment_id)
