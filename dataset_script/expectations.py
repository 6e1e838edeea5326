"""What is known of the corpora as they were delivered, to hold a copy against.

The figures are counts that users of the corpora published; none is a condition: later versions may
differ, and then `check.py` says so and goes on.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """Figures of one corpus; None where nothing is known.

    Attributes:
        rows_by_session: rows of each session, from session 1.
        dialogues: number of dialogues.
        speakers: number of people.
        single_label: rows with one emotion, by emotion; the speaker's.
        several_labels: rows with more than one emotion.
        signal_segments: pairs of a person and a segment with values, by bio-signal; a signal of
            which nothing is known is not in it.
        label_tolerance: rows that the counts of labels leave out, as their names were in doubt.
        hours: length of all recordings, to one decimal.
        silent_wavs: recordings of nothing but zeros.
        scripts: scripts that several sessions play.
    """

    rows_by_session: tuple[int, ...]
    dialogues: int
    speakers: int
    single_label: dict[str, int]
    several_labels: int
    signal_segments: dict[str, int]
    label_tolerance: int = 0
    hours: float | None = None
    silent_wavs: int | None = None
    scripts: int | None = None

    @property
    def rows(self) -> int:
        """Rows of the whole corpus."""
        return sum(self.rows_by_session)


# fmt: off
EXPECTATIONS = {
    "kemdy19": Expectation(
        rows_by_session=(
            481, 535, 529, 513, 490, 435, 609, 521, 531, 547,
            503, 531, 507, 529, 509, 487, 507, 471, 531, 517,
        ),
        dialogues=200,
        speakers=40,
        single_label={
            "neutral": 3835, "angry": 1844, "happy": 1404, "surprise": 997, "sad": 768,
            "disgust": 395, "fear": 384,
        },
        several_labels=652,
        signal_segments={"ECG": 18172, "EDA": 18051, "TEMP": 18044},
        label_tolerance=4,
        scripts=6,
    ),
    "kemdy20": Expectation(
        rows_by_session=(
            311, 265, 341, 362, 270, 322, 365, 383, 428, 320,
            316, 326, 407, 329, 354, 455, 350, 208, 330, 238,
            288, 307, 311, 256, 462, 269, 321, 251, 303, 298,
            298, 514, 367, 377, 296, 348, 319, 273, 426, 498,
        ),
        dialogues=240,
        speakers=80,
        single_label={
            "neutral": 11120, "happy": 1183, "surprise": 156, "angry": 144, "sad": 121,
            "disgust": 61, "fear": 43,
        },
        several_labels=634,
        signal_segments={"EDA": 13381},
        hours=22.1,
        silent_wavs=10,
    ),
}
# fmt: on
