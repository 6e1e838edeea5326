"""Which English rendering of a training utterance is read: drawn anew in each epoch.

Between `batches`, whose rows it reads, and `training`, whose sampler says which epoch it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from datasets import Dataset

from kemer.batches import HiddenStates, UtteranceDataset
from kemer.data import VARIANTS_COLUMN
from kemer.data_arguments import VARIANTS_OF


class VariantDataset(UtteranceDataset):
    """Training rows whose English is drawn among its renderings.

    Workers of a data loader are processes with their own copy of this data set, made before later
    epochs begin; so the epoch is no state of it and comes with each index.

    Args:
        rows: rows of one role, audio undecoded.
        seed: of the draws.
        max_seconds: utterances are cut to their first seconds; None keeps them whole.
        hidden_states: what stands in place of the waveforms.

    Raises:
        ValueError: if the rows' emotions are not the model's, or hidden states would stand in
            place of the text that is drawn.
    """

    def __init__(
        self,
        rows: Dataset,
        *,
        seed: int,
        max_seconds: float | None = None,
        hidden_states: HiddenStates | None = None,
    ) -> None:
        if "text" in (hidden_states or {}):
            raise ValueError(
                "`hidden_states` holds `text`, but the text is drawn anew in each epoch; leave it "
                "out, or read one text with `UtteranceDataset`."
            )
        super().__init__(
            rows,
            text_column=VARIANTS_OF,
            max_seconds=max_seconds,
            hidden_states=hidden_states,
        )
        self.seed = seed

    def __getitem__(self, drawn: tuple[int, int]) -> dict[str, Any]:
        """Return an utterance as one epoch reads it.

        Args:
            drawn: index of the row, and number of the epoch from 0.
        """
        index, epoch = drawn
        row = self.rows[int(index)]
        candidates = [row[self.text_column], *row[VARIANTS_COLUMN]]
        text = draw_text(candidates, seed=self.seed, epoch=epoch, row_id=row["id"])
        return self._prepare(row, index=int(index), text=text)


def draw_text(candidates: Sequence[str], *, seed: int, epoch: int, row_id: str) -> str:
    """Draw one of several texts, all equally likely.

    Args:
        candidates: what to draw from; at least one.
        seed: of the run.
        epoch: number of the epoch, from 0.
        row_id: id of the utterance.

    Returns:
        the drawn text. Seed, epoch and id alone decide, on every machine alike.

    Example:
        >>> texts = ["Well done.", "Nicely done.", "Good for you."]
        >>> [draw_text(texts, seed=0, epoch=epoch, row_id="kemdy20/a") for epoch in range(3)]
        ['Nicely done.', 'Good for you.', 'Well done.']
    """
    key = f"{seed}/{epoch}/{row_id}".encode()
    return candidates[int.from_bytes(hashlib.sha256(key).digest(), "big") % len(candidates)]
