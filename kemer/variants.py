"""What training reads anew in each epoch: one of an utterance's renderings, and its changed sound.

Between `batches`, whose rows it reads, and `training`, whose sampler says which epoch it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from datasets import Dataset

from kemer.augmentation import Augmentation
from kemer.batches import SAMPLING_RATE, UtteranceDataset
from kemer.data import VARIANTS_COLUMN


class VariantDataset(UtteranceDataset):
    """Training rows whose text is drawn among its renderings, or whose sound is changed.

    Workers of a data loader are processes with their own copy of this data set, made before later
    epochs begin; so the epoch is no state of it and comes with each index.

    Args:
        rows: rows of one role, audio undecoded.
        seed: of the draws.
        redraws: `speech`, `text` or both: what is drawn anew.
        augmentation: how the sound is changed.
        **settings: of `UtteranceDataset`.

    Raises:
        ValueError: if the rows' emotions are not the model's, or hidden states would stand in
            place of what is drawn.
    """

    def __init__(
        self,
        rows: Dataset,
        *,
        seed: int,
        redraws: Collection[str],
        augmentation: Augmentation | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(rows, **settings)
        for modality in redraws:
            if modality in self.hidden_states:
                raise ValueError(
                    f"`hidden_states` holds `{modality}`, but that is drawn anew in each epoch; "
                    "leave it out, or read what stays with `UtteranceDataset`."
                )
        self.seed = seed
        self.redraws = frozenset(redraws)
        self.augmentation = augmentation

    def __getitem__(self, drawn: tuple[int, int]) -> dict[str, Any]:
        """Return an utterance as one epoch reads and hears it.

        Args:
            drawn: index of the row, and number of the epoch from 0.
        """
        index, epoch = drawn
        row = self.rows[int(index)]
        text = row[self.text_column]
        if "text" in self.redraws:
            candidates = [text, *row[VARIANTS_COLUMN]]
            text = draw_text(candidates, seed=self.seed, epoch=epoch, row_id=row["id"])
        utterance = self._prepare(row, index=int(index), text=text)
        if "speech" in self.redraws and "audio" in utterance:
            utterance["audio"] = self.augmentation(
                utterance["audio"],
                rate=SAMPLING_RATE,
                seed=self.seed,
                epoch=epoch,
                row_id=row["id"],
            )
        return utterance


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
