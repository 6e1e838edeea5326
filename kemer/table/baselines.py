"""What stands beside the models of a table: the constant answer, n-grams, raters, mean of two rows.

After the trainings. The first two are answers to the same utterances as the models', written as
`predictions.parquet` of their own; the raters' figures are of the corpus (`kemer.raters`).
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kemer.arguments import RunPaths
from kemer.data import Split
from kemer.ngram import answer_split
from kemer.raters import RaterFigures, summarise_raters
from kemer.scoring import PREDICTION_COLUMNS, constant_answer

FACT_COLUMNS = (
    "id",
    "session",
    "speaker",
    "gender",
    "text_ko",
    "emotions",
    "emotion_votes",
    "valence_std",
    "arousal_std",
    "script",
    "is_scripted",
)
"""What is known of an utterance beside its answers; a release has them all."""

IGNORED_IN_TEXT = str.maketrans("", "", string.punctuation + string.whitespace + "…·“”‘’")


@dataclass(frozen=True)
class TestFacts:
    """What is known of the test utterances of one fold.

    Attributes:
        frame: one row an utterance, `FACT_COLUMNS` and `text_seen`: whether its text, without
            spaces and punctuation, is that of a training utterance.
        train_labels: (rows, emotions) of 0 and 1, of the training utterances.
        train_ratings: (2,) mean valence and arousal of the training utterances.
    """

    __test__ = False  # pytest takes the name for a test's

    frame: pd.DataFrame
    train_labels: np.ndarray
    train_ratings: np.ndarray


def read_facts(split: Split) -> TestFacts:
    """Read what is known of a fold's test utterances and of what was trained on.

    Args:
        split: the fold.
    """
    test, train = split.rows["test"], split.rows["train"]
    frame = test.select_columns(list(FACT_COLUMNS)).to_pandas()
    known = {bare_text(text) for text in train["text_ko"]} - {""}
    frame["text_seen"] = [bare_text(text) in known for text in frame["text_ko"]]
    labels = np.zeros((len(train), len(test.features["emotions"].feature.names)), dtype=int)
    for row, indices in enumerate(train["emotions"]):
        labels[row, indices] = 1
    ratings = train.select_columns(["valence", "arousal"]).to_pandas().to_numpy(float)
    return TestFacts(frame=frame, train_labels=labels, train_ratings=ratings.mean(axis=0))


def bare_text(text: str) -> str:
    """Return a text without spaces and punctuation, as two lines are compared.

    Example:
        >>> bare_text("well, done!") == bare_text("Well done")
        True
    """
    return text.translate(IGNORED_IN_TEXT).lower()


def constant_predictions(split: Split, facts: TestFacts) -> pd.DataFrame:
    """Answer every test utterance with what is commonest, and the mean rating, in training.

    Args:
        split: the fold.
        facts: of `read_facts`.

    Returns:
        the columns of `predictions.parquet`; `probabilities` are the emotions' shares in training.
    """
    rows = split.rows["test"]
    references = np.zeros((len(rows), facts.train_labels.shape[1]), dtype=int)
    for row, indices in enumerate(rows["emotions"]):
        references[row, indices] = 1
    answer = constant_answer(references.tolist(), chosen_on=facts.train_labels.tolist()).labels
    frame = rows.select_columns(["id", "corpus", "session", "dialogue"]).to_pandas()
    frame["probabilities"] = [facts.train_labels.mean(axis=0).tolist()] * len(rows)
    frame["labels_predicted"] = [list(answer)] * len(rows)
    frame["labels_reference"] = references.tolist()
    frame["valence_predicted"], frame["arousal_predicted"] = facts.train_ratings
    ratings = rows.select_columns(["valence", "arousal"]).to_pandas().astype(float)
    for name in ("valence", "arousal"):
        frame[f"{name}_reference"] = ratings[name]
    return frame[list(PREDICTION_COLUMNS)]


def ngram_predictions(split: Split, folder: Path, *, text_column: str, key: str) -> pd.DataFrame:
    """Answer the test utterances with the n-gram baseline, once for each dataset and column.

    Args:
        split: the fold.
        folder: where the answers are kept.
        text_column: what it reads.
        key: of the dataset.

    Returns:
        the columns of `predictions.parquet`.
    """
    path = RunPaths(folder).predictions
    of_this = hashlib.sha256(f"{key} {text_column} {split.folds_sha256}".encode()).hexdigest()
    mark = folder / "key.txt"
    if path.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == of_this:
        return pd.read_parquet(path)
    answers = answer_split(split, text_column=text_column)["test"]
    write_predictions(answers, folder)
    mark.write_text(of_this, encoding="utf-8")
    return answers


def write_predictions(answers: pd.DataFrame, folder: Path) -> None:
    """Write answers where a training would have written its own."""
    folder.mkdir(parents=True, exist_ok=True)
    answers.to_parquet(RunPaths(folder).predictions, index=False)


def mean_predictions(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean of several rows' probabilities and ratings, on the same utterances.

    Args:
        parts: columns of `predictions.parquet`, each of another row of the same fold and seed.

    Returns:
        the same columns; `labels_predicted` is for the caller's decoding to fill.

    Raises:
        ValueError: if the rows answered other utterances.
    """
    first = parts[0]
    for other in parts[1:]:
        if other["id"].tolist() != first["id"].tolist():
            raise ValueError(
                f"the rows to be averaged answered {len(first)} and {len(other)} utterances that "
                "are not the same; train them on the same fold."
            )
    probabilities = np.mean(
        [np.array([list(row) for row in part["probabilities"]]) for part in parts], axis=0
    )
    ratings = {
        f"{name}_predicted": np.mean([part[f"{name}_predicted"] for part in parts], axis=0)
        for name in ("valence", "arousal")
    }
    return first.assign(probabilities=probabilities.tolist(), **ratings)


def rater_figures(facts: pd.DataFrame) -> RaterFigures | str:
    """Return what the raters of a corpus score, or why it cannot be said.

    Args:
        facts: `TestFacts.frame` of all folds of one corpus, each utterance once.
    """
    try:
        return summarise_raters(facts)
    except ValueError as error:
        return str(error)
