"""Answers and scores as the published script gave them, each of its slips a switch of its own.

For `paper_compat` and `paper_compat_run` alone; runs of ours are scored by `evaluation` and
`scoring`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from decoding_kemer import decode_emotions
from kemer.batches import UtteranceCollator, UtteranceDataset
from modeling_kemer import KemerModel

BATCH_SIZE = 32
"""Of the script's evaluation; its denominator knows no other."""


OF_ANSWERING = ("additive_mask", "dropout_on")
"""Switches under which a model answers otherwise; the others count the same answers otherwise."""


@dataclass(frozen=True)
class BatchAnswers:
    """What a model answered to one batch, beside what is right.

    Attributes:
        probabilities: (batch, emotions).
        labels: (batch, emotions), 0 and 1.
        ratings: (batch, 2), valence and arousal as answered.
        true_ratings: (batch, 2).
    """

    probabilities: np.ndarray
    labels: np.ndarray
    ratings: np.ndarray
    true_ratings: np.ndarray


@dataclass(frozen=True)
class SwitchedScores:
    """Both scores under some switches.

    Attributes:
        switches: their names; none is the honest score.
        exact_match: as counted; NaN where the switches divide by 0.
        distance: mean squared error, as counted.
    """

    switches: tuple[str, ...]
    exact_match: float
    distance: float


class AdditiveMaskAttention(nn.Module):
    """A meta-attention that adds its padding mask to the scores: 1 at valid positions, else 0.

    Padding is attended to, a little less than the rest; alone in a batch, an utterance has none.

    Args:
        attention: the meta-attention.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self, *states: Tensor, key_padding_mask: Tensor, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Attend as the attention does, but for the mask.

        Args:
            *states: query, key and value, each (batch, positions, hidden).
            key_padding_mask: (batch, positions), True at padding.
            **options: of the attention.
        """
        added = (~key_padding_mask).to(states[0].dtype)
        return self.attention(*states, key_padding_mask=added, **options)


@contextmanager
def scoring_as_published(
    model: KemerModel, *, additive_mask: bool, dropout: bool, seed: int
) -> Iterator[None]:
    """Put the model into the state in which the script scored it, and back.

    Args:
        model: with a meta-attention, if one of the two is set.
        additive_mask: add the padding mask in place of excluding what it masks.
        dropout: leave the meta-attention's dropout on.
        seed: of the dropout.
    """
    model.eval()
    attention = model.meta_attention
    if additive_mask:
        model.meta_attention = AdditiveMaskAttention(attention)
    try:
        with torch.random.fork_rng():  # every device's
            if dropout:
                torch.manual_seed(seed)
                attention.train()
            yield
    finally:
        model.meta_attention = attention
        model.eval()


@torch.no_grad()
def answer_batches(
    model: KemerModel, utterances: UtteranceDataset, collator: UtteranceCollator
) -> list[BatchAnswers]:
    """Answer utterances in batches of 32, in their order, in the state that the model is in."""
    loader = DataLoader(utterances, batch_size=BATCH_SIZE, collate_fn=collator)
    found = []
    for batch in loader:
        labels, true_ratings = batch.pop("labels"), batch.pop("valence_arousal_labels")
        output = model(**{name: value.to(model.device) for name, value in batch.items()})
        found.append(
            BatchAnswers(
                probabilities=output.logits.double().sigmoid().cpu().numpy(),
                labels=labels.numpy().astype(int),
                ratings=output.valence_arousal.float().cpu().numpy(),
                true_ratings=true_ratings.numpy(),
            )
        )
    return found


def answer_switched(
    model: KemerModel,
    utterances: UtteranceDataset,
    *,
    collator: UtteranceCollator,
    switches: Sequence[str],
    seed: int,
) -> list[BatchAnswers]:
    """Answer utterances as the switches say.

    Args:
        model: with a meta-attention.
        utterances: under `additive_mask` without stored hidden states, which hold no padding.
        collator: the model's.
        switches: of `paper_compat`; but for `OF_ANSWERING` they change nothing here.
        seed: of the dropout.

    Raises:
        ValueError: if padding would be read where none is stored.
    """
    additive_mask = "additive_mask" in switches
    if additive_mask and utterances.hidden_states:
        # The model puts zeros there; the script read what the encoders leave at padding.
        raise ValueError(
            "`additive_mask` reads what the encoders leave at padding, and stored hidden states "
            "have none; give the utterances without `hidden_states`."
        )
    with scoring_as_published(
        model, additive_mask=additive_mask, dropout="dropout_on" in switches, seed=seed
    ):
        return answer_batches(model, utterances, collator)


def score_batches(batches: list[BatchAnswers], switches: Sequence[str]) -> SwitchedScores:
    """Count answers that were given under the switches."""
    return SwitchedScores(
        switches=tuple(switches),
        exact_match=score_exact_match(batches, switches),
        distance=score_distance(batches, switches),
    )


def score_exact_match(batches: list[BatchAnswers], switches: Collection[str]) -> float:
    """Return exact match, as the switches count it.

    Args:
        batches: in their order, all but the last one of 32 utterances.
        switches: `plain_threshold` answers nothing where no probability is above one half;
            `label_hits` counts each emotion's decision for itself; `short_denominator` divides by
            the utterances of one batch less than there are.

    Returns:
        a share, more than 1 where the denominator is short enough; NaN where it is 0.
    """
    right, answers = 0.0, 0
    for batch in batches:
        if "plain_threshold" in switches:
            decided = (batch.probabilities > 0.5).astype(int)
        else:
            decided = decode_emotions(batch.probabilities)
        hits = decided == batch.labels  # (batch, emotions)
        right += hits.mean(axis=1).sum() if "label_hits" in switches else hits.all(axis=1).sum()
        answers += len(hits)
    if "short_denominator" in switches:
        answers = (len(batches) - 1) * BATCH_SIZE
    return float(right / answers) if answers else float("nan")


def score_distance(batches: list[BatchAnswers], switches: Collection[str]) -> float:
    """Return the mean squared error of valence and arousal.

    Args:
        batches: in their order.
        switches: `last_batch_distance` tells that of the last batch alone.
    """
    counted = batches[-1:] if "last_batch_distance" in switches else batches
    errors = [(batch.ratings - batch.true_ratings) ** 2 for batch in counted]
    return float(np.concatenate(errors).mean())
