"""Joint training of 30 epochs with the feature cache, against encoders that run in each epoch.

    python -m benchmarks.training_epochs --utterances 80

trains the joint model with frozen real-size encoders by `train.py`. With the cache all 30 epochs
are run, extraction included. Without it one epoch and two are run; their difference is an epoch,
and the 30 are computed from it. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.speed_inputs import run_python, write_dataset, write_encoders

EPOCHS = 30


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=80, help="of the corpus, 40 or more")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags = training_flags(folder, utterances=told.utterances)
        one, two = (train(flags, folder / f"live{epochs}", epochs=epochs) for epochs in (1, 2))
        cache = ["--feature_cache", str(folder / "cache"), "--bf16", "true"]
        cached = train([*flags, *cache], folder / "cached", epochs=EPOCHS)
    live = one + (EPOCHS - 1) * (two - one)
    print(
        json.dumps(
            {
                "utterances": told.utterances,
                "seconds of 1 epoch live": one,
                "seconds of 2 epochs live": two,
                "seconds of 30 epochs live, computed": live,
                "seconds of 30 epochs cached": cached,
                "times as fast": live / cached,
            }
        )
    )


def training_flags(folder: Path, *, utterances: int) -> list[str]:
    """Write a data set and encoders; return the flags of a joint training on them."""
    speech, text = write_encoders(folder)
    dataset = write_dataset(folder, utterances)
    return [
        *("--dataset", str(dataset), "--speech_encoder", str(speech), "--text_encoder", str(text)),
        *("--freeze_speech_encoder", "true", "--freeze_text_encoder", "true"),
        *("--use_cpu", "true", "--disable_tqdm", "true"),
    ]


def train(flags: list[str], output: Path, *, epochs: int) -> float:
    """Run `train.py`; return the seconds that it took, start and results included."""
    began = time.perf_counter()
    run_python("train.py", *flags, "--output_dir", str(output), "--num_train_epochs", str(epochs))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
