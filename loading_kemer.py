"""Encoders out of checkpoints: SpeechT5's, wav2vec2-like, BERT-like and KEMER's own.

It stands before the model: `KemerModel.from_encoders` reads its two encoders here. A weight that
the checkpoint lacks or the encoder has no place for is an error, never silently a random number.
"""

import logging
import pickle

from torch import Tensor
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

try:
    from .configuration_kemer import SPEECH_MODEL_TYPES, TEXT_MODEL_TYPES, KemerConfig
    from .encoders_kemer import speech_encoder_class, text_encoder_arguments, text_encoder_class
except ImportError:
    if __package__:
        raise
    from configuration_kemer import SPEECH_MODEL_TYPES, TEXT_MODEL_TYPES, KemerConfig
    from encoders_kemer import speech_encoder_class, text_encoder_arguments, text_encoder_class

logger = logging.getLogger(__name__)

_ALLOWED = {
    "speech": (
        "SpeechT5ForSpeechToSpeech, SpeechT5ForSpeechToText, SpeechT5EncoderWithSpeechPrenet, any "
        f"checkpoint of the types {', '.join(SPEECH_MODEL_TYPES[1:])}, and KEMER with speech"
    ),
    "text": (
        "SpeechT5ForTextToSpeech, SpeechT5EncoderWithTextPrenet, any checkpoint of the types "
        f"{', '.join(TEXT_MODEL_TYPES[1:])}, and KEMER with text"
    ),
}

# A vector for SpecAugment in training, which some published wav2vec2 checkpoints leave out.
_OPTIONAL_WEIGHTS = ("masked_spec_embed",)

# Tables that a formula gives; releases of transformers before 4.31 wrote them into checkpoints.
_CONSTANT_TABLES = ("encode_positions.pe", "pos_sinusoidal_embed.weights", "position_ids")


def read_encoder_config(argument: str, checkpoint: str) -> PretrainedConfig:
    """Return the configuration of the encoder that a checkpoint holds.

    Args:
        argument: `"speech"` or `"text"`, the encoder wanted.
        checkpoint: a folder or a repository of the Hub.

    Returns:
        The encoder's configuration, of one of the allowed model types.

    Raises:
        ValueError: if the checkpoint is of another kind or holds no such encoder.
        OSError: if there is no such checkpoint.
    """
    found, _ = PretrainedConfig.get_config_dict(checkpoint)
    model_type = found.get("model_type")
    if model_type == KemerConfig.model_type:
        config = getattr(KemerConfig.from_pretrained(checkpoint), f"{argument}_config")
        if config is None:
            raise ValueError(
                f"`{argument}` is {checkpoint!r}, a KEMER checkpoint without a {argument} encoder; "
                f"allowed are {_ALLOWED[argument]}."
            )
        return config
    if model_type not in (SPEECH_MODEL_TYPES if argument == "speech" else TEXT_MODEL_TYPES):
        raise ValueError(
            f"`{argument}` is {checkpoint!r}, a checkpoint of type {model_type!r} (architectures "
            f"{found.get('architectures')}); allowed are {_ALLOWED[argument]}."
        )
    return AutoConfig.from_pretrained(checkpoint)


def read_encoder_weights(
    argument: str, checkpoint: str, *, config: PretrainedConfig
) -> dict[str, Tensor]:
    """Return the weights of the encoder that a checkpoint holds, in its own precision.

    Args:
        argument: `"speech"` or `"text"`, the encoder wanted.
        checkpoint: a folder or a repository of the Hub.
        config: the encoder's configuration, as `read_encoder_config` returned it.

    Returns:
        The encoder's state dict, complete.

    Raises:
        ValueError: if the checkpoint lacks weights of the encoder or holds more than it has, or if
            they are no safetensors and a pickle that holds more than tensors.
    """
    found, _ = PretrainedConfig.get_config_dict(checkpoint)
    is_kemer = found.get("model_type") == KemerConfig.model_type
    encoder_class: type[PreTrainedModel]
    if argument == "speech":
        encoder_class, arguments = speech_encoder_class(config), {}
    else:
        encoder_class, arguments = text_encoder_class(config), text_encoder_arguments(config)
    prefixes = ()
    if is_kemer:
        prefixes = (f"{argument}_encoder.",)
    elif config.model_type == "speecht5":
        prefixes = ("speecht5.encoder.", "encoder.")
    try:
        encoder, report = encoder_class.from_pretrained(
            checkpoint,
            config=config,
            key_mapping={"^" + prefix.replace(".", r"\."): "" for prefix in prefixes} or None,
            output_loading_info=True,
            weights_only=True,  # of a checkpoint without safetensors, tensors and nothing that runs
            **arguments,
        )
    except pickle.UnpicklingError as error:  # PyTorch's advice would be to run what is in there
        raise ValueError(
            f"`{argument}` is {checkpoint!r}, whose weights are a pickle that holds more than "
            "tensors; nothing of it was run. Use a checkpoint in safetensors."
        ) from error
    _check_report(argument, checkpoint, found, encoder, report)
    return encoder.state_dict()


def _check_report(
    argument: str,
    checkpoint: str,
    found: dict[str, object],
    encoder: PreTrainedModel,
    report: dict[str, object],
) -> None:
    """Raise ValueError unless the loader filled the encoder wholly and left nothing of it over."""
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(_OPTIONAL_WEIGHTS))
    if missing:
        raise ValueError(
            f"`{argument}` is {checkpoint!r} (architectures {found.get('architectures')}), which "
            f"lacks {len(missing)} weights of the {argument} encoder ({missing[0]}, ...); allowed "
            f"are {_ALLOWED[argument]}."
        )
    if report["missing_keys"]:
        logger.warning(
            "%s holds no `masked_spec_embed`; it starts at random and serves only SpecAugment in "
            "training.",
            checkpoint,
        )
    own_modules = tuple(f"{name}." for name, _ in encoder.named_children() if name != "pooler")
    prefix = f"{encoder.base_model_prefix}."
    leftover = sorted(
        key
        for key in report["unexpected_keys"]
        if key.removeprefix(prefix).startswith(own_modules) and not key.endswith(_CONSTANT_TABLES)
    )
    if leftover:
        raise ValueError(
            f"`{argument}` is {checkpoint!r}, whose config.json does not describe its weights: "
            f"{len(leftover)} weights have no place in the encoder ({leftover[0]}, ...); use a "
            "checkpoint that was saved with its own configuration."
        )
