from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kemer import ngram
from kemer.data import Split, load_split
from kemer.data_arguments import DataArguments
from kemer.raters import RaterFigures, summarise_raters
from kemer.scoring import constant_answer, read_predictions
from kemer.table.baselines import (
    bare_text,
    constant_predictions,
    mean_predictions,
    ngram_predictions,
    rater_figures,
    read_facts,
)
from tests.kemer.table.invented import make_answers, make_facts, make_frame


@pytest.fixture(scope="module")
def split(bench: Path) -> Split:
    return load_split(DataArguments(dataset=str(bench / "release")), reads_text=False)


def test_facts_are_those_of_the_test_rows_and_the_training_labels(split: Split) -> None:
    facts = read_facts(split)
    assert facts.frame["id"].tolist() == list(split.rows["test"]["id"])
    assert facts.train_labels.shape == (12, 7)
    assert [np.flatnonzero(row).tolist() for row in facts.train_labels] == [
        sorted(row) for row in split.rows["train"]["emotions"]
    ]
    ratings = split.rows["train"].select_columns(["valence", "arousal"]).to_pandas()
    np.testing.assert_allclose(facts.train_ratings, ratings.mean(), rtol=1e-6)


def test_a_text_is_seen_whatever_its_punctuation(split: Split) -> None:
    texts = list(split.rows["train"]["text_ko"])
    test = split.rows["test"].remove_columns("text_ko")
    said = [f"{texts[0]} !?", "nobody said this", "", "  ."]
    silent = split.rows["train"].remove_columns("text_ko").add_column("text_ko", ["", *texts[:11]])
    changed = {**split.rows, "train": silent, "test": test.add_column("text_ko", said)}
    facts = read_facts(Split(changed, split.sessions, split.folds_sha256, split.synthetic))
    assert facts.frame["text_seen"].tolist() == [True, False, False, False]
    assert bare_text("Well, done!") == "welldone"


def test_the_constant_answer_knows_training_alone(split: Split) -> None:
    facts = read_facts(split)
    found = read_predictions(constant_predictions(split, facts))
    expected = constant_answer(facts.train_labels.tolist()).labels
    assert {tuple(row) for row in found["labels_predicted"]} == {expected}
    assert found["valence_predicted"].nunique() == found["arousal_predicted"].nunique() == 1
    np.testing.assert_allclose(found["probabilities"].iloc[0], facts.train_labels.mean(axis=0))
    assert [np.flatnonzero(row).tolist() for row in found["labels_reference"]] == [
        sorted(row) for row in split.rows["test"]["emotions"]
    ]
    assert found["arousal_reference"].tolist() == pytest.approx(list(split.rows["test"]["arousal"]))


def test_the_constant_answer_is_the_commonest_of_training_and_not_of_the_test(
    split: Split,
) -> None:
    facts = read_facts(split)
    happy = np.eye(7, dtype=int)[[6] * 12]
    found = constant_predictions(split, replace(facts, train_labels=happy))
    assert {tuple(row) for row in found["labels_predicted"]} == {(0, 0, 0, 0, 0, 0, 1)}


def test_ngrams_are_fitted_once_for_data_and_column(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ngram_predictions(split, tmp_path, text_column="text_en", key="data")
    calls = []
    real = ngram.fit_ngrams
    monkeypatch.setattr(ngram, "fit_ngrams", lambda *a, **k: calls.append(k) or real(*a, **k))
    again = ngram_predictions(split, tmp_path, text_column="text_en", key="data")
    pd.testing.assert_frame_equal(
        first.map(lambda cell: list(cell) if isinstance(cell, np.ndarray) else cell),
        again.map(lambda cell: list(cell) if isinstance(cell, np.ndarray) else cell),
    )
    assert calls == []
    ngram_predictions(split, tmp_path, text_column="text_en", key="other")
    ngram_predictions(split, tmp_path, text_column="text_ko", key="other")
    assert [call["text_column"] for call in calls] == ["text_en", "text_ko"]


def test_rows_of_other_utterances_are_not_averaged() -> None:
    first, second = make_frame(0, seed=0, skill=1.0), make_frame(1, seed=0, skill=1.0)
    with pytest.raises(ValueError, match="answered 60 and 60 utterances that are not the same"):
        mean_predictions([first, second])


def test_the_raters_are_summarised_or_the_reason_is_told() -> None:
    facts = make_facts(make_answers("model", skill=1.0))
    found = rater_figures(facts)
    assert isinstance(found, RaterFigures) and found == summarise_raters(facts)
    nine = facts.assign(emotion_votes=[[1 / 9] * 7] * len(facts))
    assert "not the votes of 10 raters" in rater_figures(nine)
