"""A feature cache built on a tiny release, and what stands in it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kemer.features import build_features
from kemer.initialisation import build_model, build_processor
from tests.kemer.bench import prepare

FROZEN = {"freeze_speech_encoder": True, "freeze_text_encoder": True}


def build(bench: Path, cache: Path, **settings: object) -> dict[str, Any]:
    """Return the hidden states of every role, as `train.py` builds them."""
    settings = {**FROZEN, "feature_cache": cache, **settings}
    arguments, split = prepare(bench, cache.with_name("run"), **settings)
    model, processor = build_model(arguments.model), build_processor(arguments.model)
    return build_features(model, processor, split=split, arguments=arguments)


def report(capsys: pytest.CaptureFixture[str], modality: str) -> tuple[int, ...]:
    """Return how many utterances the last build found, computed and saw repeated."""
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith(f"feature cache, {modality} encoder")]
    words = line.replace(",", "").split()
    return tuple(int(words[words.index(word) - 1]) for word in ("kept", "computed", "the"))


def contents(cache: Path) -> dict[str, torch.Tensor]:
    """Return every stored utterance by folder and key; no key may be there twice."""
    found: dict[str, torch.Tensor] = {}
    for shard in sorted(cache.glob("*/*.safetensors")):
        tensors = load_file(shard)
        starts = [0, *tensors["ends"].tolist()]
        for key, start, stop in zip(tensors["keys"], starts, starts[1:], strict=False):
            name = f"{shard.parent.name}/{bytes(key.tolist()).hex()}"
            assert name not in found
            found[name] = tensors["hidden_states"][start:stop].clone()
    return found


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys() and expected
    assert all(torch.equal(found[key], value) for key, value in expected.items())
