"""`make demo`: the whole job on a synthetic corpus, by the commands that a user would type.

A sample corpus is spoken and built into a data set; the joint model and its two single-modality
rows are trained; the joint checkpoint is loaded in a fresh process and answers one utterance of a
held-out session. Every number that it prints is from synthetic speech.
"""

from __future__ import annotations

import argparse
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

ROOT = Path(__file__).resolve().parent.parent
MARKER = "DEMO"
SESSIONS = 12
ROWS = {
    "joint": [],
    "speech only": ["--text_encoder", "none"],
    "text only": ["--speech_encoder", "none", "--freeze_speech_encoder", "false"],
}
LAUNCH = ["-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1"]
LAUNCH += ["--mixed_precision", "no", "--dynamo_backend", "no"]


@dataclass(frozen=True)
class DemoOptions:
    """What the demo is told.

    Attributes:
        output: folder of everything that the demo writes.
        seeds: of training; one run of each row for each.
        sessions: of the sample corpus.
        flags: further flags of `train.py`, for every row.
    """

    output: Path
    seeds: list[int]
    sessions: int = SESSIONS
    flags: tuple[str, ...] = ()

    @property
    def corpus(self) -> Path:
        """Folder of the sample corpus."""
        return self.output / "corpus"

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
    claim_folder(options.output)
    say("A synthetic corpus in the layout of KEMDy20")
    sessions = str(options.sessions)
    run(["-m", "dataset_script", "sample", str(options.corpus), "--sessions", sessions])
    say("From the corpus to a data set")
    translations = options.corpus / "translations_contextual.jsonl"
    build = ["build", str(options.corpus), "--config", "kemdy20", "--output", str(options.dataset)]
    run(["-m", "dataset_script", *build, "--translations", str(translations)])
    print("English: the sample corpus's own contextual translations; no model was asked.")
    results = {}
    for seed in options.seeds:
        for row in ROWS:
            say(f"Training: {row}, seed {seed}")
            results[row, seed] = train(options, row, seed)
    say("A fresh process loads the checkpoint and answers one held-out utterance")
    predict_in_fresh_process(options)
    say("Exact match on held-out sessions (synthetic speech)")
    print(format_table(results, options.seeds))


def parse_options(argv: list[str] | None) -> DemoOptions:
    """Read the command line; what it does not know goes to `train.py`."""
    parser = argparse.ArgumentParser(prog="python -m kemer.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("outputs/demo"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    known, flags = parser.parse_known_args(argv)
    return DemoOptions(known.output.resolve(), known.seeds, known.sessions, tuple(flags))


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


def train(options: DemoOptions, row: str, seed: int) -> dict[str, Any]:
    """Train one row and return what its `metrics.json` holds."""
    folder = options.run_folder(row, seed)
    flags = ["--config", str(ROOT / "configs/demo.yaml"), "--dataset", str(options.dataset)]
    flags += ["--output_dir", str(folder), "--seed", str(seed), *ROWS[row], *options.flags]
    run([*LAUNCH, str(ROOT / "train.py"), *flags])
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def predict_in_fresh_process(options: DemoOptions) -> None:
    """Let `examples/predict.py` answer, far from this repository and with an empty cache."""
    predictions = pd.read_parquet(options.output / "predictions.parquet")
    several_labels = predictions["labels_reference"].map(sum) > 1
    chosen = predictions[~several_labels]["id"].iloc[len(predictions) // 3]
    segment = chosen.split("/")[1]
    wav = next((options.corpus / "wav").rglob(f"{segment}.wav"))
    korean = wav.with_suffix(".txt").read_text(encoding="cp949").strip()
    lines = (options.corpus / "translations_contextual.jsonl").read_text(encoding="utf-8")
    english = next(
        row["text_en"] for row in map(json.loads, lines.splitlines()) if row["id"] == chosen
    )
    print(f"{chosen} (synthetic)\n  {korean}\n  {english}", flush=True)
    with tempfile.TemporaryDirectory() as elsewhere:
        script = [str(ROOT / "examples/predict.py"), str(options.output / "model")]
        environment = {"HF_HOME": elsewhere, "HF_HUB_OFFLINE": "1"}
        run([*script, str(wav), english], cwd=elsewhere, environment=environment)


def format_table(results: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> str:
    """Return the closing table.

    Args:
        results: content of `metrics.json` by row and seed.
        seeds: columns of exact match, in this order.
    """
    first = next(iter(results.values()))
    columns = [f"seed {seed}" for seed in seeds] + (["mean"] if len(seeds) > 1 else [])
    header = f"{'':<20}" + "".join(f"{name:>9}" for name in columns)
    lines = [header + f"{'macro F1':>11}{'distance':>10}"]
    for row in ROWS:
        tests = [results[row, seed]["test"] for seed in seeds]
        scores = [test["exact_match"] for test in tests]
        shown = scores + ([mean(scores)] if len(seeds) > 1 else [])
        others = f"{mean(t['f1_macro'] for t in tests):>11.3f}"
        others += f"{mean(t['distance'] for t in tests):>10.3f}"
        lines.append(f"{row:<20}" + "".join(f"{score:>9.3f}" for score in shown) + others)
    constant = first["test"]["constant_exact_match"]
    lines.append(f"{'the majority answer':<20}" + f"{constant:>9.3f}" * len(columns))
    sessions = ", ".join(map(str, first["test"]["sessions"]))
    lines += [
        f"\nTest sessions {sessions}: {first['test']['utterances']} utterances, synthetic speech.",
        "They show that the pipeline works, and nothing about human emotion.",
    ]
    return "\n".join(lines)


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
