"""What of a model a checkpoint of training holds: all but encoders that are frozen.

Below `training`. A frozen encoder is in each checkpoint as the run began with it, four fifths of a
gigabyte an epoch at full size; so it stays where it came from, and a checkpoint names it by its
hash. Such a checkpoint has no configuration, for it is nothing to load but to go on from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file
from torch import nn
from transformers.utils import SAFE_WEIGHTS_NAME

from kemer.feature_keys import hash_weights
from modeling_kemer import KemerModel

FROZEN_FILE = "frozen_encoders.json"
ENCODERS = ("speech_encoder", "text_encoder")


def frozen_encoders(model: KemerModel) -> dict[str, nn.Module]:
    """Return the encoders of which nothing is trained, by name."""
    encoders = {name: getattr(model, name) for name in ENCODERS}
    return {
        name: encoder
        for name, encoder in encoders.items()
        if encoder is not None and not any(weight.requires_grad for weight in encoder.parameters())
    }


def hash_frozen(model: KemerModel) -> dict[str, str]:
    """Return the hash of each frozen encoder's weights, by name."""
    return {name: hash_weights(encoder) for name, encoder in frozen_encoders(model).items()}


def save_trained(model: KemerModel, folder: Path, *, hashes: dict[str, str]) -> None:
    """Write the weights that no frozen encoder holds, and the hashes of those.

    Args:
        model: the model.
        folder: of the checkpoint.
        hashes: of the frozen encoders, as `hash_frozen` gave them.
    """
    frozen = tuple(f"{name}." for name in hashes)
    weights = {
        name: value.contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith(frozen)
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
    (folder / FROZEN_FILE).write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


def check_frozen(folder: Path, *, hashes: dict[str, str]) -> None:
    """Check that a checkpoint was trained on the frozen encoders that are there.

    Args:
        folder: of the checkpoint; one that holds all weights is left to the library.
        hashes: of the frozen encoders, as `hash_frozen` gave them.

    Raises:
        ValueError: if it was trained on others.
    """
    path = folder / FROZEN_FILE
    if not path.is_file():
        return
    stored = json.loads(path.read_text(encoding="utf-8"))
    if others := sorted(name for name in stored if stored[name] != hashes.get(name)):
        raise ValueError(
            f"`{folder}` was trained on another frozen `{others[0]}` than the one given; name the "
            "one that the run began with, or start anew in another folder."
        )


def refuse_lost(missing: Sequence[str], *, hashes: dict[str, str]) -> None:
    """Raise ValueError if a checkpoint lacks weights of anything but frozen encoders."""
    frozen = tuple(f"{name}." for name in hashes)
    if lost := [name for name in missing if not name.startswith(frozen)]:
        raise ValueError(
            f"the checkpoint lacks {len(lost)} weights ({lost[0]}, ...); resume from another one, "
            "or start anew."
        )
