"""Low-rank updates of the encoders (LoRA; Hu and others, ICLR 2022), learnt in place of weights.

Beside `initialisation`, which adds them where a run asks for them; at the end of training they are
merged, so that the released model is an ordinary one. The layers above the encoders learn as ever.
"""

from __future__ import annotations

from peft import LoraConfig, LoraModel
from peft.tuners.lora import LoraLayer
from torch import nn

from modeling_kemer import KemerModel

ATTENTION = ("q_proj", "v_proj", "query", "value", "q_lin", "v_lin")
"""Query and value of self-attention, as Hu and others chose, by their names in the encoders."""

FEED_FORWARD = ("intermediate_dense", "output_dense")
"""Of WavLM, whose attention takes the weights of its layers and would pass an update by."""


def add_lora(model: KemerModel, *, rank: int, alpha: float, dropout: float) -> None:
    """Put low-rank updates, which change nothing yet, beside the weights of trainable encoders.

    The encoders' own weights are frozen; encoders that were frozen as a whole stay so.

    Args:
        model: changed in place.
        rank: of the updates, 1 or more.
        alpha: they are scaled by `alpha / rank`.
        dropout: of what they read, in [0, 1).
    """
    for encoder in (model.speech_encoder, model.text_encoder):
        if encoder is not None and any(p.requires_grad for p in encoder.parameters()):
            targets = FEED_FORWARD if encoder.config.model_type == "wavlm" else ATTENTION
            config = LoraConfig(
                r=rank,
                lora_alpha=alpha,
                lora_dropout=dropout,
                target_modules=list(targets),
                bias="none",
            )
            LoraModel(encoder, config, "default")
    model.train(model.training)


def merge_lora(model: KemerModel) -> None:
    """Add the low-rank updates to the weights and remove them; without any, change nothing.

    Args:
        model: changed in place; gives the same answers as before, up to rounding.

    Raises:
        ValueError: if an update is not finite.
    """
    for encoder in (model.speech_encoder, model.text_encoder):
        for name, layer in [] if encoder is None else list(encoder.named_modules()):
            if isinstance(layer, LoraLayer):
                layer.merge(safe_merge=True)
                parent, _, attribute = name.rpartition(".")
                base: nn.Module = layer.get_base_layer()
                setattr(encoder.get_submodule(parent), attribute, base)
