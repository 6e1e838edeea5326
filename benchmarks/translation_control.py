"""Does the dialogue around a line help? A control of the translation on the sample corpus.

    python -m benchmarks.translation_control --output outputs/translation_control

The sample corpus is translated through the real command by a server that renders an ambiguous line
by what the dialogue in the message states (`dataset_script sample --serve`), three times: with the
dialogue, without any context, and with the context of another dialogue. On each of the three a
model that only reads is trained, and scored on held-out sessions. Everything is synthetic: what it
shows is that context reaches the model through the whole chain, and that a wrong one does not help.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dataset_script.archive import open_files
from dataset_script.corpus import open_corpus
from dataset_script.report import BuildReport
from dataset_script.sample.lexicon import DEFAULT_LEXICON, load_lexicon
from dataset_script.sample.server import ChatServer, SampleTranslator
from dataset_script.translation.dialogues import Dialogue, read_dialogues
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.run import Server, translate
from dataset_script.translation.store import Store
from kemer.demo import LAUNCH, ROOT, ROWS, run, say
from kemer.scoring import correct_items, paired_session_interval, read_predictions

ENGLISH = ("contextual", "literal", "shuffled")
CONTEXT = ContextOptions()
ALONE = ContextOptions(0, 0, 1)


def main() -> None:
    """Run the control and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("outputs/translation_control"))
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--fold", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    corpus = args.output / "corpus"
    if not corpus.is_dir():
        say("A synthetic corpus")
        sample = ["sample", str(corpus), "--sessions", str(args.sessions)]
        run(["-m", "dataset_script", *sample, "--folds", str(args.folds)])
    for english in ENGLISH:
        say(f"English: {english}")
        translations = args.output / f"{english}.jsonl"
        translate_corpus(corpus, translations, english)
        build = ["build", str(corpus), "--config", "kemdy20", "--require-translations"]
        build += ["--output", str(args.output / english), "--translations", str(translations)]
        run(["-m", "dataset_script", *build])
        for seed in args.seeds:
            train(args, english, seed)
    print(format_table(args))


def translate_corpus(corpus: Path, output: Path, english: str) -> None:
    """Translate through a server on this machine."""
    files, report = open_files(corpus), BuildReport("kemdy20")
    dialogues = list(read_dialogues(open_corpus("kemdy20", files, report)))
    wanted = {turn.id for dialogue in dialogues for turn in dialogue.utterances}
    if english == "shuffled":
        dialogues = list(exchange_contexts(dialogues))
    options = TranslationOptions(context=ALONE if english != "contextual" else CONTEXT)
    if english == "shuffled":
        options = replace(options, context=replace(CONTEXT, targets=1))
    server = SampleTranslator(load_lexicon(DEFAULT_LEXICON))
    output.unlink(missing_ok=True)
    with ChatServer(server, keeps_requests=False) as chat, Store(f"{output}.store") as store:
        outcome = translate(
            lambda: dialogues,
            store,
            output,
            options,
            server=Server(chat.base_url),
            price=None,
            jobs=len(wanted),
        )
    if outcome.stopped is not None:
        sys.exit(f"translation_control: {outcome.stopped}")
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    kept = [json.dumps(line, ensure_ascii=False) for line in lines if line["id"] in wanted]
    output.write_text("\n".join(kept) + "\n", encoding="utf-8")


def exchange_contexts(dialogues: list[Dialogue]) -> list[Dialogue]:
    """Put each utterance between turns of another dialogue, at its own place.

    Args:
        dialogues: as they were spoken.

    Returns:
        A dialogue for each utterance: up to three turns of the other one, the utterance, and up to
        three more. Only the utterance keeps its id.
    """
    order = np.random.default_rng(0).permutation(len(dialogues))
    other = {order[n]: order[n - 1] for n in range(len(order))}  # one ring: nobody keeps his own
    made = []
    for number, dialogue in enumerate(dialogues):
        around = dialogues[other[number]].utterances
        for place, turn in enumerate(dialogue.utterances):
            before = around[max(0, place - CONTEXT.before) : place]
            after = around[place + 1 : place + 1 + CONTEXT.after]
            strange = [replace(t, id=f"strange/{turn.id}/{t.id}") for t in (*before, *after)]
            turns = (*strange[: len(before)], turn, *strange[len(before) :])
            made.append(Dialogue(f"{dialogue.name}/{place}", turns))
    return made


def train(args: argparse.Namespace, english: str, seed: int) -> None:
    """Train a model that only reads."""
    say(f"Training: {english}, seed {seed}")
    flags = ["--config", str(ROOT / "configs/demo.yaml"), *ROWS["text only"]]
    flags += ["--dataset", str(args.output / english), "--fold", str(args.fold)]
    flags += ["--seed", str(seed), "--output_dir", str(folder_of(args, english, seed))]
    run([*LAUNCH, str(ROOT / "train.py"), *flags])


def folder_of(args: argparse.Namespace, english: str, seed: int) -> Path:
    """Return the folder of one training."""
    return args.output / f"text_{english}_{seed}"


def format_table(args: argparse.Namespace) -> str:
    """Return exact match by English and seed, and what context gains, paired by session."""
    hits = {english: hits_of(args, english) for english in ENGLISH}
    columns = "".join(f"{f'seed {seed}':>9}" for seed in args.seeds)
    lines = [f"\n{'synthetic, text only':<22}{columns}{'mean':>9}"]
    for english in ENGLISH:
        scores = [*hits[english].mean(), hits[english].to_numpy().mean()]
        lines.append(f"{english:<22}" + "".join(f"{score:>9.3f}" for score in scores))
    sessions = [name.split("_")[0] for name in hits[ENGLISH[0]].index]
    for english in ("contextual", "shuffled"):
        gain = paired_session_interval(
            hits[english].mean(axis=1), hits["literal"].mean(axis=1), sessions
        )
        lines.append(
            f"{english} minus literal: {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] "
            f"(95 % session t, {len(set(sessions))} sessions, {len(sessions)} utterances)"
        )
    return "\n".join(lines)


def hits_of(args: argparse.Namespace, english: str) -> pd.DataFrame:
    """Return whether each test utterance was right, `(utterances, seeds)`, indexed by id."""
    runs = [
        correct_items(read_predictions(folder_of(args, english, seed) / "predictions.parquet"))
        for seed in args.seeds
    ]
    return pd.concat(runs, axis=1)


if __name__ == "__main__":
    main()
