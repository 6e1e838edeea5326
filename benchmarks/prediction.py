"""`kemer.predict` on recordings of mixed lengths, against transformers' pipeline in batches of 8.

    python -m benchmarks.prediction --utterances 32

answers the same files with the same real-size speech model: by the pipeline, whose batches are as
the files come and padded, and by the command, in both precisions. Loading is left out on both
sides; decoding is in on both. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import soundfile
import torch
from transformers import pipeline

from benchmarks.speed_inputs import RATE, make_waveforms, write_encoders
from kemer.predict.answering import Answerer
from kemer.predict.reading import read_ahead
from kemer.predict.settings import CutSettings
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

BATCH = 8


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=32)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_recordings(folder / "recordings", told.utterances)
        checkpoint = write_model(folder)
        theirs = measure_pipeline(checkpoint, files)
        ours = {name: measure_command(checkpoint, files, name) for name in ("fp32", "bf16")}
    print(
        json.dumps(
            {
                "seconds, pipeline fp32": theirs,
                "seconds, fp32": ours["fp32"],
                "seconds, bf16": ours["bf16"],
                "times as fast, fp32": theirs / ours["fp32"],
                "times as fast, bf16": theirs / ours["bf16"],
            }
        )
    )


def write_recordings(folder: Path, count: int) -> list[Path]:
    """Write utterances as files, in a random order of lengths."""
    folder.mkdir()
    paths = [folder / f"{number:04}.wav" for number in range(count)]
    for path, samples in zip(paths, make_waveforms(count), strict=True):
        soundfile.write(path, samples.numpy(), RATE)
    return paths


def write_model(folder: Path) -> Path:
    """Save a model that hears, its processor and its code; return its folder."""
    speech, text = write_encoders(folder)
    model = KemerModel.from_encoders(speech=str(speech), text=None)
    model.save_pretrained(folder / "model")
    processor = KemerProcessor.from_pretrained(speech)
    processor.save_pretrained(folder / "model")
    return folder / "model"


def measure_pipeline(checkpoint: Path, files: list[Path]) -> float:
    """Return the seconds that transformers' pipeline takes."""
    listen = pipeline(model=str(checkpoint), trust_remote_code=True)
    began = time.perf_counter()
    with torch.inference_mode():
        answers = listen([{"audio": str(path)} for path in files], batch_size=BATCH)
    assert len(answers) == len(files)
    return time.perf_counter() - began


def measure_command(checkpoint: Path, files: list[Path], precision: str) -> float:
    """Return the seconds that the command takes once its model is loaded."""
    # Noise has no pauses: each file is one utterance.
    settings = CutSettings(longest=60.0)
    answerer = Answerer(str(checkpoint), settings=settings, precision=precision)
    began = time.perf_counter()
    found = [
        list(answerer.answer(reading.result())) for _, reading in read_ahead(files, answerer.read)
    ]
    assert all(len(one) == 1 for one in found)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
