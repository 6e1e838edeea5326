"""All figures of speed, and the page that tells them.

    python -m benchmarks.run

runs the measurements one after another, each in a process of its own (about half an hour on two
cores), and writes `benchmarks/RESULTS.md` with machine, versions and date. `--only NAME` runs one
and prints what it found.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.speed_inputs import run_python

PAGE = Path(__file__).with_name("RESULTS.md")
LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "numpy")
Found = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A row of the page.

    Attributes:
        what: is measured, and in which precision.
        against: what it is set beside.
        module: of `benchmarks`, with its flags.
        read: takes the value out of what the module found.
        wanted: how much is aimed at.
        enough: whether the value is.
        shown: how the value is written.
    """

    what: str
    against: str
    module: str
    read: Callable[[Found], float]
    wanted: str
    enough: Callable[[float], bool]
    shown: str = "{:.1f} ×"


def at_least(least: float) -> Callable[[float], bool]:
    """Return whether a value is so much or more."""
    return lambda value: value >= least


def at_most(most: float) -> Callable[[float], bool]:
    """Return whether a value is so much or less."""
    return lambda value: value <= most


FIGURES = (
    Figure(
        "feature extraction, bf16",
        "transformers' encoder in fp32, one random batch of 32, padded",
        "extraction",
        lambda found: found["times as fast"],
        "24 ×",
        at_least(24),
    ),
    Figure(
        "feature extraction, fp32",
        "the same",
        "extraction",
        lambda found: found["times as fast, fp32"],
        "",
        at_least(1),
    ),
    Figure(
        "feature extraction, bf16",
        "FLOPs of the unpadded input ÷ this machine's bf16 matrix rate",
        "extraction",
        lambda found: 100 * found["share of the floor"],
        "75 %",
        at_least(75),
        "{:.0f} %",
    ),
    Figure(
        "peak memory of extraction, bf16",
        "the padded batch of 32",
        "extraction",
        lambda found: found["share of memory"],
        "1/3",
        at_most(1 / 3),
        "{:.2f}",
    ),
    Figure(
        "joint training, 30 epochs, extraction included, bf16",
        "the same epochs with encoders run in each, fp32 (computed from one and two epochs)",
        "training_epochs --utterances 40",
        lambda found: found["times as fast"],
        "25 ×",
        at_least(25),
    ),
    Figure(
        "`kemer.predict --precision bf16`, mixed lengths",
        "transformers' pipeline on the same model, batches of 8, fp32",
        "prediction",
        lambda found: found["times as fast, bf16"],
        "4 ×",
        at_least(4),
    ),
    Figure(
        "`kemer.predict`, fp32",
        "the same",
        "prediction",
        lambda found: found["times as fast, fp32"],
        "",
        at_least(1),
    ),
    Figure(
        "dataset build, CPU an utterance",
        "",
        "build_dataset --utterances 1000 10000",
        lambda found: found["CPU ms each"],
        "2 ms",
        at_most(2),
        "{:.2f} ms",
    ),
    Figure(
        "dataset build, peak memory of 10,000 utterances",
        "of 1,000",
        "build_dataset --utterances 1000 10000",
        lambda found: found["peak"],
        "flat",
        at_most(1.1),
        "{:.2f} ×",
    ),
    Figure(
        "`import kemer`",
        "a bare `import torch, transformers`",
        "start_up",
        lambda found: found["import kemer"],
        "1.1 ×",
        at_most(1.1),
        "{:.2f} ×",
    ),
    Figure(
        "`python -m kemer.predict --help`",
        "the same",
        "start_up",
        lambda found: found["kemer.predict --help"],
        "1.1 ×",
        at_most(1.1),
        "{:.2f} ×",
    ),
    Figure(
        "two processes (gloo), extraction, bf16",
        "one process with one thread",
        "two_processes --utterances 40",
        lambda found: found["times as fast, extraction"],
        "1.7 ×",
        at_least(1.7),
    ),
    Figure(
        "two processes (gloo), training on cached features, bf16",
        "one process with one thread",
        "two_processes --utterances 40",
        lambda found: found["times as fast, training"],
        "1.7 ×",
        at_least(1.7),
    ),
)


def main() -> None:
    """Measure, and write the page."""
    modules = list(dict.fromkeys(figure.module for figure in FIGURES))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[module.split()[0] for module in modules])
    told = parser.parse_args()
    found: dict[str, Found] = {}
    for module in modules:
        if told.only in (None, module.split()[0]):
            began = time.monotonic()
            found[module] = measure(module)
            print(f"{module}: {time.monotonic() - began:.0f} s", flush=True)
            print(json.dumps(found[module], indent=1), flush=True)
    if told.only is None:
        PAGE.write_text(write_page(found), encoding="utf-8")
        print(f"page: {PAGE}")


def measure(module: str) -> Found:
    """Run a measurement; return what it printed last."""
    name, *flags = module.split()
    lines = run_python("-m", f"benchmarks.{name}", *flags).splitlines()
    return read_build(lines) if name == "build_dataset" else json.loads(lines[-1])


def read_build(lines: list[str]) -> Found:
    """Return the figures of the table that `build_dataset` prints, a line for each size."""
    rows = [re.split(r"\s+", line.strip()) for line in lines[-2:]]
    processor, peak = ([float(row[place]) for row in rows] for place in (4, 5))
    return {"CPU ms each": processor[-1], "peak MiB": peak, "peak": peak[-1] / peak[0]}


def write_page(found: dict[str, Found]) -> str:
    """Return the page.

    Args:
        found: what each module of `FIGURES` found.
    """
    rows = []
    for figure in FIGURES:
        value = figure.read(found[figure.module])
        reached = "" if not figure.wanted else "yes" if figure.enough(value) else "no"
        cells = (figure.what, figure.against, figure.shown.format(value), figure.wanted, reached)
        rows.append(f"| {' | '.join(cells)} | `python -m benchmarks.{figure.module}` |")
    extraction = found["extraction"]
    machine = f"{processor_name()}, {os.cpu_count()} cores, no GPU"
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    floor = extraction["fast bf16"]["floor"]
    ceiling = extraction["padded"]["seconds"] / floor
    return "\n".join(
        [
            "# Measured speed",
            "",
            f"By `python -m benchmarks.run` on {date.today()}: {machine}; Python "
            f"{platform.python_version()}, {versions}. Real-size SpeechT5 with random weights; "
            f"{extraction['fast bf16']['audio']:.0f} s of noise with KEMDy-like durations.",
            "",
            "| what | against | measured | aim | reached | command |",
            "|---|---|---:|---:|---|---|",
            *rows,
            "",
            "How far extraction can be from the padded baseline is bound by the machine: at its "
            f"bf16 matrix rate the arithmetic alone takes {floor:.1f} s, so no encoder in bf16 "
            f"could be more than {ceiling:.1f} times as fast here.",
            "",
            "```json",
            json.dumps(found, indent=1),
            "```",
            "",
        ]
    )


def processor_name() -> str:
    """Return what the processor calls itself."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
