"""Writes the annotation files of one session of the sample corpus, as either corpus has them.

KEMDy20 has one file a session. KEMDy19 has two, which list the same segments: `_F_` says what the
woman feels in each, speaking or listening, `_M_` what the man feels.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..layout import EMOTIONS, KEMDY19_HEADER, KEMDY20_HEADER
from .acted import ActedSession
from .session import Session

SIGNALS = ((-2.0, 3.0), (0.0, 39.0), (26.0, 35.0))  # ECG, EDA, TEMP: lowest and highest value

OVERLAP_SHARE = 0.1  # turns that start before the one before them ends, in KEMDy20
OVERLAP = 0.3  # of the turn before
PAUSES = (0.1, 0.8)  # seconds between other turns, from and to

INEXACT_SHARE = 0.5  # turns of KEMDy19 whose annotated length is not the wav's
INEXACT = (0.1, 2.0)  # seconds too long, from and to


def write_annotation(corpus: Path, session: Session, durations: np.ndarray) -> np.ndarray:
    """Write the annotation of a session.

    Args:
        corpus: folder of the corpus.
        session: the session.
        durations: lengths of its wavs in seconds, `(turns,)`.

    Returns:
        Start and end of each turn in its dialogue in seconds, `(turns, 2)`.
    """
    folder = corpus / "annotation"
    folder.mkdir(exist_ok=True)
    if isinstance(session, ActedSession):
        return _write_kemdy19(folder, session, durations)
    return _write_kemdy20(folder, session, durations)


def _write_kemdy20(folder: Path, session: Session, durations: np.ndarray) -> np.ndarray:
    starts = _start_times(session, durations, overlap_share=OVERLAP_SHARE)
    rows = []
    for turn, name in enumerate(session.segment_ids):
        times = [f"{time:.6f}" for time in (starts[turn], starts[turn] + durations[turn])]
        answers = answer_cells(session.votes[turn], session.ratings[turn])
        rows.append([turn + 1, *times, name, *answers])
    _write_csv(folder / f"Sess{session.number:02d}_eval.csv", [*KEMDY20_HEADER, *rows])
    return np.stack([starts, starts + durations], axis=1)


def _write_kemdy19(folder: Path, session: ActedSession, durations: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng([session.number, 19])
    inexact = rng.random(len(durations)) < INEXACT_SHARE
    lengths = durations + np.where(inexact, rng.uniform(*INEXACT, len(durations)), 0)
    starts = _start_times(session, lengths, overlap_share=0)
    for gender in "FM":
        signals = _draw_signals(len(durations), rng)
        rows = []
        for turn, name in enumerate(session.segment_ids):
            times = [f"{time:.3f}" for time in (starts[turn], starts[turn] + lengths[turn])]
            if session.speakers[turn].gender == gender:
                answers = answer_cells(session.votes[turn], session.ratings[turn])
            else:
                answers = answer_cells(session.listener_votes[turn], session.listener_ratings[turn])
            rows.append([turn + 1, *times, *signals[turn], name, *answers])
        _write_csv(
            folder / f"Session{session.number:02d}_{gender}_res.csv", [*KEMDY19_HEADER, *rows]
        )
    return np.stack([starts, starts + lengths], axis=1)


def answer_cells(votes: np.ndarray, ratings: np.ndarray) -> list[object]:
    """Return the cells of the total evaluation and of the ten raters.

    Args:
        votes: emotion by rater, index into `EMOTIONS`, `(raters,)`.
        ratings: valence and arousal by rater, `(raters, 2)`.
    """
    counts = np.bincount(votes, minlength=len(EMOTIONS))
    winners = [name for name, count in zip(EMOTIONS, counts, strict=True) if count == counts.max()]
    total = [";".join(winners), *(f"{mean:.1f}" for mean in ratings.mean(0))]
    raters = [
        cell
        for vote, (valence, arousal) in zip(votes, ratings, strict=True)
        for cell in (EMOTIONS[vote], valence, arousal)
    ]
    return [*total, *raters]


def _draw_signals(turns: int, rng: np.random.Generator) -> list[list[str]]:
    """Return the cells of ECG, EDA and TEMP at start and end of each turn, six a turn."""
    return [
        [f"{rng.uniform(*span):.3f}" for span in SIGNALS for _ in range(2)] for _ in range(turns)
    ]


def _start_times(session: Session, lengths: np.ndarray, *, overlap_share: float) -> np.ndarray:
    """Place turns in their dialogue's recording, in seconds; some overlap the one before."""
    rng = np.random.default_rng(session.number)
    pauses = rng.uniform(*PAUSES, len(lengths))
    overlaps = rng.random(len(lengths)) < overlap_share
    dialogues = session.dialogues
    starts = np.zeros(len(lengths))
    for turn in range(1, len(lengths)):
        if dialogues[turn] == dialogues[turn - 1]:
            pause = -OVERLAP * lengths[turn - 1] if overlaps[turn] else pauses[turn]
            starts[turn] = starts[turn - 1] + lengths[turn - 1] + pause
    return starts


def _write_csv(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
