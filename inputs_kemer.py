"""How inputs of processor and model must look, and how two modalities become one sequence.

It stands between the caller and the model: utterances, masks, shapes and combinations of arguments
are checked here, so that a mistake is a sentence and not a wrong number. A mask is 1 (True) at
valid positions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def as_utterances(name: str, values: Any) -> list[Any]:
    """Return a batch of utterances as a list, after checking that it is one.

    Args:
        name: the argument that `values` was given as, for the messages.
        values: a list or what is read like one: a tuple, a column of `datasets` or of pandas, an
            array of one dimension. Neither a string nor a dict, a set or an iterator.

    Returns:
        The utterances, one at least.

    Raises:
        ValueError: if `values` is not like a list, or is empty.
    """
    is_listed = all(hasattr(values, part) for part in ("__iter__", "__len__", "__getitem__"))
    is_other = isinstance(values, str | bytes | bytearray | dict)
    if not is_listed or is_other or getattr(values, "ndim", 1) != 1:
        raise ValueError(
            f"`{name}` is of type {type(values).__name__}; allowed is one utterance or a list."
        )
    utterances = list(values)
    if not utterances:
        raise ValueError(f"`{name}` is an empty list; give one utterance at least.")
    return utterances


def checked_context(context: Sequence[Sequence[str]] | None, rows: int) -> Sequence[Sequence[str]]:
    """Return the turns before each transcript, after checking that they are lists of texts.

    Args:
        context: for each transcript, the turns before it; None means none at all.
        rows: number of transcripts.

    Raises:
        ValueError: if it is not one list of texts for each transcript.
    """
    if context is None:
        return [()] * rows
    is_listed = not isinstance(context, str) and len(context) == rows
    if not is_listed or not all(_are_texts(turns) for turns in context):
        raise ValueError(
            f"`context` is {context!r}; allowed is one list of texts for each of the {rows} "
            "transcripts, an empty one where nothing was said before."
        )
    return context


def _are_texts(turns: Any) -> bool:
    return not isinstance(turns, str) and all(isinstance(turn, str) for turn in turns)


def checked_waveform(waveform: np.ndarray | Tensor, row: int) -> Tensor:
    """Return a waveform as float32 in memory of its own, after checking it.

    Args:
        waveform: (samples,), floating point of any width, byte order and memory layout.
        row: its place in the batch, for the messages.

    Returns:
        The samples, `(samples,)`, on the CPU.

    Raises:
        ValueError: if it is no array, of another shape or type, empty, or not finite in float32.
    """
    if not isinstance(waveform, np.ndarray | Tensor):
        raise ValueError(
            f"`audio` holds a {type(waveform).__name__} in row {row}; allowed is a NumPy array or "
            'a PyTorch tensor (in a row of `datasets`: `row["audio"]["array"]`).'
        )
    if waveform.ndim != 1:
        raise ValueError(
            f"`audio` has the shape {tuple(waveform.shape)} in row {row}; allowed is one channel, "
            "(samples,): average the channels of stereo sound, pass a batch as a list."
        )
    is_array = isinstance(waveform, np.ndarray)
    if not (waveform.dtype.kind == "f" if is_array else waveform.is_floating_point()):
        raise ValueError(
            f"`audio` is of type {waveform.dtype} in row {row}; allowed is floating point in "
            "[-1, 1]: divide 16-bit samples by 32768."
        )
    if len(waveform) == 0:
        raise ValueError(
            f"`audio` is empty in row {row}; leave the utterance out or give None for missing "
            "speech."
        )
    if is_array:
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
            # A copy: PyTorch takes no foreign byte order or strides, nor what is read-only.
            samples = torch.from_numpy(np.array(waveform, dtype=np.float32, order="C"))
    else:
        samples = waveform.detach().cpu().float()
    if not bool(torch.isfinite(samples).all()):
        raise ValueError(
            f"`audio` holds NaN or infinity in row {row}, as float32; leave the utterance out or "
            "repair it."
        )
    return samples


def pad_rows(rows: list[Tensor], padding: float | int) -> tuple[Tensor, Tensor]:
    """Pad rows on the right.

    Args:
        rows: each (length,), of one type; a length may be 0.
        padding: the value behind a row's end.

    Returns:
        The values and the mask, int64, each `(batch, longest)` and at least one wide.
    """
    width = max(1, *(len(row) for row in rows))
    values = rows[0].new_full((len(rows), width), padding)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for index, row in enumerate(rows):
        values[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return values, mask


def is_given(
    names: tuple[str, str, str],
    values: tuple[Tensor | None, Tensor | None, Tensor | None],
    encoder: nn.Module | None,
) -> bool:
    """Return whether a modality was given, after checking its three arguments for contradictions.

    Args:
        names: of the raw input, its mask and the hidden states.
        values: in the same order.
        encoder: the modality's encoder, None in a model without it.
    """
    raw, mask, hidden_states = values
    if encoder is None and any(value is not None for value in values):
        given = next(name for name, value in zip(names, values, strict=True) if value is not None)
        raise ValueError(
            f"`{given}` was given, but this model has no encoder for it; leave it out or load "
            "a model with both modalities."
        )
    if raw is not None and hidden_states is not None:
        raise ValueError(f"`{names[0]}` and `{names[2]}` were both given; give one of them.")
    if raw is None and hidden_states is None and mask is not None:
        raise ValueError(f"`{names[1]}` was given without `{names[0]}` or `{names[2]}`.")
    return raw is not None or hidden_states is not None


def checked_mask(name: str, mask: Tensor | None, like: Tensor) -> Tensor:
    """Return a padding mask as booleans, True at valid positions, after checking it.

    Args:
        name: the argument that `mask` was given as, for the messages.
        mask: (batch, width), 1 or True at valid positions, which come first; None means all valid.
        like: (batch, width) or (batch, width, hidden), what the mask belongs to.

    Returns:
        The mask, `(batch, width)`.

    Raises:
        ValueError: if the mask has another shape, other values, or valid positions after padding.
    """
    if mask is None:
        return torch.ones(like.shape[:2], dtype=torch.bool, device=like.device)
    if mask.shape != like.shape[:2]:
        raise ValueError(
            f"`{name}` has the shape {tuple(mask.shape)}, but what it masks has "
            f"{tuple(like.shape[:2])}; give one value for each position."
        )
    valid = mask.bool()
    if not torch.equal(valid.to(mask.dtype), mask):
        raise ValueError(
            f"`{name}` holds values other than 0 and 1; give 1 at valid positions and 0 at padding."
        )
    if (valid[:, 1:] & ~valid[:, :-1]).any():
        raise ValueError(
            f"`{name}` has valid positions after padding; pad on the right "
            '(`padding_side="right"`).'
        )
    return valid


def checked_hidden_states(
    names: tuple[str, str],
    values: tuple[Tensor | None, Tensor],
    *,
    hidden_size: int,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Return hidden states that were given in place of a raw input, and their mask.

    Args:
        names: the arguments of the mask and of the hidden states, for the messages.
        values: the mask (batch, positions), or None, and the hidden states (batch, positions,
            hidden); at padding they may hold anything.
        hidden_size: what `hidden` has to be.
        dtype: what the model computes in.

    Returns:
        The hidden states in `dtype`, zero at padding, and the mask, True where valid.

    Raises:
        ValueError: if a shape is another or the mask is wrong.
    """
    (mask_name, name), (mask, hidden_states) = names, values
    check_dimensions(name, hidden_states, 3, "(batch, positions, hidden)")
    if hidden_states.shape[2] != hidden_size:
        raise ValueError(
            f"`{name}` has the hidden size {hidden_states.shape[2]}; this model's encoder has "
            f"{hidden_size}: give hidden states of the same encoder."
        )
    valid = checked_mask(mask_name, mask, hidden_states)
    return hidden_states.masked_fill(~valid[:, :, None], 0.0).to(dtype), valid


