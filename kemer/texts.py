"""What is read beside an utterance's own text, or in its place: turns before it, another's text.

Used by `data` when it loads rows. The turns before an utterance are its dialogue as it was heard so
far; nothing of the future is read. Texts are permuted in a control only, which shows what a model
gets out of a text that has nothing to do with its utterance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasets import Dataset, List, Value

CONTEXT_COLUMN = "text_context"
"""Texts of the turns before an utterance, the oldest first."""

DIALOGUE_COLUMNS = ("corpus", "session", "dialogue", "turn")


def add_context(rows: Dataset, *, text_column: str, turns: int) -> Dataset:
    """Add the column `text_context`.

    Args:
        rows: all rows of whole dialogues, in any order.
        text_column: what is read.
        turns: how many turns before each utterance, 1 or more; fewer at a dialogue's beginning.

    Returns:
        the rows, in their order.
    """
    frame = rows.select_columns([*DIALOGUE_COLUMNS, text_column]).to_pandas()
    context: list[list[str]] = [[] for _ in range(len(frame))]
    for _, dialogue in frame.groupby(list(DIALOGUE_COLUMNS[:-1]), sort=False):
        ordered = dialogue.sort_values("turn", kind="stable")
        texts = ordered[text_column].tolist()
        for place, row in enumerate(ordered.index):
            context[row] = [text for text in texts[max(0, place - turns) : place] if text.strip()]
    return rows.add_column(CONTEXT_COLUMN, context, feature=List(Value("string")))


def permute_texts(rows: Dataset, *, columns: Sequence[str], seed: int) -> Dataset:
    """Give each row the text of another, drawn at random; all else stays.

    Args:
        rows: rows of one role.
        columns: what goes together: a text, its variants, its context.
        seed: of the permutation.

    Returns:
        the rows, in their order.
    """
    others = rows.select(np.random.default_rng(seed).permutation(len(rows)))
    for name in columns:
        feature, values = rows.features[name], others[name]
        rows = rows.remove_columns(name).add_column(name, list(values), feature=feature)
    return rows
