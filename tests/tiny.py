"""Tiny encoders, tokenizers and models of the real classes, for tests that take milliseconds.

Sizes are odd and differ from one another where the classes allow it, so that a swapped axis fails.
"""

from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import (
    CONFIG_MAPPING,
    PretrainedConfig,
    SpeechT5FeatureExtractor,
    SpeechT5Tokenizer,
)

from configuration_kemer import KemerConfig
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

VOCABULARY = 41

_CONVOLUTIONS: dict[str, Any] = {
    "conv_dim": [9, 10, 11],
    "conv_kernel": [10, 3, 2],
    "conv_stride": [5, 2, 2],
    "num_conv_pos_embedding_groups": 2,
}

SPEECHT5: dict[str, Any] = {
    "model_type": "speecht5",
    "hidden_size": 24,
    "encoder_layers": 2,
    "encoder_attention_heads": 3,
    "encoder_ffn_dim": 37,
    "decoder_layers": 1,
    "decoder_attention_heads": 3,
    "decoder_ffn_dim": 29,
    "vocab_size": VOCABULARY,
    "num_conv_pos_embeddings": 16,
    "encoder_max_relative_position": 7,
    "max_text_positions": 31,
    "speech_decoder_postnet_units": 8,
    "speech_decoder_prenet_units": 8,
    "speaker_embedding_dim": 6,
    **_CONVOLUTIONS,
}

_WAV2VEC2: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 37,
    "num_conv_pos_embeddings": 16,
    "vocab_size": 32,
    **_CONVOLUTIONS,
}

_BERT: dict[str, Any] = {
    "hidden_size": 18,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 37,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 33,
    "pad_token_id": 1,
}

_LAYER_NORM = {"feat_extract_norm": "layer", "conv_bias": True}
_STABLE = {**_LAYER_NORM, "do_stable_layer_norm": True}

SPEECH: dict[str, dict[str, Any]] = {
    "speecht5": SPEECHT5,
    "speecht5-layer": {**SPEECHT5, **_LAYER_NORM},
    "wav2vec2": {"model_type": "wav2vec2", **_WAV2VEC2},
    "wav2vec2-layer": {"model_type": "wav2vec2", **_WAV2VEC2, **_LAYER_NORM},
    "wav2vec2-stable": {"model_type": "wav2vec2", **_WAV2VEC2, **_STABLE},
    "hubert": {"model_type": "hubert", **_WAV2VEC2},
    "hubert-stable": {"model_type": "hubert", **_WAV2VEC2, **_STABLE},
    "hubert-no-projection-norm": {
        "model_type": "hubert",
        **_WAV2VEC2,
        "feat_proj_layer_norm": False,
    },
    "hubert-batch-norm": {"model_type": "hubert", **_WAV2VEC2, "conv_pos_batch_norm": True},
    "wavlm": {"model_type": "wavlm", **_WAV2VEC2},
    "wavlm-stable": {"model_type": "wavlm", **_WAV2VEC2, **_STABLE},
    "data2vec-audio": {
        "model_type": "data2vec-audio",
        **{**_WAV2VEC2, "num_conv_pos_embeddings": 3},
        "conv_pos_kernel_size": 7,
    },
}
"""Every family of speech encoders, and every variant whose padding behaves differently."""

TEXT: dict[str, dict[str, Any]] = {
    "speecht5": SPEECHT5,
    "bert": {"model_type": "bert", **_BERT},
    "roberta": {"model_type": "roberta", **_BERT},
    "xlm-roberta": {"model_type": "xlm-roberta", **_BERT},
    "electra": {"model_type": "electra", **_BERT, "embedding_size": 15},
    "distilbert": {
        "model_type": "distilbert",
        "dim": 18,
        "n_layers": 2,
        "n_heads": 3,
        "hidden_dim": 37,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 33,
        "pad_token_id": 1,
    },
}
"""Every family of text encoders."""


