"""What the corpora look like on disk, as constants: their layouts are written only here.

The readers (`annotations.py`, `pairs.py`, `corpus.py`), the builder and the writer of the sample
corpus all take their knowledge of the format from here, so that what one writes the other reads.

    KEMDy20/
    ├─ annotation/Sess01_eval.csv …                 one row per segment, 37 columns, two header rows
    └─ wav/Session01/Sess01_script01_User001F_001.wav  and .txt beside it, CP949, one line

    KEMDy19/
    ├─ annotation/Session01_F_res.csv, Session01_M_res.csv …    43 columns; both files list all
    │                     segments of both speakers: what the woman feels, and what the man feels
    └─ wav/Session01/Sess01_impro01/Sess01_impro01_F001.wav  and .txt beside it, UTF-8, one line

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

GENDERS = ("F", "M")

# Whose emotion a row describes: that of the person who speaks, or of the other one.
ROLES = ("speaker", "listener")

# The first session's raters; other sessions may name others, so no reader looks at the names.
RATERS_KEMDY19 = (
    "Eval01F",
    "Eval02M",
    "Eval03F",
    "Eval04F",
    "Eval05M",
    "Eval06M",
    "Eval07M",
    "Eval08F",
    "Eval09M",
    "Eval10F",
)

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
# 3 to 8 of KEMDy19 are ECG, EDA and TEMP at start and end: values of the signals, not times, and
# often empty.
NUMBER_COLUMN = 0
TIME_COLUMNS = (1, 2)
SIGNAL_COLUMNS_KEMDY19 = range(3, 9)
COLUMNS_KEMDY19 = AnnotationColumns(count=43, segment_id=9, total=10, first_rater=13)
COLUMNS_KEMDY20 = AnnotationColumns(count=37, segment_id=3, total=4, first_rater=7)

# Blank cells of the real files are one space, not empty.
KEMDY20_HEADER = (
    ["Numb", "WAV", " ", "Segment ID", "Total Evaluation", " ", " "]
    + [cell for rater in RATERS_KEMDY20 for cell in (rater, " ", " ")],
    [" ", "start", "end", " "] + ["Emotion", "Valence", "Arousal"] * (1 + len(RATERS_KEMDY20)),
)

# Blank cells of these are empty.
KEMDY19_HEADER = (
    ["Numb", "Wav", "", "ECG", "", "E4-EDA", "", "E4-TEMP", "", "Segment ID"]
    + ["Total Evaluation", "", ""]
    + [cell for rater in RATERS_KEMDY19 for cell in (rater, "", "")],
    ["", *["start", "end"] * 4, ""] + ["Emotion", "Valence", "Arousal"] * (1 + len(RATERS_KEMDY19)),
)

# Two digits of session and three of user in the real corpus; more are read too, so that a large
# sample corpus needs no other layout.
SEGMENT_ID_KEMDY20 = re.compile(
    r"^Sess(?P<session>\d{2,})_(?P<script>script0[1-6])_User(?P<user>\d{3,})(?P<gender>[FM])"
    r"_(?P<number>\d{3,})$"
)
ANNOTATION_NAME_KEMDY20 = re.compile(r"^Sess(?P<session>\d{2,})_eval\.csv$", re.IGNORECASE)

# `script` is what the dialogue is called, `impro01` too.
SEGMENT_ID_KEMDY19 = re.compile(
    r"^Sess(?P<session>\d{2,})_(?P<script>script0[1-6]|impro0[1-4])_(?P<gender>[FM])"
    r"(?P<number>\d{3,})$"
)
ANNOTATION_NAME_KEMDY19 = re.compile(
    r"^Session(?P<session>\d{2,})_(?P<gender>[FM])_res\.csv$", re.IGNORECASE
)

TRANSCRIPT_ENCODING_KEMDY19 = "utf-8"
TRANSCRIPT_ENCODING_KEMDY20 = "cp949"


@dataclass(frozen=True)
class CorpusLayout:
    """In what one corpus differs from the other.

    Attributes:
        title: the corpus's own name.
        annotation_name: matches the name of an annotation file; groups `session`, and `gender`
            where there is a file for each.
        annotation_example: such a name.
        columns: where the cells of an annotation row stand.
        segment_id: matches a Segment ID; groups `session`, `script`, `gender` and `number`.
        transcript_encoding: what the transcripts are taken for if they are all ASCII.
    """

    title: str
    annotation_name: re.Pattern[str]
    annotation_example: str
    columns: AnnotationColumns
    segment_id: re.Pattern[str]
    transcript_encoding: str


LAYOUTS = {
    "kemdy19": CorpusLayout(
        title="KEMDy19",
        annotation_name=ANNOTATION_NAME_KEMDY19,
        annotation_example="Session01_F_res.csv",
        columns=COLUMNS_KEMDY19,
        segment_id=SEGMENT_ID_KEMDY19,
        transcript_encoding=TRANSCRIPT_ENCODING_KEMDY19,
    ),
    "kemdy20": CorpusLayout(
        title="KEMDy20",
        annotation_name=ANNOTATION_NAME_KEMDY20,
        annotation_example="Sess01_eval.csv",
        columns=COLUMNS_KEMDY20,
        segment_id=SEGMENT_ID_KEMDY20,
        transcript_encoding=TRANSCRIPT_ENCODING_KEMDY20,
    ),
}

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


def format_segment_id_kemdy19(session: int, scene: str, *, gender: str, number: int) -> str:
    """Name a segment of KEMDy19 the way the corpus does.

    Args:
        session: session number, from 1.
        scene: `script01` to `script06` or `impro01` to `impro04`.
        gender: `F` or `M`, which is the speaker.
        number: count of the speaker's utterance in this dialogue, from 1.

    Returns:
        The Segment ID, which is also the stem of the wav and of its transcript.

    Raises:
        ValueError: if the parts do not make a name that the corpus could hold.

    Example:
        >>> format_segment_id_kemdy19(1, "impro02", gender="F", number=7)
        'Sess01_impro02_F007'
    """
    name = f"Sess{session:02d}_{scene}_{gender}{number:03d}"
    if not SEGMENT_ID_KEMDY19.match(name):
        raise ValueError(
            f"`session`, `scene`, `gender` and `number` make {name!r}, which is no Segment ID of "
            f"KEMDy19; it must match {SEGMENT_ID_KEMDY19.pattern!r}."
        )
    return name


def name_style(corpus: str, dialogue: str) -> str:
    """Say how a dialogue came about.

    Args:
        corpus: `kemdy19` or `kemdy20`.
        dialogue: name of the dialogue, such as `Sess01_impro02`.

    Returns:
        `script` or `impro` for KEMDy19; `free` for KEMDy20, whose `script01` is a topic.

    Example:
        >>> name_style("kemdy19", "Sess01_impro02")
        'impro'
    """
    if corpus == "kemdy20":
        return "free"
    return "impro" if dialogue.rsplit("_", 1)[1].startswith("impro") else "script"
