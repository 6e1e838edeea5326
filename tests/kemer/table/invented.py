"""Invented answers of several folds and seeds, whose scores a test can work out itself."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from configuration_kemer import EMOTIONS
from decoding_kemer import LabelSetDecoder
from kemer.table.answers import FoldAnswers

SESSIONS_PER_FOLD = 6
ITEMS = 10  # of a session
SHARES = np.array([0.05, 0.1, 0.05, 0.45, 0.1, 0.05, 0.2])


def make_frame(
    fold: int, *, seed: int, skill: float, corpus: str = "kemdy20", items: int = ITEMS
) -> pd.DataFrame:
    """Return answers to the sessions of a fold; the truth depends on the fold alone.

    Args:
        fold: its number; sessions are `fold`, `fold + 2`, ... of two folds.
        seed: of the model's errors.
        skill: how much of the truth the logits hold, about 0 to 4.
        corpus: of the rows.
        items: utterances of a session.
    """
    truth = np.random.default_rng(1000 + fold)
    errors = np.random.default_rng(2000 + 31 * fold + seed)
    sessions = np.repeat(np.arange(SESSIONS_PER_FOLD) * 2 + fold + 1, items)
    labels = truth.multinomial(1, SHARES, size=len(sessions))
    logits = skill * labels + errors.normal(0, 1, labels.shape) - 1.5
    probabilities = 1 / (1 + np.exp(-logits))
    ratings = truth.uniform(1.5, 4.5, (len(sessions), 2))
    predicted = 3 + 0.2 * skill * (ratings - 3) + errors.normal(0, 0.3, ratings.shape)
    numbers = np.concatenate([np.arange(items)] * SESSIONS_PER_FOLD)
    return pd.DataFrame(
        {
            "id": [f"{corpus}/s{s:02d}_u{n:02d}" for s, n in zip(sessions, numbers, strict=True)],
            "corpus": corpus,
            "session": sessions,
            "dialogue": [f"s{s:02d}" for s in sessions],
            "probabilities": probabilities.tolist(),
            "labels_predicted": (probabilities > 0.5).astype(int).tolist(),
            "labels_reference": labels.tolist(),
            "valence_predicted": predicted[:, 0],
            "arousal_predicted": predicted[:, 1],
            "valence_reference": ratings[:, 0],
            "arousal_reference": ratings[:, 1],
        }
    )


def single_sets() -> tuple[tuple[int, ...], ...]:
    """Return the label sets of one emotion."""
    return tuple(tuple(row) for row in np.eye(len(EMOTIONS), dtype=int).tolist())


def make_answers(
    row: str,
    *,
    skill: float,
    seeds: Sequence[int | None] = (0, 1),
    folds: Sequence[int] = (0, 1),
    corpus: str = "kemdy20",
    protocol: str = "session",
) -> list[FoldAnswers]:
    """Return a row's answers; one without seeds answers label sets itself."""
    trained = None not in seeds
    decoder = LabelSetDecoder((1.0,) * 7, (0.0,) * 7, single_sets()) if trained else None
    return [
        FoldAnswers(
            row=row,
            corpus=corpus,
            protocol=protocol,
            fold=fold,
            seed=seed,
            test=make_frame(fold, seed=seed or 0, skill=skill, corpus=corpus),
            decoder=decoder,
        )
        for fold in folds
        for seed in seeds
    ]


def make_facts(answers: Sequence[FoldAnswers]) -> pd.DataFrame:
    """Return what is known of the utterances that were answered: votes of ten, two scripts."""
    frames = {one.fold: one.test for one in answers}
    rows = pd.concat(frames.values(), ignore_index=True)
    labels = np.array(rows["labels_reference"].tolist())
    votes = np.full(labels.shape, 0.0)
    winners = np.random.default_rng(7).choice([4, 6, 9], size=len(rows))
    for row, (label, count) in enumerate(zip(labels.argmax(axis=1), winners, strict=True)):
        votes[row, label] = count
        for step in range(10 - count):  # the rest go round, never to a tie with the winner
            votes[row, (label + 1 + step % 6) % 7] += 1
    numbers = np.arange(len(rows))
    return pd.DataFrame(
        {
            "id": rows["id"],
            "session": rows["session"],
            "speaker": rows["session"].map("speaker{}".format),
            "gender": np.where(numbers % 2 == 0, "F", "M"),
            "text_ko": [f"line {number}" for number in numbers],
            "emotion_votes": (votes / 10).tolist(),
            "valence_std": 0.5,
            "arousal_std": 0.7,
            "script": np.where(numbers % 5 < 2, "a", np.where(numbers % 5 < 4, "b", None)),
            "is_scripted": numbers % 5 < 4,
            "text_seen": numbers % 3 == 0,
        }
    )
