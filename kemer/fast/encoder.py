"""SpeechT5's speech encoder for inference: utterances side by side without padding.

The layers that treat each frame by itself run over the frames of many utterances at once; the front
end and the attention run for each utterance, and the positional convolution over all with zeros
between. The hidden states are those of `encoders_kemer`, whose forward stays the reference: to 1e-5
of their norm in float32, and in bfloat16 as near to float32 as autocast is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from encoders_kemer import KemerSpeechT5SpeechEncoder
from kemer.fast.front_end import FastFrontEnd
from kemer.fast.positions import FastPositions
from kemer.fast.products import Product
from kemer.fast.relative_attention import relative_attention

FRAMES_TOGETHER = 1024
"""So many frames fill a matrix product; more of them only leave the cache."""


DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
"""Precisions by the names that settings give them."""


def make_fast(encoder: nn.Module | None, *, dtype: torch.dtype) -> FastSpeechEncoder | None:
    """Return an encoder's fast twin, None where there is none to take its place.

    Args:
        encoder: of a model, in evaluation mode.
        dtype: that is to be computed in; float16 would overflow in the front end.
    """
    if not isinstance(encoder, KemerSpeechT5SpeechEncoder) or dtype == torch.float16:
        return None
    if encoder.device.type != "cpu":  # on a GPU the library's kernels are the fast ones
        return None
    return FastSpeechEncoder(encoder, dtype=dtype)


@dataclass(frozen=True)
class FastLayer:
    """One Transformer layer, in the type that is computed in."""

    inputs: Product  # queries (scaled), keys and values, one below the other
    output: Product
    norm: nn.LayerNorm
    widen: Product
    narrow: Product
    final_norm: nn.LayerNorm


class FastSpeechEncoder:
    """A SpeechT5 speech encoder for inference.

    It shares weights with the encoder where their type is the same and holds copies of the others:
    make it anew after a step of training.

    Args:
        encoder: in evaluation mode.
        dtype: that is computed in: float32 or bfloat16.

    Raises:
        ValueError: if the encoder is of another kind, or in training mode.
    """

    def __init__(self, encoder: nn.Module, *, dtype: torch.dtype = torch.bfloat16) -> None:
        if not isinstance(encoder, KemerSpeechT5SpeechEncoder) or encoder.training:
            raise ValueError(
                f"`encoder` is a {type(encoder).__name__}{' in training' * encoder.training}; "
                "allowed is SpeechT5's speech encoder in evaluation mode."
            )
        self.dtype, prenet, wrapped = dtype, encoder.prenet, encoder.wrapped_encoder
        self.front_end = FastFrontEnd(encoder.convolutions, dtype=dtype)
        self.feature_norm = self._copy(prenet.feature_projection.layer_norm)
        self.projection = self._product(prenet.feature_projection.projection)
        self.positions = FastPositions(prenet.pos_conv_embed, dtype=dtype)
        self.sinusoids = prenet.pos_sinusoidal_embed
        self.norm = self._copy(wrapped.layer_norm)
        self.layers = [self._layer(one) for one in wrapped.layers]
        # From the farthest key before a query to the farthest after it.
        table = wrapped.embed_positions.pe_k.weight.flip(0)
        self.offsets = Product(table, None, dtype=dtype)
        self.heads = encoder.config.encoder_attention_heads

    @torch.inference_mode()
    def __call__(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Encode utterances, any number of them.

        Args:
            waveforms: (samples,) float32 each, one frame's at least.

        Returns:
            the hidden states of each, (frames, hidden), in the type that is computed in.
        """
        found: list[Tensor] = []
        features: list[Tensor] = []
        for place, samples in enumerate(waveforms):
            features.append(self.front_end(samples))
            is_last = place == len(waveforms) - 1
            if is_last or sum(map(len, features)) >= FRAMES_TOGETHER:
                found += self._encode(features)
                features = []
        return found

    def encode_padded(self, input_values: Tensor, attention_mask: Tensor) -> list[Tensor]:
        """Encode the utterances of a batch, both arguments (batch, samples); see `__call__`."""
        lengths = attention_mask.sum(dim=1).tolist()
        return self([row[:length] for row, length in zip(input_values, lengths, strict=True)])

    def _encode(self, features: list[Tensor]) -> list[Tensor]:
        """Return the hidden states of utterances whose features are (frames, channels) each."""
        lengths = [len(one) for one in features]
        hidden = self.projection(self.feature_norm(torch.cat(features)))
        hidden = hidden + self.positions(hidden, lengths) + self._sinusoids(hidden, lengths)
        hidden = self.norm(hidden)
        for layer in self.layers:
            hidden = self._transform(layer, hidden, lengths)
        return list(hidden.split(lengths))

    def _sinusoids(self, hidden: Tensor, lengths: list[int]) -> Tensor:
        """Return the sinusoids of each utterance's frames, (frames, hidden) like `hidden`."""
        frames = torch.zeros((1, max(lengths)), dtype=torch.long, device=hidden.device)
        table = self.sinusoids(frames)[0].to(self.dtype)
        return torch.cat([table[:length] for length in lengths])

    def _transform(self, layer: FastLayer, hidden: Tensor, lengths: list[int]) -> Tensor:
        """Run one Transformer layer over the frames of all utterances, (frames, hidden)."""
        mixed = layer.inputs(hidden).view(len(hidden), 3, self.heads, -1)
        # Two-dimensional, for a product of many matrices would copy the table for each.
        queries = mixed[:, 0].reshape(len(hidden) * self.heads, -1)
        offsets = self.offsets(queries).view(len(hidden), self.heads, -1)
        utterances = zip(mixed.split(lengths), offsets.split(lengths), strict=True)
        looked = torch.cat([relative_attention(*one.unbind(1), its) for one, its in utterances])
        hidden = layer.norm(hidden + layer.output(looked))
        return layer.final_norm(hidden + layer.narrow(layer.widen(hidden)))

    def _layer(self, layer: nn.Module) -> FastLayer:
        attention = layer.attention
        inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
        weight = torch.cat([one.weight.detach() for one in inputs])
        bias = torch.cat([one.bias.detach() for one in inputs])
        queries = len(attention.q_proj.bias)
        weight[:queries] *= attention.scaling
        bias[:queries] *= attention.scaling
        forward = layer.feed_forward
        return FastLayer(
            inputs=Product(weight, bias, dtype=self.dtype),
            output=self._product(attention.out_proj),
            norm=self._copy(layer.layer_norm),
            widen=self._product(forward.intermediate_dense, forward.intermediate_act_fn),
            narrow=self._product(forward.output_dense),
            final_norm=self._copy(layer.final_layer_norm),
        )

    def _product(self, linear: nn.Linear, activation: nn.Module | None = None) -> Product:
        return Product(linear.weight, linear.bias, dtype=self.dtype, activation=activation)

    def _copy(self, norm: nn.LayerNorm) -> nn.LayerNorm:
        copied = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, device=norm.weight.device)
        copied.load_state_dict(norm.state_dict())
        return copied.to(self.dtype).requires_grad_(False)
