"""Writes invented bio-signals of one session of the sample corpus, as either corpus has them.

Both people wear a device while both speak. A line between utterances has no Segment ID; within one
it ends with it. KEMDy20 has a file for each dialogue and person, in which only the person's own
utterances are named; KEMDy19 has one for each person, in which everybody's are. The clocks of two
wearers are minutes apart. The values are noise around a slow drift and tell nothing about emotion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from ..signal_files import SIGNALS, format_signal_path
from .session import Session, Speaker

SIGNAL_STREAM = 4  # apart from the other random streams of a session

RATES = {"EDA": 4.0, "TEMP": 4.0, "ECG": 16.0}
"""Values a second; that of the real ECG is not known, and this one is invented and small."""

LEVELS = {"EDA": (2.0, 0.5), "TEMP": (32.0, 0.5), "ECG": (0.0, 0.6), "IBI": (0.8, 0.05)}
"""Mean and spread: µS, °C, mV and seconds."""

SPANS = {"EDA": (0.0, 39.0), "TEMP": (26.0, 35.0), "ECG": (-2.0, 3.0), "IBI": (0.4, 1.5)}
"""Lowest and highest value."""

DECIMALS = {"EDA": 6, "TEMP": 2, "ECG": 4, "IBI": 6}

DRIFT_SHARE = 0.6  # of the spread; the rest is noise from value to value
DRIFT_SECONDS = 40.0  # period of the drift
LOST_BEATS = 0.2  # share of the intervals that the wristband does not find

LEAD = 2.0  # seconds of a file before the first utterance of a dialogue and after the last
BREAKS = (60.0, 180.0)  # seconds between two dialogues of KEMDy20, from and to
SHORT_BREAK = 1.0  # seconds between two dialogues of KEMDy19, which share a file

FIRST_DAY = datetime(2000, 1, 1, 10)  # long before the recordings, so that nobody takes it for one
CLOCK_GAP = (120.0, 480.0)  # seconds between the clocks of two wearers, from and to


@dataclass(frozen=True)
class Stretch:
    """What a file is about.

    Attributes:
        dialogue: name of the dialogue; of the first one where the file holds several.
        start: seconds from the session's start to the first line.
        length: seconds to the last line.
        turns: the turns in it, as indices into the session.
        times: start and end of each of these turns, in seconds from the first line, `(turns, 2)`.
    """

    dialogue: str
    start: float
    length: float
    turns: np.ndarray
    times: np.ndarray


def write_bio_signals(corpus: Path, session: Session, times: np.ndarray, *, seed: int) -> None:
    """Write the bio-signals of a session.

    Args:
        corpus: folder of the corpus.
        session: the session.
        times: start and end of each turn in its dialogue in seconds, `(turns, 2)`.
        seed: of the corpus.
    """
    rng = np.random.default_rng([seed, session.number, SIGNAL_STREAM])
    stretches = _lay_out(session, times, rng)
    people = {speaker.user: speaker for speaker in session.speakers}
    clock = FIRST_DAY + timedelta(days=session.number, seconds=rng.uniform(0, 3600))
    for _, person in sorted(people.items()):
        for stretch in stretches:
            segments = _name_segments(session, person, stretch)
            for signal in SIGNALS[session.corpus]:
                path = corpus / format_signal_path(
                    signal, speaker=_name_wearer(session, person), dialogue=stretch.dialogue
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                start = clock + timedelta(seconds=stretch.start)
                rows = _format_rows(session.corpus, signal, stretch, segments, start, rng)
                path.write_text("".join(f"{row}\n" for row in rows), encoding="ascii")
        clock += timedelta(seconds=rng.uniform(*CLOCK_GAP))


def _lay_out(session: Session, times: np.ndarray, rng: np.random.Generator) -> list[Stretch]:
    """Put the dialogues of a session one after another, each in a stretch or all in one."""
    names = np.array(session.dialogues)
    stretches, start = [], 0.0
    for name in dict.fromkeys(session.dialogues):
        turns = np.flatnonzero(names == name)
        length = times[turns].max() + 2 * LEAD
        stretches.append(Stretch(name, start, length, turns, times[turns] + LEAD))
        start += length
        start += SHORT_BREAK if session.corpus == "kemdy19" else rng.uniform(*BREAKS)
    if session.corpus == "kemdy20":
        return stretches
    whole = np.concatenate([stretch.start + stretch.times for stretch in stretches])
    turns = np.concatenate([stretch.turns for stretch in stretches])
    return [Stretch(stretches[0].dialogue, 0.0, start, turns, whole)]


def _name_wearer(session: Session, person: Speaker) -> str:
    """Name a person as the annotation does, with which the names of files are made."""
    user = f"User{person.user:03d}" if session.corpus == "kemdy20" else ""
    return f"Sess{session.number:02d}_{user}{person.gender}"


def _name_segments(
    session: Session, person: Speaker, stretch: Stretch
) -> list[tuple[str, float, float]]:
    """Segment ID, start and end of the utterances that the person's file names."""
    return [
        (session.segment_ids[turn], start, end)
        for turn, (start, end) in zip(stretch.turns, stretch.times, strict=True)
        if session.corpus == "kemdy19" or session.speakers[turn].user == person.user
    ]


def _format_rows(
    corpus: str,
    signal: str,
    stretch: Stretch,
    segments: list[tuple[str, float, float]],
    start: datetime,
    rng: np.random.Generator,
) -> Iterator[str]:
    """Yield the lines of one file, without line ends."""
    if corpus == "kemdy20":
        yield _format_time(start)
        if signal in RATES:
            yield f"{RATES[signal]:g}"
    elapsed, values = _draw_values(signal, stretch.length, rng)
    ids = np.full(len(elapsed), "", dtype=object)
    for name, first, last in segments:
        ids[(elapsed >= first) & (elapsed < last)] = name
    columns = SIGNALS[corpus][signal]
    for seconds, value, segment_id in zip(elapsed, values, ids, strict=True):
        fields = [f"{seconds:.3f}"] * columns.fields
        fields[columns.value] = f"{value:.{DECIMALS[signal]}f}"
        fields[columns.time] = _format_time(start + timedelta(seconds=seconds))
        yield ",".join(fields + [segment_id] * bool(segment_id))


def _draw_values(
    signal: str, length: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one signal: seconds from the first line, and the value at each."""
    mean, spread = LEVELS[signal]
    if signal == "IBI":
        count = int(length / SPANS[signal][0])
    else:
        count = int(length * RATES[signal]) + 1
    values = mean + (1 - DRIFT_SHARE) * spread * rng.normal(size=count)
    turns = rng.uniform() + np.arange(count) * (length / count / DRIFT_SECONDS)
    values = values + DRIFT_SHARE * spread * np.sin(2 * np.pi * turns)
    values = values.clip(*SPANS[signal])
    if signal != "IBI":
        return np.arange(count) / RATES[signal], values
    elapsed = values.cumsum()
    kept = (elapsed < length) & (rng.random(count) >= LOST_BEATS)
    return elapsed[kept], values[kept]


def _format_time(moment: datetime) -> str:
    return f"{moment:%Y-%m%d-%H%M-%S}-{moment.microsecond // 1000:03d}"
