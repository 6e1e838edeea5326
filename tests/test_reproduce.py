"""`docs/reproduce.md` tells the truth: its commands are taken, and its computed figures follow."""

import re
import shlex
from pathlib import Path

import pytest

from configuration_kemer import KemerConfig
from dataset_script.__main__ import make_parser
from kemer.command_line import parse_arguments
from kemer.paper_compat import make_parser as make_compat_parser
from kemer.paper_compat import read_switches
from kemer.protocols import PROTOCOL_FILES
from kemer.table.__main__ import make_parser as make_table_parser
from kemer.table.plan import CONTROLS, read_plan

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/reproduce.md").read_text(encoding="utf-8")
PROSE = " ".join(re.sub(r"```sh\n.*?```", "", PAGE, flags=re.DOTALL).split())
HOURS, LINES, SUSTAINED = 22.1, 13_462, 30e12
EPOCHS, TRAIN, VALIDATE = 30, 27 / 40, 5 / 40


def commands() -> list[list[str]]:
    text = "".join(re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL))
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines()]


def test_every_command_is_taken_by_its_program() -> None:
    taken = []
    for words in commands():
        if words[0] == "make":
            assert f"{words[1]}:" in (ROOT / "Makefile").read_text()
            continue
        assert words[:2] == [".venv/bin/python", "-m"], words
        module, flags = words[2], words[3:]
        if module == "dataset_script":
            make_parser(flags[0]).parse_args(flags)
        elif module == "kemer.paper_compat":
            told, fields = make_compat_parser().parse_known_args(flags)
            assert told.run is None or fields == []
            training, _ = read_switches(ROOT / told.config)
            parse_arguments(
                ["--config", str(training), "--dataset", "x", "--use_cpu", "true", *fields]
            )
        else:
            assert module == "kemer.table"
            told = make_table_parser().parse_args(flags)
            plan = read_plan(ROOT / told.config)
            assert set(told.protocols or []) <= set(PROTOCOL_FILES)
            assert set(told.controls or []) <= set(CONTROLS)
            assert len(plan.rows) == 4 and len(plan.seeds) == 3
        taken.append(module)
    assert (
        taken.count("kemer.table") == 4
        and "kemer.paper_compat" in taken
        and taken.count("dataset_script") == 9
    )


def front_end() -> float:
    """Return GFLOP for a second of speech in the seven convolutions."""
    rate, gflop, channels = 16_000.0, 0.0, 1
    config = KemerConfig(text_config=None).speech_config
    shapes = zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True)
    for width, kernel, stride in shapes:
        rate /= stride
        gflop += 2 * rate * channels * width * kernel / 1e9
        channels = width
    return gflop


def transformer(layers: int, width: int, positions: float) -> float:
    """Return GFLOP for some positions: 4 matrices of attention and 2 of the feed-forward part."""
    return 2 * layers * (4 * width**2 + 2 * width * 4 * width) * positions / 1e9


def hours_of_training(frozen: float, learning: float, *, amount: float) -> float:
    """Return hours at `SUSTAINED` FLOP/s.

    Args:
        frozen: GFLOP for a unit of input in what runs forward only.
        learning: GFLOP in what learns, forward; three times that in training.
        amount: units of input of the whole corpus.
    """
    each = TRAIN * (frozen + 3 * learning) + VALIDATE * (frozen + learning)
    return EPOCHS * amount * each * 1e9 / SUSTAINED / 3600


@pytest.mark.parametrize(
    ("row", "frozen", "learning", "amount"),
    [
        ("SpeechT5 (VC only)", front_end(), transformer(12, 768, 50), HOURS * 3600),
        ("SpeechT5 (TTS only)", 0.0, transformer(12, 768, 60), LINES),
        ("k-wav2vec2.0", front_end(), transformer(24, 1024, 50), HOURS * 3600),
    ],
)
def test_times_follow_from_the_formula(
    row: str, frozen: float, learning: float, amount: float
) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    work, one, all_of_them = (cell.strip() for cell in line.split("|")[2:5])
    parts = [f"{frozen:.1f}"] * (frozen > 0) + [f"{learning:.1f}"]
    hours = hours_of_training(frozen, learning, amount=amount)
    assert work == " + ".join(parts)
    assert one == f"{60 * hours:.0f} min"
    assert all_of_them == f"{15 * hours:.1f} h"


def test_disk_follows_from_the_numbers_of_weights() -> None:
    weights = (94.4e6, 85.1e6, 315.4e6, 181.9e6)  # of the four rows, at full size
    sizes = [4 * count / 1e9 for count in weights]
    assert "({:.2f}, {:.2f}, {:.2f} and {:.2f} GB".format(*sizes) in PROSE
    assert f"{15 * sum(sizes):.0f} GB for the 60 trainings" in PROSE
    cache = 50 * 768 * 2 * 3600 / 1e9  # frames a second, size, bytes in half precision
    assert f"{cache:.2f} GB an hour" in PROSE and f"{HOURS * cache:.1f} GB for KEMDy20" in PROSE
    assert f"at most {2 * 3 * sizes[2]:.1f} GB" in PROSE  # weights and Adam's two moments, twice


def test_the_passes_as_the_script_trained_are_counted() -> None:
    passes = 2 * EPOCHS * TRAIN * LINES
    assert f"make {passes:,.0f} passes" in PROSE
    assert f"{passes * 0.005 / 60:.0f} minutes for each 5 ms" in PROSE
