"""Two processes of one thread each against one, for extraction and for training.

    python -m benchmarks.two_processes --utterances 80

runs `train.py` on frozen real-size encoders, first to fill the feature cache and then on what is in
it, with one process and with two (gloo). Extraction is what the commands say that it took. Prints
one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

from benchmarks.speed_inputs import run_python
from benchmarks.training_epochs import training_flags

TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
EPOCHS = 30
EXTRACTION = re.compile(r"feature cache, (\w+) encoder: .* ([\d.]+) s$", re.MULTILINE)
TRAINING = re.compile(r"'train_runtime': '?([\d.]+)")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=80)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags = training_flags(folder, utterances=told.utterances)
        flags += ["--num_train_epochs", str(EPOCHS), "--bf16", "true"]
        one, two = (
            measure(launch, flags, folder / f"run{number}")
            for number, launch in enumerate(((), TWO))
        )
    print(
        json.dumps(
            {
                "one": one,
                "two": two,
                **{f"times as fast, {part}": one[part] / two[part] for part in one},
            }
        )
    )


def measure(launch: tuple[str, ...], flags: list[str], output: Path) -> dict[str, float]:
    """Return the seconds of extraction and of training."""
    # The batch over all processes is the same, and so are the steps.
    size = "8" if launch else "16"
    said = run_python(
        *launch,
        "train.py",
        *flags,
        *("--output_dir", str(output), "--feature_cache", str(output / "cache")),
        *("--per_device_train_batch_size", size, "--per_device_eval_batch_size", "8"),
        OMP_NUM_THREADS="1",
    )
    extraction = {kind: float(value) for kind, value in EXTRACTION.findall(said)}
    return {
        "extraction": extraction["speech"] + extraction["text"],
        "training": float(TRAINING.search(said)[1]),
    }


if __name__ == "__main__":
    main()
