"""SpeechT5's positional convolution as matrix products, over the frames of many utterances.

Part of `encoder`. The convolution is 128 frames wide and in 16 groups. Here some output frames at
once are one row of a product: the row is what they read together, as it lies in memory, and the
weights stand in the matrix once for each of them, shifted. Utterances lie in one row of frames with
so many zeros between them that none reads another.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kemer.fast.products import Product

FRAMES_A_ROW = 4
"""Output frames of one row: more fill the product better, and have more weights to read."""


class FastPositions:
    """The positional convolution of a speech encoder.

    Args:
        embedding: the library's, a grouped convolution as wide as its padding is on both sides.
        dtype: that is computed in.
    """

    def __init__(self, embedding: nn.Module, *, dtype: torch.dtype) -> None:
        convolution = embedding.conv
        self.groups, self.kernel = convolution.groups, convolution.kernel_size[0]
        self.padding = convolution.padding[0]
        weight = convolution.weight.detach()  # (out, in of a group, kernel), its norm applied
        out, inside, _ = weight.shape
        grouped = weight.view(self.groups, out // self.groups, inside, self.kernel)
        reach = self.kernel + FRAMES_A_ROW - 1
        shifted = weight.new_zeros(
            (self.groups, FRAMES_A_ROW, out // self.groups, reach, inside), dtype=dtype
        )
        for place in range(FRAMES_A_ROW):
            shifted[:, place, :, place : place + self.kernel] = grouped.transpose(2, 3)
        # (frames * out, reach * in) for each group
        self.products = [
            Product(one, None, dtype=dtype) for one in shifted.flatten(3).flatten(1, 2)
        ]
        self.reach = reach
        self.bias = convolution.bias.detach().to(dtype)
        self.activation = embedding.activation

    def __call__(self, hidden: Tensor, lengths: list[int]) -> Tensor:
        """Return the position embeddings of the frames of utterances.

        Args:
            hidden: (frames, hidden), one utterance after another.
            lengths: frames of each utterance.

        Returns:
            (frames, hidden).
        """
        starts, total = self._starts(lengths)
        rows = self._spread(hidden, lengths, starts=starts, total=total)
        count, inside = total // FRAMES_A_ROW, hidden.shape[1] // self.groups
        found = hidden.new_empty((self.groups, count, FRAMES_A_ROW * inside))
        for group in range(self.groups):
            one = rows[group]
            read = one.as_strided(
                (count, self.reach * inside), (FRAMES_A_ROW * inside, 1), one.storage_offset()
            )
            found[group] = self.products[group](read)
        found = found.view(self.groups, total, inside).transpose(0, 1)  # (total, groups, in)
        kept = [
            found[start : start + length] for start, length in zip(starts, lengths, strict=True)
        ]
        return self.activation(torch.cat(kept).flatten(1) + self.bias)

    def _starts(self, lengths: list[int]) -> tuple[list[int], int]:
        """Return where each utterance begins in the row of frames, and how long the row is."""
        starts, total = [], 0
        for length in lengths:
            starts.append(total)
            total += length + self.padding
            total += -total % FRAMES_A_ROW
        return starts, total

    def _spread(
        self, hidden: Tensor, lengths: list[int], *, starts: list[int], total: int
    ) -> Tensor:
        """Return (groups, frames, in of a group), zero between utterances and at both ends."""
        inside = hidden.shape[1] // self.groups
        rows = hidden.new_zeros((self.groups, total + self.reach, inside))
        parts = hidden.view(len(hidden), self.groups, inside).transpose(0, 1).split(lengths, dim=1)
        for start, length, part in zip(starts, lengths, parts, strict=True):
            # A frame is the middle of what is read where it stands: half of the width comes before.
            rows[:, start + self.padding : start + self.padding + length] = part
        return rows
