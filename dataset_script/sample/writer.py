"""Writes the sample corpus to disk in the exact KEMDy20 layout, with its translations beside it.

Last step of the sample corpus. Annotation, wavs and transcripts are written; the bio-signals that
KEMDy20 has besides (EDA, IBI, TEMP) are not.

The corpus is written into a fresh folder beside its place and takes that place by a rename at the
end: whatever goes wrong, an older corpus stays whole.
"""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from ..layout import (
    EMOTIONS,
    KEMDY20_HEADER,
    SAMPLING_RATE,
    SYNTHETIC_MARKER,
    TRANSCRIPT_ENCODING_KEMDY20,
)
from ..replacement import replace_folder
from .consensus import calibrate_neutral, tabulate_consensus
from .generative import LINE_KINDS
from .lexicon import EVENTS, load_lexicon
from .parameters import PROSODY
from .session import SampleOptions, Session, draw_session
from .speech import deliver, refuse_unknown_voices, speak

CONTEXTUAL_FILE = "translations_contextual.jsonl"
LITERAL_FILE = "translations_literal.jsonl"
TRUTH_FILE = "truth.csv"
CORPUS_ENTRIES = (
    "annotation",
    "wav",
    CONTEXTUAL_FILE,
    LITERAL_FILE,
    TRUTH_FILE,
    SYNTHETIC_MARKER,
)
"""All that a sample corpus holds; a folder with anything else is not replaced."""

OVERLAP_SHARE = 0.1  # turns that start before the one before them ends
OVERLAP = 0.3  # of the turn before
PAUSES = (0.1, 0.8)  # seconds between other turns, from and to


def write_sample_corpus(directory: str | Path, options: SampleOptions) -> int:
    """Write a sample corpus.

    Args:
        directory: where; an older sample corpus there is replaced.
        options: what to write.

    Returns:
        the number of utterances.

    Raises:
        ValueError: if `directory` holds something that is not of a sample corpus, espeak-ng lacks
            one of the voices, or the lexicon cannot be used.
        FileNotFoundError: if there is no such lexicon.
        RuntimeError: if espeak-ng is not installed or fails.
    """
    directory = Path(directory).expanduser().resolve()  # a rename takes no `.` and no link
    _refuse_other_content(directory)
    refuse_unknown_voices(options.voices)
    lexicon = load_lexicon(options.lexicon)
    bias = calibrate_neutral(options.parameters, tabulate_consensus(options.parameters))
    numbers = range(1, options.sessions + 1)
    sessions = [draw_session(number, options, lexicon, neutral_bias=bias) for number in numbers]
    total = sum(len(session.turns) for session in sessions)
    with replace_folder(directory) as corpus:
        with tqdm(total=total, desc="speaking", unit="utterance") as progress:
            for session in sessions:
                _write_session(corpus, session, progress)
        _write_translations(corpus, sessions)
        _write_truth(corpus, sessions)
        _write_marker(corpus, options)
    return total


def _refuse_other_content(directory: Path) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ValueError(f"`{directory}` is a file; choose a folder.")
    names = sorted(entry.name for entry in directory.iterdir())
    if names and SYNTHETIC_MARKER not in names:
        raise ValueError(
            f"`{directory}` exists and is not a sample corpus (no `{SYNTHETIC_MARKER}` in it); "
            "choose another folder, or remove it."
        )
    foreign = [name for name in names if name not in CORPUS_ENTRIES]
    if foreign:
        raise ValueError(
            f"`{directory}` holds `{foreign[0]}`, which is no part of a sample corpus and would be "
            "lost; move it away, or choose another folder."
        )


def _write_session(corpus: Path, session: Session, progress: tqdm) -> None:
    """Write a session's sound, transcripts and annotation."""
    folder = corpus / "wav" / f"Session{session.number:02d}"
    folder.mkdir(parents=True)

    def write(turn: int) -> int:
        delivery = deliver(session.speakers[turn].voice, session.prosody[turn])
        samples = speak(session.lines[turn], delivery)
        stem = folder / session.segment_ids[turn]
        soundfile.write(stem.with_suffix(".wav"), samples, SAMPLING_RATE, subtype="PCM_16")
        text = session.lines[turn] + "\n"
        stem.with_suffix(".txt").write_bytes(text.encode(TRANSCRIPT_ENCODING_KEMDY20))
        return len(samples)

    lengths = []
    with ThreadPoolExecutor() as pool:
        for length in pool.map(write, range(len(session.turns))):
            lengths.append(length)
            progress.update()
    durations = np.array(lengths) / SAMPLING_RATE
    _write_annotation(corpus, session, durations)


