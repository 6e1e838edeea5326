"""`docs/scaling.md` tells the truth: its computed figures follow from what it rests on."""

import re
from pathlib import Path

import pytest

from benchmarks.speed_inputs import RATE, encoder_flops, make_waveforms

PAGE = (Path(__file__).resolve().parent.parent / "docs/scaling.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())
GFLOP, CORES, GPU, DOLLARS = 14.5, 24.8, 30_000 / 14.5, 2.0
FEATURES, RECORDINGS = 50 * 768 * 2 * 3600 / 1e9, RATE * 2 * 3600 / 1e9  # GB an hour


def test_the_arithmetic_is_that_of_the_encoder() -> None:
    waveforms = make_waveforms(32)
    seconds = sum(map(len, waveforms)) / RATE
    assert sum(map(encoder_flops, map(len, waveforms))) / seconds / 1e9 == pytest.approx(
        GFLOP, abs=0.05
    )
    assert f"{GPU:,.0f} s of audio a second" in PROSE
    assert f"as much as {GPU / CORES:.0f} machines" in PROSE


@pytest.mark.parametrize("hours", [22.1, 1000, 100_000])
def test_times_disk_and_dollars_follow(hours: float) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {hours:,} h |")]
    cells = [cell.strip() for cell in line.split("|")[2:-1]]
    assert cells[0] == f"{hours / CORES:,.1f} h"
    assert cells[1:3] == [f"{hours / GPU:.2f} h", f"{hours / GPU / 8:.2f} h"]
    assert cells[3] == f"{hours / GPU * DOLLARS:.2f}"
    sizes = [hours * RECORDINGS, hours * FEATURES]
    assert cells[4:] == [f"{s:.1f} GB" if s < 1000 else f"{s / 1000:.1f} TB" for s in sizes]


def test_what_stands_in_the_way_follows() -> None:
    read = 30 * 1000 * FEATURES
    assert f"30 epochs read {read / 1000:.1f} TB" in PROSE
    assert f"takes {read / 3600:.1f} hours for that" in PROSE
    assert f"in each epoch {30 * 1000 / GPU:.1f} hours" in PROSE
    together = 64 * GPU
    assert f"({round(together, -2):,.0f} s of audio a second)" in PROSE
    assert f"An epoch takes {100_000 / together:.2f} hours" in PROSE
    bandwidth = together * RATE * 2 / 1e9
    assert re.search(rf"at {bandwidth:.1f} GB/s in all", PROSE), bandwidth
    cores = together / 5.9 * 0.23e-3  # utterances of 5.9 s on average
    assert f"Decoding needs {cores:.0f} cores" in PROSE, cores
