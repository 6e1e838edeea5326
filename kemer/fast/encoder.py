"""SpeechT5's speech encoder for inference: utterances side by side without padding.

The layers that treat each frame by itself run over the frames of many utterances at once; what
looks across frames (front end, positions, attention) runs for each utterance. The hidden states are
those of `encoders_kemer`, whose forward stays the reference: to 1e-5 of their norm in float32, and
in bfloat16 as near to float32 as autocast is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders_kemer import KemerSpeechT5SpeechEncoder
from kemer.fast.front_end import FastFrontEnd
from kemer.fast.relative_attention import relative_attention

FRAMES_TOGETHER = 512
"""So many frames fill a matrix product; more of them only leave the cache."""


def is_fast(encoder: nn.Module) -> bool:
    """Return whether an encoder has a fast twin here."""
    return isinstance(encoder, KemerSpeechT5SpeechEncoder)


@dataclass(frozen=True)
class FastLayer:
    """Weights of one Transformer layer, in the type that is computed in."""

    inputs: tuple[Tensor, Tensor]  # queries (scaled), keys and values, one below the other
    output: tuple[Tensor, Tensor]
    norm: nn.LayerNorm
    widen: tuple[Tensor, Tensor]
    narrow: tuple[Tensor, Tensor]
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
        if not is_fast(encoder) or encoder.training:
            raise ValueError(
                f"`encoder` is a {type(encoder).__name__}{' in training' * encoder.training}; "
                "allowed is SpeechT5's speech encoder in evaluation mode."
            )
        self.dtype, prenet, wrapped = dtype, encoder.prenet, encoder.wrapped_encoder
        self.front_end = FastFrontEnd(encoder.convolutions, dtype=dtype)
        self.feature_norm = self._copy(prenet.feature_projection.layer_norm)
        self.projection = self._pair(prenet.feature_projection.projection)
        self.positions = FastPositions(prenet.pos_conv_embed, dtype=dtype)
        self.sinusoids = prenet.pos_sinusoidal_embed
        self.norm = self._copy(wrapped.layer_norm)
        self.layers = [self._layer(one) for one in wrapped.layers]
        # From the farthest key before a query to the farthest after it.
        self.offsets = wrapped.embed_positions.pe_k.weight.detach().flip(0).to(dtype)
        self.heads = encoder.config.encoder_attention_heads
        self.activation = wrapped.layers[0].feed_forward.intermediate_act_fn

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

    def _encode(self, features: list[Tensor]) -> list[Tensor]:
        """Return the hidden states of utterances whose features are (frames, channels) each."""
        lengths = [len(one) for one in features]
        hidden = functional.linear(self.feature_norm(torch.cat(features)), *self.projection)
        hidden = torch.cat([self._place(one) for one in hidden.split(lengths)])
        hidden = self.norm(hidden)
        for layer in self.layers:
            hidden = self._transform(layer, hidden, lengths)
        return list(hidden.split(lengths))

    def _place(self, hidden: Tensor) -> Tensor:
        """Add both kinds of position to the frames of one utterance, (frames, hidden)."""
        frames = torch.zeros((1, len(hidden)), dtype=torch.long, device=hidden.device)
        sinusoids = self.sinusoids(frames)[0].to(self.dtype)
        return hidden + self.positions(hidden) + sinusoids

    def _transform(self, layer: FastLayer, hidden: Tensor, lengths: list[int]) -> Tensor:
        """Run one Transformer layer over the frames of all utterances, (frames, hidden)."""
        width = hidden.shape[1]
        mixed = functional.linear(hidden, *layer.inputs)  # (frames, 3 * hidden)
        split = mixed.view(len(hidden), 3, self.heads, -1)
        offsets = functional.linear(split[:, 0], self.offsets)  # (frames, heads, 2 * reach)
        looked = hidden.new_empty((len(hidden), width))
        first = 0
        for length in lengths:
            rows = slice(first, first + length)
            queries, keys, values = split[rows].unbind(1)
            looked[rows] = relative_attention(queries, keys, values, offsets[rows])
            first += length
        hidden = layer.norm(hidden + functional.linear(looked, *layer.output))
        wide = self.activation(functional.linear(hidden, *layer.widen))
        return layer.final_norm(hidden + functional.linear(wide, *layer.narrow))

    def _layer(self, layer: nn.Module) -> FastLayer:
        attention = layer.attention
        inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
        weight = torch.cat([one.weight.detach() for one in inputs])
        bias = torch.cat([one.bias.detach() for one in inputs])
        queries = len(attention.q_proj.bias)
        weight[:queries] *= attention.scaling
        bias[:queries] *= attention.scaling
        return FastLayer(
            inputs=(self._cast(weight), self._cast(bias)),
            output=self._pair(attention.out_proj),
            norm=self._copy(layer.layer_norm),
            widen=self._pair(layer.feed_forward.intermediate_dense),
            narrow=self._pair(layer.feed_forward.output_dense),
            final_norm=self._copy(layer.final_layer_norm),
        )

    def _cast(self, weight: Tensor) -> Tensor:
        return weight.detach().to(self.dtype)

    def _pair(self, linear: nn.Linear) -> tuple[Tensor, Tensor]:
        return self._cast(linear.weight), self._cast(linear.bias)

    def _copy(self, norm: nn.LayerNorm) -> nn.LayerNorm:
        copied = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, device=norm.weight.device)
        copied.load_state_dict(norm.state_dict())
        return copied.to(self.dtype).requires_grad_(False)


class FastPositions:
    """The positional convolution: each group is a product over overlapping rows.

    Args:
        embedding: the library's, a grouped convolution as wide as its padding is on both sides.
        dtype: that is computed in.
    """

    def __init__(self, embedding: nn.Module, *, dtype: torch.dtype) -> None:
        convolution = embedding.conv
        self.groups, self.kernel = convolution.groups, convolution.kernel_size[0]
        weight = convolution.weight.detach()  # (out, in of a group, kernel), norm applied
        out, inside, _ = weight.shape
        # (groups, kernel * in, out of a group)
        grouped = weight.view(self.groups, out // self.groups, inside, self.kernel)
        self.weight = grouped.permute(0, 3, 2, 1).flatten(1, 2).to(dtype).contiguous()
        self.bias = convolution.bias.detach().to(dtype)
        self.padding = convolution.padding[0]
        self.activation = embedding.activation

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the position embeddings of an utterance's frames, both (frames, hidden)."""
        frames, width = hidden.shape
        inside = width // self.groups
        rows = hidden.new_zeros((self.groups, frames + self.kernel - 1, inside))
        rows[:, self.padding : self.padding + frames] = hidden.view(
            frames, self.groups, inside
        ).transpose(0, 1)
        patches = rows.as_strided(
            (self.groups, frames, self.kernel * inside), (rows.stride(0), inside, 1)
        )
        found = torch.bmm(patches, self.weight)  # (groups, frames, out of a group)
        return self.activation(found.transpose(0, 1).flatten(1) + self.bias)
