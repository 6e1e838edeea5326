"""SpeechT5's relative attention without its table of positions, exact.

Part of `encoder`. The library makes (frames, frames, head) numbers of position embeddings; here
the queries meet the 2 x R distinct offsets once, and what each pair of frames is given is read from
that by a view whose rows are shifted, without a copy where an utterance has no more than R frames.

Source: Shaw, Uszkoreit and Vaswani (https://arxiv.org/abs/1803.02155), as SpeechT5 uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor

QUERIES_AT_ONCE = 256
"""Queries of a long utterance whose shifted rows are written at once, to stay in the cache."""


def relative_attention(queries: Tensor, keys: Tensor, values: Tensor, offsets: Tensor) -> Tensor:
    """Let each frame of one utterance look at all.

    Args:
        queries: (frames, heads, head), scaled.
        keys: (frames, heads, head).
        values: (frames, heads, head).
        offsets: (frames, heads, 2 * reach), what a query gives to a key by its distance: key minus
            query from `1 - reach` to `reach`, farther ones as the last on their side.

    Returns:
        (frames, heads * head).
    """
    frames, reach = len(queries), offsets.shape[2] // 2
    heads_first = [one.transpose(0, 1) for one in (queries, keys, values)]
    if frames <= reach:
        found = _look(*heads_first, _shifted(offsets, start=reach - 1, keys=frames))
    else:
        parts = []
        for first in range(0, frames, QUERIES_AT_ONCE):
            rows = slice(first, min(first + QUERIES_AT_ONCE, frames))
            widened = _widened(offsets[rows], first=first, keys=frames)
            parts.append(_look(heads_first[0][:, rows], *heads_first[1:], widened))
        found = torch.cat(parts, dim=1)
    return found.transpose(0, 1).flatten(1)


def _look(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Return (heads, queries, head): scores, their softmax, and what they weigh.

    Three products by themselves: twice as fast on a processor as PyTorch's fused attention, and the
    scores of so many queries stay in the cache.
    """
    scores = torch.baddbmm(bias, queries, keys.transpose(1, 2))
    return torch.bmm(scores.softmax(dim=2), values)


def _shifted(table: Tensor, *, start: int, keys: int) -> Tensor:
    """Return (heads, queries, keys): each row of (queries, heads, columns) one column further left.

    Args:
        table: what is viewed.
        start: column of the first key in the first row.
        keys: number of keys.
    """
    row, head, one = table.stride()
    return table.as_strided(
        (table.shape[1], len(table), keys),
        (head, row - one, one),
        table.storage_offset() + start * one,
    )


def _widened(offsets: Tensor, *, first: int, keys: int) -> Tensor:
    """Return (heads, queries, keys) where keys lie beyond the offsets: their last is repeated.

    Args:
        offsets: (queries, heads, 2 * reach), of the queries from `first` on.
        first: number of the first query.
        keys: number of keys.
    """
    count, heads, width = offsets.shape
    reach = width // 2
    lowest, highest = -(first + count - 1), keys - 1 - first  # key minus query
    left, right = max(0, 1 - reach - lowest), max(0, highest - reach)
    inner = offsets[:, :, max(0, lowest - (1 - reach)) : min(width, highest + reach)]
    wide = torch.cat(
        [
            offsets[:, :, :1].expand(count, heads, left),
            inner,
            offsets[:, :, -1:].expand(count, heads, right),
        ],
        dim=2,
    )
    return _shifted(wide, start=count - 1, keys=keys)
