"""The model that a run starts from: pretrained encoders or fresh ones, and what of them learns.

Third step of `train.py`: after the data, before the Trainer.
"""

from __future__ import annotations

from kemer.arguments import ModelArguments
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor


def build_model(arguments: ModelArguments) -> KemerModel:
    """Build the model and freeze what is not to be trained.

    Args:
        arguments: encoders, fusion and freezing.

    Returns:
        the model, its new layers (with `from_scratch` all of them) drawn at random: seed before.

    Raises:
        ValueError: if an encoder's checkpoint is not one, or a setting is out of range.
    """
    model = KemerModel.from_encoders(
        arguments.speech_encoder,
        arguments.text_encoder,
        meta_attention_heads=arguments.meta_attention_heads,
        meta_attention_dropout=arguments.meta_attention_dropout,
        valence_arousal_loss_weight=arguments.valence_arousal_loss_weight,
    )
    if arguments.from_scratch:
        model = KemerModel(model.config)
    model.freeze_encoders(
        speech=arguments.freeze_speech_encoder,
        text=arguments.freeze_text_encoder,
        feature_encoder=arguments.freeze_feature_encoder,
    )
    return model


def build_processor(arguments: ModelArguments) -> KemerProcessor:
    """Build the processor that belongs to the encoders."""
    return KemerProcessor.from_encoders(arguments.speech_encoder, arguments.text_encoder)
