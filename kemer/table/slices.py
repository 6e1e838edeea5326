"""Exact match of parts of a corpus: by the raters' agreement, gender, script, and text seen before.

Beside `scores`. A part has no interval: what is asked here is where a row's hits come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kemer.raters import RATERS
from kemer.scoring import correct_items
from kemer.table.answers import FoldAnswers, pool_folds

AGREEMENT = ((8, RATERS), (5, 7), (1, 4))
"""Votes for the commonest emotion, from and to: nearly all raters, most, and few of them."""


def part_masks(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Tell which utterances belong to which part.

    Args:
        rows: the columns of `baselines.TestFacts.frame`.

    Returns:
        by name, (rows,) booleans; parts without an utterance are left out.
    """
    votes = np.rint(RATERS * np.array([max(row) for row in rows["emotion_votes"]]))
    masks = {
        f"{low} to {high} of {RATERS} raters agree": (votes >= low) & (votes <= high)
        for low, high in AGREEMENT
    }
    masks |= {f"gender {name}": rows["gender"] == name for name in _values(rows["gender"])}
    masks["text seen in training"] = rows["text_seen"]
    masks["text not seen in training"] = ~rows["text_seen"]
    scripted = rows["is_scripted"].eq(True)  # null where scripts are not known
    masks |= {"scripted": scripted, "improvised": rows["is_scripted"].eq(False)}
    masks |= {
        f"script {name}": scripted & (rows["script"] == name)
        for name in _values(rows["script"][scripted])
    }
    found = {name: np.asarray(mask, dtype=bool) for name, mask in masks.items()}
    return {name: mask for name, mask in found.items() if mask.any()}


def slice_row(answers: Sequence[FoldAnswers], decoding: str, facts: pd.DataFrame) -> pd.DataFrame:
    """Score the parts of a corpus.

    Args:
        answers: of one row, corpus and protocol, all folds and seeds.
        decoding: one that the row has.
        facts: `baselines.TestFacts.frame` of all folds.

    Returns:
        one row a part, with `part`, `utterances` and `exact_match`, mean over seeds.
    """
    hits = pd.concat(
        [correct_items(frame) for frame in pool_folds(answers, decoding).values()], axis=1
    ).mean(axis=1)
    rows = facts.set_index("id").loc[hits.index].reset_index()
    return pd.DataFrame(
        [
            {
                "part": name,
                "utterances": int(mask.sum()),
                "exact_match": float(hits.to_numpy()[mask].mean()),
            }
            for name, mask in part_masks(rows).items()
        ]
    )


def _values(column: pd.Series) -> list[str]:
    return sorted(set(column.dropna()))
