"""Time and memory of `python -m dataset_script build` by the size of the corpus.

    python -m benchmarks.build_dataset --utterances 1000 13462

writes a corpus in the layout of KEMDy20 for each size (40 sessions, six dialogues each; with 13,462
utterances each session has as many as in KEMDy20), builds it in a process of its own and prints
what that took. Lines are invented, recordings are noise of a length that is distributed as in
KEMDy20 (log-normal, median 4.5 s), and one recording in a thousand is cut off, so that there are
rows to drop. It needs about 190 kB of disk an utterance, twice over.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from dataset_script.expectations import EXPECTATIONS
from dataset_script.layout import (
    EMOTIONS,
    KEMDY20_HEADER,
    SAMPLING_RATE,
    format_segment_id_kemdy20,
)

SESSIONS, DIALOGUES = 40, 6
MEDIAN_SECONDS, LOG_SPREAD, SHORTEST, LONGEST = 4.5, 0.75, 0.7, 35.0
SYLLABLES_PER_SECOND = 5
BROKEN = 1000  # one recording in so many is cut off


def main() -> None:
    """Measure the builds that the command line asks for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, nargs="+", default=[1000, 13_462])
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    print("utterances  hours    GB      s CPU ms each peak MiB  rows")
    for count in args.utterances:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            print(_measure(Path(folder), count), flush=True)


def _measure(folder: Path, count: int) -> str:
    """Write and build one corpus; return its line of the table."""
    seconds = write_corpus(folder / "corpus", count)
    release = folder / "release"
    command = ["-m", "dataset_script", "build", str(folder / "corpus")]
    command += ["--config", "kemdy20", "--output", str(release)]
    began = time.perf_counter()
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT)
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, *command],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
    )
    _, status, usage = os.wait4(child, 0)
    elapsed = time.perf_counter() - began
    if status:
        raise RuntimeError((folder / "log.txt").read_text(encoding="utf-8"))
    report = json.loads((release / "reports" / "kemdy20.json").read_text(encoding="utf-8"))
    size = seconds * SAMPLING_RATE * 2 / 1e9
    processor = (usage.ru_utime + usage.ru_stime) / count * 1000
    return (
        f"{count:>10,} {seconds / 3600:>6.1f} {size:>5.2f} {elapsed:>6.1f} {processor:>11.2f} "
        f"{usage.ru_maxrss / 1024:>8.0f}  {report['rows_in']:,} in = {report['rows_out']:,} out + "
        f"{report['rows_dropped']:,} dropped"
    )


def write_corpus(root: Path, count: int) -> float:
    """Write a corpus of `count` utterances; return the length of its recordings in seconds."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-3000, 3000, int(LONGEST * SAMPLING_RATE) + 1, dtype=np.int16)
    known = EXPECTATIONS["kemdy20"].rows_by_session
    rows = (
        known if count == sum(known) else [len(n) for n in np.array_split(range(count), SESSIONS)]
    )
    (root / "annotation").mkdir(parents=True)
    total = 0.0
    for session, turns in enumerate(rows, 1):
        lengths = MEDIAN_SECONDS * np.exp(rng.normal(0, LOG_SPREAD, turns))
        lengths = lengths.clip(SHORTEST, LONGEST)
        total += lengths.sum()
        _write_session(root, session, lengths, noise, rng)
    return total


def _write_session(
    root: Path, session: int, lengths: np.ndarray, noise: np.ndarray, rng: np.random.Generator
) -> None:
    folder = root / "wav" / f"Session{session:02d}"
    folder.mkdir(parents=True)
    table: list[list[object]] = [*KEMDY20_HEADER]
    scripts = np.sort(np.arange(len(lengths)) % DIALOGUES) + 1
    for turn, (script, length) in enumerate(zip(scripts, lengths, strict=True)):
        user, gender = 2 * session - 1 + turn % 2, "FM"[turn % 2]
        name = format_segment_id_kemdy20(
            session, int(script), user=user, gender=gender, number=turn + 1
        )
        wav = folder / f"{name}.wav"
        soundfile.write(wav, noise[: int(length * SAMPLING_RATE)], SAMPLING_RATE, subtype="PCM_16")
        if rng.integers(BROKEN) == 0:
            os.truncate(wav, wav.stat().st_size // 2)
        syllables = rng.integers(0, 11_172, max(2, int(length * SYLLABLES_PER_SECOND)))
        text = "".join(chr(0xAC00 + syllable) for syllable in syllables)
        wav.with_suffix(".txt").write_bytes(f"{text}\n".encode("cp949"))
        vote = EMOTIONS[rng.integers(len(EMOTIONS))]
        answers = [vote, 3, 3] * 11
        table.append([turn + 1, f"{turn * 6}.0", f"{turn * 6 + length:.6f}", name, *answers])
    path = root / "annotation" / f"Sess{session:02d}_eval.csv"
    with path.open("w", encoding="ascii", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


if __name__ == "__main__":
    main()
