"""The text-only baseline: character n-grams and a linear model, no pretraining and no speech.

It stands beside every model that reads, trained and tested on the same rows, and is scored by the
same columns. A protocol that leaks shows in it first: where test dialogues play scripts that were
trained on, knowing the letters of a line is knowing its label.

TF-IDF of character 1- to 4-grams; multinomial logistic regression over the label sets that occur in
training, whose likeliest set is the answer (Dembczyński et al., "On label dependence and loss
minimization in multi-label classification", Machine Learning 88, 2012: it maximises exact match);
ridge regression for valence and arousal. How strongly each is regularised is chosen on the
validation rows. Nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from datasets import Dataset
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from kemer.batches import multi_hot
from kemer.data import Split
from kemer.scoring import PREDICTION_COLUMNS

NGRAM_LENGTHS = (1, 4)  # characters, from and to
LEAST_UTTERANCES = 2  # of an n-gram; those of one say nothing and triple the time
INVERSE_PENALTIES = (1.0, 10.0)  # scikit-learn's C
RIDGE_PENALTIES = (0.3, 1.0, 3.0, 10.0)
MOST_STEPS = 1_000
TOLERANCE = 1e-3  # of the gradient; 1e-4 takes twice as long
RATING_RANGE = (1.0, 5.0)
DIMENSIONS = ["valence", "arousal"]


@dataclass(frozen=True)
class NgramModel:
    """A fitted baseline.

    Attributes:
        text_column: column that it reads, Korean or English.
        vectorizer: text to n-grams.
        classifier: n-grams to the number of a label set.
        regressor: n-grams to valence and arousal.
        label_sets: (sets, 7) of 0 and 1, those that occur in training.
    """

    text_column: str
    vectorizer: TfidfVectorizer
    classifier: LogisticRegression
    regressor: Ridge
    label_sets: np.ndarray

    def answer(self, rows: Dataset) -> pd.DataFrame:
        """Answer rows, one line an utterance, in their order.

        Args:
            rows: rows of a release; a text that is empty gets what the intercepts say.

        Returns:
            the columns of `predictions.parquet`; `probabilities` are those of the emotions,
            summed over the label sets that hold them.
        """
        features = self.vectorizer.transform(rows[self.text_column])
        of_sets = self.classifier.predict_proba(features)  # (rows, sets)
        ratings = np.clip(self.regressor.predict(features), *RATING_RANGE)  # (rows, 2)
        references = _read_ratings(rows)
        frame = rows.select_columns(["id", "corpus", "session", "dialogue"]).to_pandas()
        answers = {
            "probabilities": (of_sets @ self.label_sets).tolist(),
            "labels_predicted": self.label_sets[of_sets.argmax(1)].tolist(),
            "labels_reference": _read_labels(rows).tolist(),
            "valence_predicted": ratings[:, 0],
            "arousal_predicted": ratings[:, 1],
            "valence_reference": references[:, 0],
            "arousal_reference": references[:, 1],
        }
        return pd.concat([frame, pd.DataFrame(answers)], axis=1)[list(PREDICTION_COLUMNS)]


def answer_split(split: Split, *, text_column: str) -> dict[str, pd.DataFrame]:
    """Fit the baseline on a fold and answer its held-out rows.

    Args:
        split: the rows of one fold; test rows are answered only.
        text_column: column that it reads, `text_ko` or `text_en`.

    Returns:
        by role, `validation` and `test`, the columns of `predictions.parquet`.

    Raises:
        ValueError: as in `fit_ngrams`.
    """
    model = fit_ngrams(split.rows["train"], split.rows["validation"], text_column=text_column)
    return {role: model.answer(split.rows[role]) for role in ("validation", "test")}


def fit_ngrams(train: Dataset, validation: Dataset, *, text_column: str) -> NgramModel:
    """Fit the baseline.

    Args:
        train: rows that it learns from.
        validation: rows on which the regularisation is chosen: exact match decides for emotions,
            the mean squared error for valence and arousal; of equal ones the strongest.
        text_column: column that it reads.

    Returns:
        the fitted baseline.

    Raises:
        ValueError: if a column is missing, no training row has text, or all have one label set.
    """
    for rows in (train, validation):
        if text_column not in rows.column_names:
            raise ValueError(
                f"`text_column` is {text_column!r}; the columns are {', '.join(rows.column_names)}."
            )
    if not any(text.strip() for text in train[text_column]):
        raise ValueError(
            f"`text_column` {text_column!r} is empty in every training row; build the dataset with "
            "`--translations`, or read `text_ko`."
        )
    label_sets, numbers = np.unique(_read_labels(train), axis=0, return_inverse=True)
    if len(label_sets) == 1:
        raise ValueError("`train` has one label set only; there is nothing to tell apart.")
    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=NGRAM_LENGTHS, sublinear_tf=True, min_df=LEAST_UTTERANCES
    )
    features = vectorizer.fit_transform(train[text_column])
    held_out = vectorizer.transform(validation[text_column])
    classifier = _choose_classifier(
        (features, numbers.reshape(-1)), (held_out, _read_labels(validation)), label_sets=label_sets
    )
    regressor = _choose_regressor(
        (features, _read_ratings(train)), (held_out, _read_ratings(validation))
    )
    return NgramModel(text_column, vectorizer, classifier, regressor, label_sets)


def _choose_classifier(
    train: tuple[csr_matrix, np.ndarray],
    validation: tuple[csr_matrix, np.ndarray],
    *,
    label_sets: np.ndarray,
) -> LogisticRegression:
    """Return the classifier with the best exact match.

    Args:
        train: n-grams, and (rows,) numbers of label sets.
        validation: n-grams, and (rows, 7) labels.
        label_sets: (sets, 7).
    """
    fitted = [
        LogisticRegression(C=penalty, tol=TOLERANCE, max_iter=MOST_STEPS).fit(*train)
        for penalty in INVERSE_PENALTIES
    ]
    features, labels = validation
    matches = [(label_sets[one.predict(features)] == labels).all(1).mean() for one in fitted]
    return fitted[int(np.argmax(matches))]


def _choose_regressor(
    train: tuple[csr_matrix, np.ndarray], validation: tuple[csr_matrix, np.ndarray]
) -> Ridge:
    """Return the regressor with the least error; both take n-grams and (rows, 2) ratings."""
    fitted = [Ridge(alpha=penalty).fit(*train) for penalty in RIDGE_PENALTIES[::-1]]
    features, ratings = validation
    errors = [np.square(one.predict(features) - ratings).mean() for one in fitted]
    return fitted[int(np.argmin(errors))]


def _read_labels(rows: Dataset) -> np.ndarray:
    """Return the label set of each row, (rows, 7) of 0 and 1."""
    emotions: Sequence[Sequence[int]] = rows["emotions"]
    return np.stack([multi_hot(row).astype(int) for row in emotions])


def _read_ratings(rows: Dataset) -> np.ndarray:
    """Return valence and arousal of each row, (rows, 2), 1 to 5."""
    return rows.select_columns(DIMENSIONS).to_pandas()[DIMENSIONS].to_numpy(float)
