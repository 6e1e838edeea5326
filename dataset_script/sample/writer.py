"""Writes the sample corpus to disk in the exact layout of KEMDy20 or KEMDy19, with translations.

Last step of the sample corpus: annotation, wavs and transcripts, and bio-signals if they are asked
for. Without recordings nothing is spoken, and the annotation has lengths that are drawn.

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
    SAMPLING_RATE,
    SYNTHETIC_MARKER,
    TRANSCRIPT_ENCODING_KEMDY20,
)
from ..replacement import replace_folder
from ..signal_files import SIGNALS
from .acted import ActedSession, draw_acted_session
from .annotation import write_annotation
from .anomalies import ANOMALIES_FILE, RENAMED_ROOT, plant_anomalies
from .consensus import calibrate_neutral, tabulate_consensus
from .generative import LINE_KINDS
from .lexicon import EVENTS, Lexicon, load_lexicon
from .parameters import PROSODY
from .scripts import draw_scripts
from .session import SampleOptions, Session, draw_session
from .signals import write_bio_signals
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
BIO_ENTRIES = tuple(sorted({signal for signals in SIGNALS.values() for signal in signals}))
"""What a corpus with bio-signals holds besides."""
SPOILT_ENTRIES = (ANOMALIES_FILE, RENAMED_ROOT)
"""What a corpus with planted anomalies holds besides."""

TRANSCRIPT_ENCODINGS = {"kemdy20": TRANSCRIPT_ENCODING_KEMDY20, "kemdy19": "utf-8"}

DURATION_STREAM = 16  # apart from the other random streams of a session
SECONDS_PER_CHARACTER = (0.12, 0.2)  # of a line that is not spoken, from and to


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
    if options.recordings:
        refuse_unknown_voices(options.voices)
    lexicon = load_lexicon(options.lexicon)
    bias = calibrate_neutral(options.parameters, tabulate_consensus(options.parameters))
    sessions = _draw_sessions(options, lexicon, neutral_bias=bias)
    total = sum(len(session.turns) for session in sessions)
    with replace_folder(directory) as corpus:
        doing = "speaking" if options.recordings else "writing"
        with tqdm(total=total, desc=doing, unit="utterance") as progress:
            for session in sessions:
                _write_session(corpus, session, options, progress)
        _write_translations(corpus, sessions)
        _write_truth(corpus, sessions)
        _write_marker(corpus, options)
        if options.anomalies:
            plant_anomalies(corpus, options.layout)
    return total


def _draw_sessions(
    options: SampleOptions, lexicon: Lexicon, *, neutral_bias: float
) -> list[Session]:
    numbers = range(1, options.sessions + 1)
    if options.layout == "kemdy20":
        return [draw_session(n, options, lexicon, neutral_bias=neutral_bias) for n in numbers]
    scripts = draw_scripts(options, lexicon, neutral_bias=neutral_bias)
    return [
        draw_acted_session(n, options, lexicon, scripts, neutral_bias=neutral_bias) for n in numbers
    ]


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
    own = {*CORPUS_ENTRIES, *BIO_ENTRIES, *SPOILT_ENTRIES}
    foreign = [name for name in names if name not in own]
    if foreign:
        raise ValueError(
            f"`{directory}` holds `{foreign[0]}`, which is no part of a sample corpus and would be "
            "lost; move it away, or choose another folder."
        )


def _write_session(corpus: Path, session: Session, options: SampleOptions, progress: tqdm) -> None:
    """Write a session's transcripts, sound, annotation and bio-signals."""
    _write_transcripts(corpus, session)
    if options.recordings:
        durations = _write_recordings(corpus, session, progress)
    else:
        durations = _draw_durations(session, options.seed)
        progress.update(len(durations))
    times = write_annotation(corpus, session, durations)
    if options.has_bio:
        write_bio_signals(corpus, session, times, seed=options.seed)