MODALITIES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "both": (SPEECHT5, SPEECHT5),
    "both, other sizes": (SPEECHT5, TEXT["bert"]),
    "wav2vec2 and bert": (SPEECH["wav2vec2"], TEXT["bert"]),
    "speech": (SPEECHT5, None),
    "text": (None, SPEECHT5),
}
"""Models with both modalities and with one: the configurations of speech and text."""


def library_config(fields: dict[str, Any]) -> PretrainedConfig:
    """Return the library's configuration object of a tiny encoder."""
    arguments = {name: value for name, value in fields.items() if name != "model_type"}
    return CONFIG_MAPPING[fields["model_type"]](**arguments)


def without_chance(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return an encoder that no layer is dropped from and whose SpecAugment always finds a span."""
    if fields is None:
        return None
    if "conv_dim" not in fields:
        return fields
    layerdrop = "encoder_layerdrop" if fields["model_type"] == "speecht5" else "layerdrop"
    return {**fields, layerdrop: 0.0, "mask_time_length": 2}


def make_model(
    speech: dict[str, Any] | None = SPEECHT5,
    text: dict[str, Any] | None = SPEECHT5,
    *,
    seed: int = 0,
    **config_arguments: Any,
) -> KemerModel:
    """Return a tiny model in evaluation mode with weights that are large enough to matter."""
    torch.manual_seed(seed)
    config_arguments = {"meta_attention_heads": 3, **config_arguments}
    model = KemerModel(KemerConfig(speech, text, **config_arguments))
    return spread_weights(model, seed=seed).eval()


def spread_weights(module: torch.nn.Module, *, seed: int = 0) -> torch.nn.Module:
    """Change every parameter at random: fresh biases of 0 and scales of 1 would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module


def make_inputs(model: KemerModel, *, batch: int = 2) -> dict[str, torch.Tensor]:
    """Return inputs without padding for the modalities that `model` has."""
    inputs = {}
    if model.speech_encoder is not None:
        inputs["input_values"] = torch.stack([waveform(901, seed=i) for i in range(batch)])
    if model.text_encoder is not None:
        inputs["input_ids"] = torch.stack([token_ids(7, seed=i) for i in range(batch)])
    return inputs


def waveform(samples: int, *, seed: int) -> torch.Tensor:
    """Return noise that is neither centred nor of unit variance, `(samples,)`."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + 0.3 * torch.randn(samples, generator=generator)


def token_ids(tokens: int, *, seed: int) -> torch.Tensor:
    """Return tokens that are not special ones, `(tokens,)`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, VOCABULARY, (tokens,), generator=generator)


def pad(rows: list[torch.Tensor], *, value: float, width: int | None = None) -> dict[str, Any]:
    """Pad rows on the right with `value`; return `values` and `mask`, both `(batch, width)`."""
    width = width or max(len(row) for row in rows)
    values = rows[0].new_full((len(rows), width), value)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for index, row in enumerate(rows):
        values[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return {"values": values, "mask": mask}


def make_tokenizer(folder: Path, *, model_max_length: int = 31) -> SpeechT5Tokenizer:
    """Return a character tokenizer with SpeechT5's special ids, its files in `folder`."""
    alphabet = "abcdefghijklmnopqrstuvwxyz',.?!"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([alphabet, "well done, you have done it again!"]),
        model_prefix=str(folder / "spm_char"),
        model_type="char",
        vocab_size=VOCABULARY - 4,
        hard_vocab_limit=False,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    return SpeechT5Tokenizer(str(folder / "spm_char.model"), model_max_length=model_max_length)


def make_processor(folder: Path, **arguments: Any) -> KemerProcessor:
    """Return a processor for tiny models."""
    arguments = {"minimum_samples": 30, **arguments}
    return KemerProcessor(SpeechT5FeatureExtractor(), make_tokenizer(folder), **arguments)


def save_checkpoint(folder: Path) -> Path:
    """Save a tiny model of both modalities with its processor; return the folder."""
    make_model().save_pretrained(folder)
    make_processor(folder).save_pretrained(folder)
    return folder
