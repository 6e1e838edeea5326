r"""`make demo`: the whole job on a synthetic corpus, by the commands that a user would type.

A sample corpus is spoken and built into a data set; the joint model and its two single-modality
rows are trained; the joint checkpoint is loaded in a fresh process and answers one utterance of a
held-out session. Every number that it prints is from synthetic speech. Larger runs and negative
controls are the same program with other options:

    python -m kemer.demo --output outputs/control --sessions 20 --folds 3 --fold 2 \
        --seeds 0 1 2 --text-signal 0
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from kemer.command_line import parse_arguments
from kemer.scoring import (
    SESSIONS_FOR_AN_INTERVAL,
    correct_items,
    paired_session_interval,
    read_predictions,
)

ROOT = Path(__file__).resolve().parent.parent
MARKER = "DEMO"
SESSIONS = 12
FOLDS = 5
ROWS = {
    "joint": [],
    "speech only": ["--text_encoder", "none"],
    "text only": ["--speech_encoder", "none", "--freeze_speech_encoder", "false"],
}
LAUNCH = ["-m", "accelerate.commands.launch", "--quiet", "--num_processes", "1"]
LAUNCH += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]


@dataclass(frozen=True)
class DemoOptions:
    """What the demo is told.

    Attributes:
        output: folder of everything that the demo writes.
        seeds: of training; one run of each row for each.
        sessions: of the sample corpus.
        folds: over the sessions; no voice is in two of them.
        text_signal: how much the wording tells, 0 to 1 (see `dataset_script sample`).
        flags: further flags of `train.py`, for every row.
    """

    output: Path
    seeds: list[int]
    sessions: int
    folds: int
    text_signal: float
    flags: tuple[str, ...] = ()

    @property
    def corpus(self) -> Path:
        """Folder of the sample corpus."""
        return self.output / "corpus"

    @property
    def translations(self) -> Path:
        """The corpus's English, with the dialogue around each line."""
        return self.corpus / "translations_contextual.jsonl"

    @property
    def dataset(self) -> Path:
        """Folder of the built data set."""
        return self.output / "dataset"

    def run_folder(self, row: str, seed: int) -> Path:
        """Return the folder of one training; the first joint one is the demo's own."""
        parent = self.output if seed == self.seeds[0] else self.output / f"seed_{seed}"
        return parent if row == "joint" else parent / row.replace(" ", "_")


def main(argv: list[str] | None = None) -> None:
    """Run the demo."""
    options = parse_options(argv)
    refuse_wrong_flags(options)
    claim_folder(options.output)
    say("A synthetic corpus in the layout of KEMDy20")
    build_dataset(options)
    for seed in options.seeds:
        for row in ROWS:
            say(f"Training: {row}, seed {seed}")
            train(options, row, seed)
    say("A fresh process loads the checkpoint and answers one held-out utterance")
    predict_in_fresh_process(options)
    say("Exact match on held-out sessions (synthetic speech)")
    print(format_table(options))
    print(format_gains(options))


def parse_options(argv: list[str] | None) -> DemoOptions:
    """Read the command line; what it does not know goes to `train.py`."""
    parser = argparse.ArgumentParser(
        prog="python -m kemer.demo", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--output", type=Path, default=Path("outputs/demo"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--text-signal", type=float, default=1.0)
    known, flags = parser.parse_known_args(argv)
    return DemoOptions(**{**vars(known), "output": known.output.resolve()}, flags=tuple(flags))


def refuse_wrong_flags(options: DemoOptions) -> None:
    """Let `train.py`'s parser look at its flags now, not after the corpus has been spoken.

    Raises:
        SystemExit: if one of them is wrong.
    """
    for row, seed in itertools.product(ROWS, options.seeds):
        try:
            parse_arguments(training_flags(options, row, seed))
        except ValueError as error:
            sys.exit(f"kemer.demo: {error}")


def claim_folder(output: Path) -> None:
    """Empty the demo's folder, which must be the demo's.

    Raises:
        SystemExit: if it holds something else.
    """
    if output.exists() and any(output.iterdir()):
        if not (output / MARKER).is_file():
            sys.exit(
                f"kemer.demo: `{output}` holds something that is not a demo's; name another folder "
                "with `--output`, or remove it."
            )
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / MARKER).write_text("Written by `make demo`; each run replaces all of it.\n")


def build_dataset(options: DemoOptions) -> None:
    """Speak the corpus and build the data set from it."""
    sample = ["sample", str(options.corpus), "--sessions", str(options.sessions)]
    sample += ["--folds", str(options.folds), "--text-signal", str(options.text_signal)]
    run(["-m", "dataset_script", *sample])
    say("From the corpus to a data set")
    build = ["build", str(options.corpus), "--config", "kemdy20", "--output", str(options.dataset)]
    build += ["--folds", str(options.folds), "--translations", str(options.translations)]
    run(["-m", "dataset_script", *build])
    print("English: the sample corpus's own contextual translations; no model was asked.")


def train(options: DemoOptions, row: str, seed: int) -> None:
    """Train one row."""
    run([*LAUNCH, str(ROOT / "train.py"), *training_flags(options, row, seed)])


