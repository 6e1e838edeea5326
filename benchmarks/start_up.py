"""How long it takes until the commands answer, against a bare import of torch and transformers.

    python -m benchmarks.start_up

runs each several times, by turns, and prints the medians of the ratios as one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import time

from benchmarks.speed_inputs import run_python

BARE = ("-c", "import torch, transformers")
MEASURED = {
    "import kemer": ("-c", "import kemer"),
    "kemer.predict --help": ("-m", "kemer.predict", "--help"),
    "kemer.release --help": ("-m", "kemer.release", "--help"),
    "import the model": ("-c", "import modeling_kemer"),
}
TIMES = 5


def main() -> None:
    """Measure."""
    ratios: dict[str, list[float]] = {name: [] for name in MEASURED}
    for _ in range(TIMES):
        bare = seconds(*BARE)
        for name, words in MEASURED.items():
            ratios[name].append(seconds(*words) / bare)
    print(json.dumps({name: statistics.median(found) for name, found in ratios.items()}))


def seconds(*words: str) -> float:
    """Return how long Python runs."""
    began = time.perf_counter()
    run_python(*words)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
