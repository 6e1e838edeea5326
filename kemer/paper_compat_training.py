"""Trains as the published script did: one utterance at a time, gradients gathered over 16 of them.

For `paper_compat` alone; runs of ours are trained by `training`. The script meant to step after
every sixteenth utterance and wrote `(i + 1) & 16 == 0`, which is true while that bit is off: it
stepped after each of 1 to 15, not at all from 16 to 31, after each of 32 to 47, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from kemer.batches import UtteranceCollator
from modeling_kemer import KemerModel

GATHERED = 16
"""Utterances whose gradients make one step."""

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class KeptEpoch:
    """The weights of the best epoch so far.

    Attributes:
        score: exact match in [0, 1].
        epoch: from 0.
        weights: of all that is trained.
    """

    score: float
    epoch: int
    weights: Weights


def steps_after(utterance: int, *, irregular: bool) -> bool:
    """Return whether the optimiser steps after an utterance.

    Args:
        utterance: its number in the epoch, from 0.
        irregular: as the published script did, in place of what it meant.

    Example:
        >>> [i + 1 for i in range(40) if steps_after(i, irregular=False)]
        [16, 32]
        >>> [i + 1 for i in range(40) if steps_after(i, irregular=True)][13:18]
        [14, 15, 32, 33, 34]
    """
    count = utterance + 1
    return count & GATHERED == 0 if irregular else count % GATHERED == 0


def train_epochs(
    model: KemerModel,
    utterances: Dataset,
    collator: UtteranceCollator,
    *,
    orders: Iterable[Iterable[int]],
    learning_rate: float,
    irregular: bool,
) -> Iterator[int]:
    """Train a model with AdamW at a constant rate, and stop after each epoch.

    Args:
        model: what of it is trained is not frozen.
        utterances: of the training sessions.
        collator: the model's.
        orders: for each epoch, the rows in the order in which they are read.
        learning_rate: of AdamW.
        irregular: step as the published script did.

    Yields:
        the number of the epoch, from 0, with the model as it is then.
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    for epoch, order in enumerate(orders):
        model.train()
        optimizer.zero_grad()
        loader = DataLoader(utterances, batch_size=1, sampler=list(order), collate_fn=collator)
        # A bar where somebody looks: on a terminal.
        shown = tqdm(loader, f"epoch {epoch + 1}", leave=False, disable=None)
        for place, batch in enumerate(shown):
            batch = {name: value.to(model.device) for name, value in batch.items()}
            (model(**batch).loss / GATHERED).backward()
            if steps_after(place, irregular=irregular):
                optimizer.step()
                optimizer.zero_grad()
        yield epoch


def keep_best(
    epochs: Iterable[int], model: KemerModel, score: Callable[[], dict[str, float]]
) -> dict[str, KeptEpoch]:
    """Keep, for each way to choose, the weights of the best epoch, the first of equals.

    Args:
        epochs: of `train_epochs`.
        model: that is trained.
        score: by way to choose, what the model scores now.

    Returns:
        by way to choose, the best epoch.
    """
    best: dict[str, KeptEpoch] = {}
    for epoch in epochs:
        for choice, value in score().items():
            if choice not in best or value > best[choice].score:
                best[choice] = KeptEpoch(value, epoch, trained_weights(model))
    return best


def trained_weights(model: KemerModel) -> Weights:
    """Return a copy of what is trained."""
    return {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