def training_flags(options: DemoOptions, row: str, seed: int) -> list[str]:
    """Return the flags of `train.py` for one row."""
    flags = ["--config", str(ROOT / "configs/demo.yaml"), "--dataset", str(options.dataset)]
    flags += ["--output_dir", str(options.run_folder(row, seed)), "--seed", str(seed)]
    return [*flags, *ROWS[row], *options.flags]


def predict_in_fresh_process(options: DemoOptions) -> None:
    """Let `examples/predict.py` answer, far from this repository and with an empty cache."""
    predictions = pd.read_parquet(options.output / "predictions.parquet")
    several_labels = predictions["labels_reference"].map(sum) > 1
    chosen = predictions[~several_labels]["id"].iloc[len(predictions) // 3]
    segment = chosen.split("/")[1]
    wav = next((options.corpus / "wav").rglob(f"{segment}.wav"))
    korean = wav.with_suffix(".txt").read_text(encoding="cp949").strip()
    lines = options.translations.read_text(encoding="utf-8").splitlines()
    english = next(row["text_en"] for row in map(json.loads, lines) if row["id"] == chosen)
    print(f"{chosen} (synthetic)\n  {korean}\n  {english}", flush=True)
    with tempfile.TemporaryDirectory() as elsewhere:
        script = [str(ROOT / "examples/predict.py"), str(options.output / "model")]
        environment = {"HF_HOME": elsewhere, "HF_HUB_OFFLINE": "1"}
        run([*script, str(wav), english], cwd=elsewhere, environment=environment)


def format_table(options: DemoOptions) -> str:
    """Return the table of scores: each seed's exact match and, over seeds, means of the others."""
    seeds = options.seeds
    columns = [f"seed {seed}" for seed in seeds] + (["mean"] if len(seeds) > 1 else [])
    lines = [f"{'':<20}" + "".join(f"{name:>9}" for name in [*columns, "macro F1", "distance"])]
    for row in ROWS:
        tests = [read_test_scores(options, row, seed) for seed in seeds]
        scores = [test["exact_match"] for test in tests]
        scores += [mean(scores)] if len(seeds) > 1 else []
        scores += [mean(test[name] for test in tests) for name in ("f1_macro", "distance")]
        lines.append(f"{row:<20}" + "".join(f"{score:>9.3f}" for score in scores))
    test = read_test_scores(options, "joint", seeds[0])
    constant = f"{test['constant_exact_match']:>9.3f}" * len(columns)
    lines.append(f"{'the majority answer':<20}{constant}")
    sessions = ", ".join(map(str, test["sessions"]))
    lines += [
        f"\nTest sessions {sessions}: {test['utterances']} utterances, synthetic speech.",
        "They show that the pipeline works, and nothing about human emotion.",
    ]
    return "\n".join(lines)


def read_test_scores(options: DemoOptions, row: str, seed: int) -> dict[str, Any]:
    """Return the test part of a run's `metrics.json`."""
    text = (options.run_folder(row, seed) / "metrics.json").read_text(encoding="utf-8")
    return json.loads(text)["test"]


def format_gains(options: DemoOptions) -> str:
    """Return how much the joint model is above each single modality, paired by session."""
    by_row = {row: seed_averaged_hits(options, row) for row in ROWS}
    sessions = [name.split("_")[0] for name in by_row["joint"].index]
    count = len(set(sessions))
    lines = [f"\nGain of the joint model, averaged over {len(options.seeds)} seed(s):"]
    for row in list(ROWS)[1:]:
        if count < 2:
            gain = (by_row["joint"] - by_row[row]).mean()
            lines.append(f"  over {row:<12} {gain:+.3f}")
            continue
        gain = paired_session_interval(by_row["joint"], by_row[row], sessions)
        lines.append(f"  over {row:<12} {gain.mean:+.3f}  [{gain.low:+.3f}, {gain.high:+.3f}]")
    few = f"; rough, under {SESSIONS_FOR_AN_INTERVAL} sessions"
    note = f"95 % session t interval over {count} sessions"
    return "\n".join([*lines, f"  ({note}{few if count < SESSIONS_FOR_AN_INTERVAL else ''})"])


def seed_averaged_hits(options: DemoOptions, row: str) -> pd.Series:
    """Return each test utterance's share of seeds that got it right, indexed by id."""
    runs = [
        correct_items(read_predictions(options.run_folder(row, seed) / "predictions.parquet"))
        for seed in options.seeds
    ]
    return pd.concat(runs, axis=1).mean(axis=1)


def say(headline: str) -> None:
    """Print a step's headline."""
    print(f"\n== {headline}", flush=True)


def run(
    arguments: list[str], *, cwd: str | Path = ROOT, environment: dict[str, str] | None = None
) -> None:
    """Run Python with arguments; a step that fails ends the demo with its own message."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=os.environ | (environment or {}), check=False
    )
    if done.returncode != 0:
        sys.exit(f"kemer.demo: `python {' '.join(arguments[:3])} …` failed; its message is above.")


if __name__ == "__main__":
    main()
