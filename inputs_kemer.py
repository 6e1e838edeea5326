"""What the arguments of a `KemerModel` must look like, and how two modalities become one sequence.

It stands between the caller and the model: masks, shapes and combinations of arguments are checked
here, so that a mistake is a sentence and not a wrong number. A mask is 1 (True) at valid positions.
"""

import torch
from torch import Tensor, nn


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
        mask: (batch, positions), True at valid positions, one at least in each row.
    """
    valid = hidden_states.masked_fill(~mask[:, :, None], 0.0)
    return valid.sum(dim=1) / mask.sum(dim=1, keepdim=True)


def lengths_to_mask(lengths: Tensor, width: int) -> Tensor:
    """Return the mask `(batch, width)`, True at the first `lengths` positions of each row."""
    return torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]


def spread_rows(encoded: Tensor, present: Tensor) -> Tensor:
    """Return the rows of `encoded` where `present`, `(batch,)`, is True, and zeros elsewhere."""
    if bool(present.all()):
        return encoded
    rows = encoded.new_zeros((len(present), *encoded.shape[1:]))
    return rows.index_put((present,), encoded)