def _write_transcripts(corpus: Path, session: Session) -> None:
    """Write the transcripts, and make the folders that the wavs go into too."""
    stems = [corpus / session.stem(turn) for turn in range(len(session.turns))]
    for folder in {stem.parent for stem in stems}:
        folder.mkdir(parents=True)
    for stem, line in zip(stems, session.lines, strict=True):
        text = line + "\n"
        stem.with_suffix(".txt").write_bytes(text.encode(TRANSCRIPT_ENCODINGS[session.corpus]))


def _write_recordings(corpus: Path, session: Session, progress: tqdm) -> np.ndarray:
    """Speak a session; returns the lengths in seconds, `(turns,)`."""

    def write(turn: int) -> int:
        delivery = deliver(session.speakers[turn].voice, session.prosody[turn])
        samples = speak(session.lines[turn], delivery)
        wav = (corpus / session.stem(turn)).with_suffix(".wav")
        soundfile.write(wav, samples, SAMPLING_RATE, subtype="PCM_16")
        return len(samples)

    lengths = []
    with ThreadPoolExecutor() as pool:
        for length in pool.map(write, range(len(session.turns))):
            lengths.append(length)
            progress.update()
    return np.array(lengths) / SAMPLING_RATE


def _draw_durations(session: Session, seed: int) -> np.ndarray:
    """Draw how long lines would take that nobody speaks, in seconds, `(turns,)`."""
    rng = np.random.default_rng([seed, session.number, DURATION_STREAM])
    lengths = np.array([len(line) for line in session.lines])
    samples = lengths * rng.uniform(*SECONDS_PER_CHARACTER, len(lengths)) * SAMPLING_RATE
    return samples.round() / SAMPLING_RATE


def _write_translations(corpus: Path, sessions: list[Session]) -> None:
    for file_name, style in ((CONTEXTUAL_FILE, "contextual"), (LITERAL_FILE, "literal")):
        with (corpus / file_name).open("w", encoding="utf-8") as file:
            for session in sessions:
                for name, rendering in zip(session.segment_ids, session.renderings, strict=True):
                    row = {"id": f"{session.corpus}/{name}", "text_en": getattr(rendering, style)}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_truth(corpus: Path, sessions: list[Session]) -> None:
    """Write the hidden state and the voices: for tests and oracles, never an input of a model."""
    columns = ["id", "voice", "event", "stated_event", "valence", "arousal", "emotion", "line_kind"]
    with (corpus / TRUTH_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        acted = any(isinstance(session, ActedSession) for session in sessions)
        writer.writerow([*columns, *PROSODY, *(["script", "listener_emotion"] if acted else [])])
        for session in sessions:
            turns = session.turns
            for turn, name in enumerate(session.segment_ids):
                row = [f"{session.corpus}/{name}", session.speakers[turn].voice]
                row += [EVENTS[turns.event[turn]], EVENTS[turns.stated_event[turn]]]
                row += [f"{turns.valence[turn]:.4f}", f"{turns.arousal[turn]:.4f}"]
                row += [EMOTIONS[turns.emotion[turn]], LINE_KINDS[turns.line_kind[turn]]]
                row += [f"{value:.4f}" for value in session.prosody[turn]]
                if isinstance(session, ActedSession):
                    row += [session.scripts[turn], EMOTIONS[session.listener.emotion[turn]]]
                writer.writerow(row)


def _write_marker(corpus: Path, options: SampleOptions) -> None:
    """Say that the corpus is synthetic, and with which options it was made."""
    shown = ("speech_signal", "text_signal", "context_signal", "neutral")
    marker = {
        "synthetic": True,
        "generator": "python -m dataset_script sample",
        # A corpus of KEMDy20 was written before there was another; its bytes stay what they were.
        **({} if options.layout == "kemdy20" else {"layout": options.layout}),
        **({"anomalies": True} if options.anomalies else {}),
        **({"bio": True} if options.has_bio else {}),
        **({} if options.recordings else {"recordings": False}),
        "sessions": options.sessions,
        "turns": options.turns,
        "seed": options.seed,
        "folds": options.folds,
        "lexicon": options.lexicon.name,
        "voices": list(options.voices),
        **{name: getattr(options.parameters, name) for name in shown},
    }
    (corpus / SYNTHETIC_MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