def _write_annotation(corpus: Path, session: Session, durations: np.ndarray) -> None:
    path = corpus / "annotation" / f"Sess{session.number:02d}_eval.csv"
    path.parent.mkdir(exist_ok=True)
    starts = _start_times(session, durations)
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows(KEMDY20_HEADER)
        for turn, name in enumerate(session.segment_ids):
            times = [f"{time:.6f}" for time in (starts[turn], starts[turn] + durations[turn])]
            writer.writerow([turn + 1, *times, name, *_answers(session, turn)])


def _start_times(session: Session, durations: np.ndarray) -> np.ndarray:
    """Place turns in their dialogue's recording, in seconds; some overlap the one before."""
    rng = np.random.default_rng(session.number)
    pauses = rng.uniform(*PAUSES, len(durations))
    overlaps = rng.random(len(durations)) < OVERLAP_SHARE
    dialogues = [name.split("_User")[0] for name in session.segment_ids]
    starts = np.zeros(len(durations))
    for turn in range(1, len(durations)):
        if dialogues[turn] == dialogues[turn - 1]:
            pause = -OVERLAP * durations[turn - 1] if overlaps[turn] else pauses[turn]
            starts[turn] = starts[turn - 1] + durations[turn - 1] + pause
    return starts


def _answers(session: Session, turn: int) -> list[object]:
    """Return the cells of the total evaluation and of the ten raters."""
    votes, ratings = session.votes[turn], session.ratings[turn]
    counts = np.bincount(votes, minlength=len(EMOTIONS))
    winners = [name for name, count in zip(EMOTIONS, counts, strict=True) if count == counts.max()]
    total = [";".join(winners), *(f"{mean:.1f}" for mean in ratings.mean(0))]
    raters = [
        cell
        for vote, (valence, arousal) in zip(votes, ratings, strict=True)
        for cell in (EMOTIONS[vote], valence, arousal)
    ]
    return [*total, *raters]


def _write_translations(corpus: Path, sessions: list[Session]) -> None:
    for file_name, style in ((CONTEXTUAL_FILE, "contextual"), (LITERAL_FILE, "literal")):
        with (corpus / file_name).open("w", encoding="utf-8") as file:
            for session in sessions:
                for name, rendering in zip(session.segment_ids, session.renderings, strict=True):
                    row = {"id": f"kemdy20/{name}", "text_en": getattr(rendering, style)}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_truth(corpus: Path, sessions: list[Session]) -> None:
    """Write the hidden state and the voices: for tests and oracles, never an input of a model."""
    columns = ["id", "voice", "event", "stated_event", "valence", "arousal", "emotion", "line_kind"]
    with (corpus / TRUTH_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, *PROSODY])
        for session in sessions:
            turns = session.turns
            for turn, name in enumerate(session.segment_ids):
                row = [f"kemdy20/{name}", session.speakers[turn].voice]
                row += [EVENTS[turns.event[turn]], EVENTS[turns.stated_event[turn]]]
                row += [f"{turns.valence[turn]:.4f}", f"{turns.arousal[turn]:.4f}"]
                row += [EMOTIONS[turns.emotion[turn]], LINE_KINDS[turns.line_kind[turn]]]
                writer.writerow([*row, *(f"{value:.4f}" for value in session.prosody[turn])])


def _write_marker(corpus: Path, options: SampleOptions) -> None:
    """Say that the corpus is synthetic, and with which options it was made."""
    shown = ("speech_signal", "text_signal", "context_signal", "neutral")
    marker = {
        "synthetic": True,
        "generator": "python -m dataset_script sample",
        "sessions": options.sessions,
        "turns": options.turns,
        "seed": options.seed,
        "folds": options.folds,
        "lexicon": options.lexicon.name,
        "voices": list(options.voices),
        **{name: getattr(options.parameters, name) for name in shown},
    }
    (corpus / SYNTHETIC_MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
