"""The model that a run starts from: pretrained encoders or fresh ones, and what of them learns.

Third step of `train.py`: after the data, before the Trainer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from kemer.lora import add_lora
from kemer.model_arguments import ModelArguments
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor


def build_model(arguments: ModelArguments) -> KemerModel:
    """Build the model, freeze what is not to be trained, and add low-rank updates if asked for.

    Args:
        arguments: encoders, fusion, freezing and LoRA.

    Returns:
        the model, its new layers (with `from_scratch` all of them) drawn at random: seed before.

    Raises:
        ValueError: if an encoder's checkpoint is not one, or a setting is out of range.
    """
    with _naming_checkpoints(arguments):
        model = KemerModel.from_encoders(
            arguments.speech_encoder,
            arguments.text_encoder,
            fusion=arguments.fusion,
            meta_attention_heads=arguments.meta_attention_heads,
            meta_attention_dropout=arguments.meta_attention_dropout,
            modality_dropout=arguments.modality_dropout,
            valence_arousal_loss_weight=arguments.valence_arousal_loss_weight,
        )
    if arguments.from_scratch:
        model = KemerModel(model.config)
    model.freeze_encoders(
        speech=arguments.freeze_speech_encoder,
        text=arguments.freeze_text_encoder,
        feature_encoder=arguments.freeze_feature_encoder,
    )
    if arguments.lora_rank > 0:
        add_lora(
            model,
            rank=arguments.lora_rank,
            alpha=arguments.lora_alpha,
            dropout=arguments.lora_dropout,
        )
    return model


def build_processor(arguments: ModelArguments) -> KemerProcessor:
    """Build the processor that belongs to the encoders.

    Args:
        arguments: the encoders.

    Returns:
        the processor.

    Raises:
        ValueError: if a checkpoint lacks the feature extractor or tokenizer wanted of it.
    """
    # A tokenizer without its files is a ValueError of the library, which names none of them.
    with _naming_checkpoints(arguments, ValueError):
        return KemerProcessor.from_encoders(arguments.speech_encoder, arguments.text_encoder)


@contextmanager
def _naming_checkpoints(arguments: ModelArguments, *others: type[Exception]) -> Iterator[None]:
    """Say which setting names a checkpoint that cannot be read.

    The libraries' own messages speak of other ways to load, and some name no file.

    Args:
        arguments: the checkpoints.
        *others: exceptions beside those that any loader raises.
    """
    given = {"speech_encoder": arguments.speech_encoder, "text_encoder": arguments.text_encoder}
    named = {name: checkpoint for name, checkpoint in given.items() if checkpoint is not None}
    for name, checkpoint in named.items():
        if checkpoint.count("/") > 1 and not Path(checkpoint).exists():
            raise ValueError(
                f"`{name}` is {checkpoint!r}, which does not exist; where it is the `model` of "
                "another run (stage 1 of the paper), train that first."
            )
        if Path(checkpoint).is_dir() and not (Path(checkpoint) / "config.json").is_file():
            raise ValueError(
                f"`{name}` is {checkpoint!r}, a folder without `config.json`; name one that "
                "`save_pretrained` wrote, such as `model` in the folder of a run."
            )
    try:
        yield
    # The loaders raise OSError for missing files, RuntimeError for weights of another shape.
    except (OSError, RuntimeError, SafetensorError, *others) as error:
        settings = " or ".join(f"`{name}` {checkpoint!r}" for name, checkpoint in named.items())
        raise ValueError(
            f"{settings} cannot be loaded ({error}); name a whole checkpoint: a folder here, or a "
            "repository of the Hub that this machine can reach."
        ) from error
