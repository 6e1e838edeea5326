"""SpeechT5's convolutional front end as matrix products, for one utterance at a time.

First part of `encoder`. Time runs along the rows: a convolution's patches are then overlapping
rows of the same memory, and it is a product with no copy. Three things make it faster than the
library's:

- the group norm of the first layer is put into its weights: mean and variance of each channel over
  time follow from mean and covariance of the patches, ten numbers wide, so that no pass over the
  first layer's frames is spent on them;
- the layers run over a stretch of time that stays in the cache, one after the other, before the
  next stretch; and
- nothing is padded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kemer.fast.products import Product

FRAMES_AT_ONCE = 128
"""Frames of the last layer that are computed before the next ones."""


class FastFrontEnd:
    """The convolutions of a SpeechT5 speech encoder.

    Args:
        layers: of the library, the first of them with a group norm of one channel a group.
        dtype: that is computed in; statistics are float64.
    """

    def __init__(self, layers: nn.ModuleList, *, dtype: torch.dtype) -> None:
        first, norm = layers[0].conv, layers[0].layer_norm
        self.kernel, self.stride = first.kernel_size[0], first.stride[0]
        self.first = first.weight.detach().double().flatten(1)  # (channels, kernel)
        self.scale, self.shift = norm.weight.detach().double(), norm.bias.detach().double()
        self.epsilon = norm.eps
        self.activation = layers[0].activation
        self.dtype = dtype
        # Of the other layers kernel, stride, and the weight as (out, kernel * in), as a patch of
        # rows lies in memory.
        self.layers = [
            (
                layer.conv.kernel_size[0],
                layer.conv.stride[0],
                Product(
                    layer.conv.weight.permute(0, 2, 1).flatten(1),
                    layer.conv.bias,
                    dtype=dtype,
                    activation=layer.activation,
                ),
            )
            for layer in layers[1:]
        ]
        self.channels = layers[-1].conv.out_channels

    def __call__(self, samples: Tensor) -> Tensor:
        """Return the features of an utterance.

        Args:
            samples: (samples,) float32, one frame's at least.

        Returns:
            (frames, channels).
        """
        patches = samples.unfold(0, self.kernel, self.stride)  # (positions, kernel)
        weight, bias = self._normalised(patches)
        # Its weights are this utterance's alone: to put them in order would not pay.
        first_layer = Product(
            weight, bias, dtype=self.dtype, activation=self.activation, reordered=False
        )
        frames = len(patches)
        for kernel, stride, _ in self.layers:
            frames = _convolved(frames, kernel=kernel, stride=stride)
        features = samples.new_empty((frames, self.channels), dtype=self.dtype)
        for first in range(0, frames, FRAMES_AT_ONCE):
            last = min(first + FRAMES_AT_ONCE, frames)
            start, stop = self._reach(first, last)
            hidden = first_layer(patches[start:stop].to(self.dtype))
            for kernel, stride, product in self.layers:
                hidden = product(_patches(hidden, kernel=kernel, stride=stride))
            features[first:last] = hidden
        return features

    def _normalised(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the first layer with its group norm in them."""
        wide = patches.double()
        mean = wide.mean(dim=0)  # (kernel,)
        centred = wide - mean
        covariance = centred.T @ centred / len(patches)  # (kernel, kernel)
        variance = ((self.first @ covariance) * self.first).sum(dim=1)  # (channels,)
        scale = self.scale * torch.rsqrt(variance + self.epsilon)
        bias = self.shift - (self.first @ mean) * scale
        return self.first * scale[:, None], bias

    def _reach(self, first: int, last: int) -> tuple[int, int]:
        """Return which positions of the first layer the frames from `first` to `last` read."""
        for kernel, stride, _ in reversed(self.layers):
            first, last = first * stride, (last - 1) * stride + kernel
        return first, last


def _convolved(positions: int, *, kernel: int, stride: int) -> int:
    """Return how many positions a layer makes of some."""
    return (positions - kernel) // stride + 1


def _patches(hidden: Tensor, *, kernel: int, stride: int) -> Tensor:
    """Return what a layer reads for each position, a view (positions, kernel * channels)."""
    width = hidden.shape[1]
    count = _convolved(len(hidden), kernel=kernel, stride=stride)
    return hidden.as_strided((count, kernel * width), (stride * width, 1))
