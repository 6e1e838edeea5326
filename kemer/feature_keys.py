"""What hidden states depend on, as keys: the encoder, and the tensor that it reads.

Below `features`. The key of an utterance is a hash of what the encoder is given, after the cut, the
feature extractor and the tokenizer: whatever option or sample changes it, changes the key, and what
changes nothing keeps it. All else that a result depends on is in the key of the encoder.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

import encoders_kemer
from kemer.fast import encoder as fast_encoder
from kemer.fast import front_end, positions, products, relative_attention

FORMAT = 1
"""Of the keys and the shards; another number leaves all earlier caches aside."""

KEY_BYTES = 16
LIBRARIES = ("torch", "transformers")

FAST_MODULES = (fast_encoder, front_end, positions, products, relative_attention)

# Fields of a configuration that say where it comes from; the libraries are keyed by themselves.
_PROVENANCE = ("_name_or_path", "transformers_version")


def describe_encoder(
    encoder: nn.Module, *, stored: str, computed: str, fast: bool = False
) -> dict[str, Any]:
    """Return everything but its input that an encoder's stored result depends on.

    Args:
        encoder: an encoder of a `KemerModel`.
        stored: precision of the hidden states on disk: `fp32`, `fp16` or `bf16`.
        computed: precision that the encoder computes in, of the same names.
        fast: whether `kemer.fast` computes in its place.

    Returns:
        what JSON can hold: hashes of the weights and the code, the configuration, precisions and
        versions.
    """
    config = json.loads(json.dumps(encoder.config.to_dict(), default=str))
    modules = [encoders_kemer, *(FAST_MODULES if fast else ())]
    code = "".join(inspect.getsource(module) for module in modules).encode("utf-8")
    return {
        "format": FORMAT,
        "encoder": type(encoder).__name__,
        "weights": hash_weights(encoder),
        "config": {name: value for name, value in config.items() if name not in _PROVENANCE},
        "stored": stored,
        "computed": computed,
        "fast": fast,
        "code": hashlib.sha256(code).hexdigest(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def encoder_key(description: dict[str, Any]) -> str:
    """Return the key of an encoder that `describe_encoder` described, 32 hexadecimal digits."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=KEY_BYTES).hexdigest()


def input_key(values: Tensor) -> str:
    """Return the key of what an encoder reads, 32 hexadecimal digits.

    Args:
        values: (length,), the samples or the token ids of one utterance, without padding.

    Example:
        >>> input_key(torch.tensor([5, 2])) == input_key(torch.tensor([5, 2, 1])[:2])
        True
    """
    found = hashlib.blake2b(digest_size=KEY_BYTES)
    _add(found, "", values)
    return found.hexdigest()


def hash_weights(encoder: nn.Module) -> str:
    """Return the hash of an encoder's weights and buffers, 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=KEY_BYTES)
    for name, value in sorted(encoder.state_dict().items()):
        _add(found, name, value)
    return found.hexdigest()


def _add(found: Any, name: str, value: Tensor) -> None:
    """Add a tensor to a hash: its name, type and shape, then its bytes."""
    found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
    # As bytes, because NumPy has no bfloat16; flattened first, as a scalar cannot be viewed so.
    found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
