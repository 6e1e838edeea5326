"""What the measurements of speed run on: real-size SpeechT5 with random weights, KEMDy-like speech.

Durations are log-normal with a median of 4.5 s, from 0.7 to 30 s, as the corpora's are; recordings
are noise and texts invented, for the speed depends on neither.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import (
    SpeechT5Config,
    SpeechT5ForSpeechToSpeech,
    SpeechT5ForTextToSpeech,
    SpeechT5Tokenizer,
)

from benchmarks.build_dataset import write_corpus
from configuration_kemer import KemerConfig
from encoders_kemer import KemerSpeechT5SpeechEncoder

ROOT = Path(__file__).resolve().parents[1]
RATE = 16_000
MEDIAN_SECONDS, LOG_SPREAD, SHORTEST, LONGEST = 4.5, 0.75, 0.7, 30.0
LINES = ("How dare anyone do that!", "I will just stay at home today.", "Well, if you say so.")


def make_waveforms(count: int, *, seed: int = 0) -> list[torch.Tensor]:
    """Return utterances, (samples,) float32 each, in a random order of lengths."""
    rng = np.random.default_rng(seed)
    seconds = (MEDIAN_SECONDS * np.exp(rng.normal(0, LOG_SPREAD, count))).clip(SHORTEST, LONGEST)
    return [
        torch.from_numpy(rng.normal(0, 0.1, int(one * RATE)).astype(np.float32)) for one in seconds
    ]


def make_encoder(*, seed: int = 0) -> KemerSpeechT5SpeechEncoder:
    """Return a speech encoder of real size, in evaluation mode."""
    torch.manual_seed(seed)
    return KemerSpeechT5SpeechEncoder(SpeechT5Config()).eval().requires_grad_(False)


def encoder_flops(samples: int) -> float:
    """Return the arithmetic of a real-size speech encoder for one utterance without padding.

    Args:
        samples: of the utterance.

    Returns:
        floating-point operations, two for each multiplication with its addition.
    """
    config = KemerConfig(text_config=None).speech_config
    length, channels, total = samples, 1, 0.0
    layers = zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True)
    for width, kernel, stride in layers:
        length = (length - kernel) // stride + 1
        total += 2 * length * kernel * channels * width
        channels = width
    hidden, inner = config.hidden_size, config.encoder_ffn_dim
    total += 2 * length * channels * hidden  # projection
    group = hidden // config.num_conv_pos_embedding_groups
    total += 2 * length * hidden * group * config.num_conv_pos_embeddings
    layer = 2 * length * (4 * hidden * hidden + 2 * hidden * inner)
    layer += 2 * 2 * length * length * hidden  # queries with keys, weights with values
    return total + config.encoder_layers * layer


def matrix_rate(dtype: torch.dtype = torch.bfloat16) -> float:
    """Return this machine's rate of matrix multiplication in operations a second, now.

    The best of several products of the encoder's own shapes.
    """
    best = 0.0
    for rows, inner, columns in ((2048, 768, 3072), (2048, 3072, 768), (2048, 1536, 512)):
        left = torch.randn(rows, inner).to(dtype)
        weight = torch.randn(columns, inner).to(dtype)
        operations = 2 * rows * inner * columns
        best = max(best, operations / shortest(lambda a=left, b=weight: functional.linear(a, b), 9))
    return best


def shortest(work: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the fastest of some runs, after one that is not counted."""
    work()
    found = math.inf
    for _ in range(times):
        began = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - began)
    return found


def write_encoders(folder: Path) -> tuple[Path, Path]:
    """Save checkpoints of real size and the published classes; return speech's and text's."""
    for name in ("speech", "text"):  # tokenizer and feature extractor
        shutil.copytree(ROOT / "demo_encoders" / name, folder / name)
    for name, model_class in (
        ("speech", SpeechT5ForSpeechToSpeech),
        ("text", SpeechT5ForTextToSpeech),
    ):
        torch.manual_seed(0)
        letters = len(SpeechT5Tokenizer.from_pretrained(folder / "text"))
        model_class(SpeechT5Config(vocab_size=letters)).save_pretrained(folder / name)
    return folder / "speech", folder / "text"


def write_dataset(folder: Path, utterances: int) -> Path:
    """Build a data set in the layout of KEMDy20 with English for each line; return its folder."""
    write_corpus(folder / "corpus", utterances)
    ids = sorted(f"kemdy20/{path.stem}" for path in (folder / "corpus").rglob("*.wav"))
    lines = [
        json.dumps({"id": name, "text_en": LINES[number % len(LINES)]})
        for number, name in enumerate(ids)
    ]
    (folder / "translations.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    build = ["build", str(folder / "corpus"), "--config", "kemdy20"]
    build += ["--output", str(folder / "dataset")]
    build += ["--translations", str(folder / "translations.jsonl")]
    run_python("-m", "dataset_script", *build)
    return folder / "dataset"


def run_python(*words: str, **environment: str) -> str:
    """Run Python in the project's root; return what it printed.

    Raises:
        RuntimeError: if it fails, with what it said.
    """
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")
    return done.stdout
