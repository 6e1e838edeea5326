"""A tiny dataset release, made by the real route from an invented corpus, and tiny encoders.

Five sessions of four utterances each, noise in place of speech; fold 0 tests session 1, validates
on session 2 and trains on sessions 3 to 5.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    SpeechT5FeatureExtractor,
    SpeechT5ForSpeechToSpeech,
    SpeechT5ForTextToSpeech,
    TrainerCallback,
    set_seed,
)

import train
from dataset_script.release import build_release
from kemer.arguments import RunArguments
from kemer.command_line import parse_arguments
from kemer.data import Split, load_split
from kemer.initialisation import build_model, build_processor
from kemer.training import KemerTrainer, build_trainer
from tests import tiny
from tests.dataset_script.corpus_files import Segment, write_corpus

LOGS_VARIABLE = "TENSORBOARD_LOGGING_DIR"
SESSIONS = 5
UTTERANCES = 4 * SESSIONS
EMPTY_TEXT = "kemdy20/Sess03_script01_User005F_001"

# Emotions of the utterances in turn; fear and disgust never occur, which must not matter.
_VOTES = (
    ["neutral"] * 10,
    ["happy"] * 6 + ["neutral"] * 4,
    ["sad"] * 5 + ["neutral"] * 5,
    ["neutral"] * 8 + ["angry"] * 2,
    ["surprise"] * 7 + ["happy"] * 3,
)
LINES = ("well done", "no, not you", "it is late", "why would he", "good night, then")


def make_segments() -> list[Segment]:
    """Return the utterances of the corpus, 0.1 to 0.3 s of noise each."""
    random = np.random.default_rng(0)
    segments = []
    for number in range(UTTERANCES):
        session, place = divmod(number, 4)
        who = place % 2
        samples = random.normal(0, 1000 * (1 + number % 3), 1600 + 160 * int(random.integers(20)))
        segments.append(
            Segment(
                session + 1,
                1 + place // 2,
                user=2 * session + 1 + who,
                gender="FM"[who],
                number=1,
                samples=samples.astype(int).tolist(),
                votes=_VOTES[number % len(_VOTES)],
                ratings=[(1 + (number + rater) % 5, 1 + number % 5) for rater in range(10)],
            )
        )
    return segments


def make_release(folder: Path, *, variants: Sequence[str] = ()) -> Path:
    """Write the corpus and its translations below `folder`, build it, and return the release.

    Args:
        folder: where `corpus`, `translations.jsonl` and `release` are written.
        variants: words that make another rendering of each utterance when they follow its text.
    """
    corpus = write_corpus(folder / "corpus", make_segments())
    translations = folder / "translations.jsonl"
    ids = [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    lines = [
        json.dumps(
            {"id": row_id, "text_en": text, "text_en_variants": [text + v for v in variants]}
        )
        for row_id, text in zip(ids, itertools.cycle(LINES), strict=False)
        if row_id != EMPTY_TEXT
    ]
    translations.write_text("\n".join(lines) + "\n")
    build_release(corpus.root, folder / "release", config="kemdy20", translations=translations)
    return folder / "release"


def make_encoders(folder: Path, *, dropout: bool = True) -> tuple[Path, Path]:
    """Save tiny encoders in the published checkpoints' classes; return speech's and text's folder.

    Args:
        folder: where `speech` and `text` are written.
        dropout: keep dropout, LayerDrop and SpecAugment; without, training is free of chance.
    """
    fields = tiny.without_chance(tiny.SPEECHT5)
    if not dropout:
        rates = ("hidden", "attention", "activation", "positional", "feat_proj")
        names = [f"{rate}_dropout" for rate in rates]
        fields = {**fields, **dict.fromkeys(names, 0.0), "apply_spec_augment": False}
    classes = {"speech": SpeechT5ForSpeechToSpeech, "text": SpeechT5ForTextToSpeech}
    for name, model_class in classes.items():
        torch.manual_seed(1)
        model = tiny.spread_weights(model_class(tiny.library_config(fields)), seed=2)
        model.save_pretrained(folder / name)
        tiny.make_tokenizer(folder / name).save_pretrained(folder / name)
        SpeechT5FeatureExtractor().save_pretrained(folder / name)
    return folder / "speech", folder / "text"


def run_flags(folder: Path, output: Path, **settings: object) -> list[str]:
    """Return a short run's command line.

    Args:
        folder: what holds `release`, `speech` and `text`.
        output: the run's folder.
        **settings: further fields; they override.
    """
    fields = {
        "dataset": folder / "release",
        "output_dir": output,
        "speech_encoder": folder / "speech",
        "text_encoder": folder / "text",
        "meta_attention_heads": 3,
        "num_train_epochs": 1,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 3,
        "disable_tqdm": True,
        "use_cpu": True,
        **settings,
    }
    return [word for name, value in fields.items() for word in (f"--{name}", str(value))]


def prepare(bench: Path, output: Path, **settings: object) -> tuple[RunArguments, Split]:
    """Return what the command line of `run_flags` says, and its fold."""
    arguments = parse_arguments(run_flags(bench, output, **settings))
    return arguments, load_split(arguments.data, reads_text=True)


def make_trainer(
    bench: Path,
    output: Path,
    *,
    callbacks: list[TrainerCallback] | None = None,
    without_test_rows: bool = False,
    **settings: object,
) -> KemerTrainer:
    """Return a trainer as `train.py` makes it.

    Args:
        bench: what holds `release`, `speech` and `text`.
        output: the run's folder.
        callbacks: further callbacks.
        without_test_rows: leave nothing of them to read.
        **settings: of `run_flags`.
    """
    arguments, split = prepare(bench, output, **settings)
    if without_test_rows:
        del split.rows["test"]
    set_seed(arguments.training.seed)
    return build_trainer(
        build_model(arguments.model),
        build_processor(arguments.model),
        split=split,
        arguments=arguments.training,
        data=arguments.data,
        callbacks=callbacks,
    )


def run_train(arguments: RunArguments) -> None:
    """Run `train.py` in this process, and take back what it leaves in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOGS_VARIABLE, "")
        train.main(arguments)