def check_dimensions(name: str, value: Tensor, dimensions: int, meaning: str) -> None:
    """Raise ValueError if `value` has another number of dimensions than `meaning` says."""
    if value.dim() != dimensions:
        raise ValueError(f"`{name}` has the shape {tuple(value.shape)}; allowed is {meaning}.")


def check_labels(name: str, labels: Tensor, predictions: Tensor) -> None:
    """Raise ValueError if labels are not of the shape of what they are compared with."""
    if labels.shape != predictions.shape:
        raise ValueError(
            f"`{name}` has the shape {tuple(labels.shape)}; allowed is {tuple(predictions.shape)}."
        )


def check_presence(name: str, labels: Tensor) -> None:
    """Raise ValueError unless labels say for each emotion whether it is present, in [0, 1]."""
    if not bool(((labels >= 0) & (labels <= 1)).all()):
        raise ValueError(
            f"`{name}` holds values outside [0, 1]; give 1 for each emotion that is present and 0 "
            "for the others."
        )


def concatenate(
    speech: tuple[Tensor, Tensor] | None, text: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Return both modalities one after the other in time: `(batch, positions, …)` and the mask."""
    parts = [part for part in (speech, text) if part is not None]
    if not parts:
        raise ValueError(
            "Neither speech nor text was given; give `input_values`, `speech_hidden_states`, "
            "`input_ids` or `text_hidden_states`."
        )
    sizes = [len(mask) for _, mask in parts]
    if len(set(sizes)) > 1:
        raise ValueError(
            f"Speech has {sizes[0]} rows and text {sizes[1]}; give the same utterances in both."
        )
    mask = torch.cat([mask for _, mask in parts], dim=1)  # (batch, frames + tokens)
    empty = (~mask.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"Row {empty[0]} has neither speech nor text (its masks are all 0); leave it out."
        )
    return torch.cat([states for states, _ in parts], dim=1), mask


def masked_mean(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over valid positions, `(batch, hidden)`.

    Args:
        hidden_states: (batch, positions, hidden).
        mask: (batch, positions), True at valid positions; a row without any has the mean 0.
    """
    valid = hidden_states.masked_fill(~mask[:, :, None], 0.0)
    return valid.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def drop_modalities(
    speech_mask: Tensor, text_mask: Tensor, *, probability: float
) -> tuple[Tensor, Tensor]:
    """Mask one modality of some rows, as if it were missing; which one is a toss of a coin.

    Args:
        speech_mask: (batch, frames), True at valid positions.
        text_mask: (batch, tokens), likewise.
        probability: that a row which has both loses one, in [0, 1).

    Returns:
        The masks, of the same shapes.
    """
    has_both = speech_mask.any(dim=1) & text_mask.any(dim=1)  # (batch,)
    loses, side = torch.rand((2, len(has_both)), device=speech_mask.device)
    loses = has_both & (loses < probability)
    without_speech, without_text = loses & (side < 0.5), loses & (side >= 0.5)
    return speech_mask & ~without_speech[:, None], text_mask & ~without_text[:, None]


def lengths_to_mask(lengths: Tensor, width: int) -> Tensor:
    """Return the mask `(batch, width)`, True at the first `lengths` positions of each row."""
    return torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]


def spread_rows(encoded: Tensor, present: Tensor) -> Tensor:
    """Return the rows of `encoded` where `present`, `(batch,)`, is True, and zeros elsewhere."""
    if bool(present.all()):
        return encoded
    rows = encoded.new_zeros((len(present), *encoded.shape[1:]))
    return rows.index_put((present,), encoded)
