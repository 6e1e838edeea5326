"""What the KEMDy20 corpus looks like on disk, as constants: its layout is written only here.

The reader (`annotations.py`, `corpus.py`), the builder and the writer of the sample corpus all take
their knowledge of the format from here, so that what one writes the other reads.

    KEMDy20/
    ├─ annotation/Sess01_eval.csv …                 one row per segment, 37 columns, two header rows
    └─ wav/Session01/Sess01_script01_User001F_001.wav  and .txt beside it, CP949, one line

Sources: ETRI's data pages (`PAGES`) and the parsing code of public repositories.
"""

import re
from dataclasses import dataclass

SAMPLING_RATE = 16_000  # Hz, of every wav of the corpora and of every row of the dataset

PAGES = {  # where ETRI describes the corpora and takes applications for them
    "kemdy19": "https://nanum.etri.re.kr/share/kjnoh2/KEMDy19?lang=En_us",
    "kemdy20": "https://nanum.etri.re.kr/share/kjnoh2/KEMDy20?lang=En_us",
}

# Class indices 0 to 6, everywhere in this order.
EMOTIONS = ("surprise", "angry", "fear", "neutral", "sad", "disgust", "happy")

# The totals of one KEMDy20 version spell "disgust" with a q; later versions mended it.
LABEL_ALIASES = {"disqust": "disgust"}

RATING_RANGE = (1.0, 5.0)  # valence and arousal, of one rater and of the mean of ten

RATERS_KEMDY20 = (
    "Eval01F",
    "Eval02M",
    "Eval03M",
    "Eval04F",
    "Eval05M",
    "Eval06F",
    "Eval07F",
    "Eval08M",
    "Eval09F",
    "Eval10M",
)


@dataclass(frozen=True)
class AnnotationColumns:
    """Where the cells of an annotation row stand, from 0; never by name, which differs by version.

    Attributes:
        count: cells of a row; the raters reach to the last.
        segment_id: name of the segment.
        total: emotions joined by `;`, then mean valence, then mean arousal.
        first_rater: emotion, valence and arousal of the first of ten raters.
    """

    count: int
    segment_id: int
    total: int
    first_rater: int


# 0 is a running number, 1 and 2 are start and end in seconds inside the recording of the dialogue.
COLUMNS_KEMDY20 = AnnotationColumns(count=37, segment_id=3, total=4, first_rater=7)

# Blank cells of the real files are one space, not empty.
KEMDY20_HEADER = (
    ["Numb", "WAV", " ", "Segment ID", "Total Evaluation", " ", " "]
    + [cell for rater in RATERS_KEMDY20 for cell in (rater, " ", " ")],
    [" ", "start", "end", " "] + ["Emotion", "Valence", "Arousal"] * (1 + len(RATERS_KEMDY20)),
)

# Two digits of session and three of user in the real corpus; more are read too, so that a large
# sample corpus needs no other layout.
SEGMENT_ID_KEMDY20 = re.compile(
    r"^Sess(?P<session>\d{2,})_(?P<script>script0[1-6])_User(?P<user>\d{3,})(?P<gender>[FM])"
    r"_(?P<number>\d{3,})$"
)
ANNOTATION_NAME_KEMDY20 = re.compile(r"^Sess(?P<session>\d{2,})_eval\.csv$", re.IGNORECASE)

TRANSCRIPT_ENCODING_KEMDY20 = "cp949"

# A corpus that holds this file is synthetic: what is built from it says so.
SYNTHETIC_MARKER = "synthetic.json"


def format_segment_id_kemdy20(
    session: int, script: int, *, user: int, gender: str, number: int
) -> str:
    """Name a segment of KEMDy20 the way the corpus does.

    Args:
        session: session number, from 1.
        script: topic number of the dialogue, 1 to 6.
        user: the speaker's number, from 1, unique over the corpus.
        gender: `F` or `M`.
        number: count of the speaker's utterance in this dialogue, from 1.

    Returns:
        The Segment ID, which is also the stem of the wav and of its transcript.

    Raises:
        ValueError: if the parts do not make a name that the corpus could hold.

    Example:
        >>> format_segment_id_kemdy20(1, 2, user=1, gender="F", number=7)
        'Sess01_script02_User001F_007'
    """
    name = f"Sess{session:02d}_script{script:02d}_User{user:03d}{gender}_{number:03d}"
    if not SEGMENT_ID_KEMDY20.match(name):
        raise ValueError(
            f"`session`, `script`, `user`, `gender` and `number` make {name!r}, which is no "
            f"Segment ID of KEMDy20; it must match {SEGMENT_ID_KEMDY20.pattern!r}."
        )
    return name
