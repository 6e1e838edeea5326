"""Scores of a table of predictions, and intervals against hand-computed values and a simulation."""

import doctest
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kemer import scoring
from tests.kemer.predictions import NEUTRAL, SAD, SAD_HAPPY, make_predictions

ROOT = Path(__file__).resolve().parents[2]


def test_score_by_hand():
    scores = scoring.score(make_predictions())
    assert scores["exact_match"] == pytest.approx(3 / 5)
    assert scores["recall_sad"] == pytest.approx(3 / 4)
    assert scores["distance_valence"] == pytest.approx(2 / 5)
    assert scores["distance_arousal"] == pytest.approx(1 / 5)
    assert scores["distance"] == pytest.approx(3 / 10)
    assert len(scores) == 5 + 14 + 7
    assert {type(value) for value in scores.values()} == {float}


def test_answers_are_scored_without_knowing_their_utterance():
    table = make_predictions()
    answers = table.drop(columns=["id", "corpus", "session", "dialogue", "probabilities"])
    assert scoring.score_answers(answers) == scoring.score(table)
    with pytest.raises(ValueError, match="`predictions` is empty"):
        scoring.score_answers(answers.iloc[:0])


def test_score_is_the_same_from_parquet(tmp_path):
    path = tmp_path / "predictions.parquet"
    make_predictions().to_parquet(path)
    assert scoring.score(scoring.read_predictions(path)) == scoring.score(make_predictions())


def test_tables_that_would_be_scored_wrongly_are_refused(tmp_path):
    table = make_predictions()
    with pytest.raises(FileNotFoundError, match="nowhere.parquet` is no file: give a run's"):
        scoring.read_predictions(tmp_path / "nowhere.parquet")
    with pytest.raises(ValueError, match="lacks the columns session, dialogue: it needs id,"):
        scoring.read_predictions(table.drop(columns=["session", "dialogue"]))
    with pytest.raises(ValueError, match="`predictions` has no rows"):
        scoring.read_predictions(table.iloc[:0])
    with pytest.raises(
        ValueError, match="2 rows whose `id` came before, the first 'kemdy20/Sess01"
    ):
        scoring.score(pd.concat([table, table.iloc[:2]]))


def test_a_metric_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(scoring, "METRIC_FOLDER", tmp_path / "evaluate_metric")
    with pytest.raises(FileNotFoundError, match="evaluate_metric.py` is missing: keep the folder"):
        scoring.score(make_predictions())


def test_processes_score_at_the_same_time_offline_with_an_empty_cache(tmp_path):
    make_predictions().to_parquet(tmp_path / "predictions.parquet")
    script = (
        "from kemer.scoring import read_predictions, score;"
        "print(score(read_predictions('predictions.parquet'))['exact_match'])"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment.update(HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="1", PYTHONPATH=str(ROOT))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert output.strip() == "0.6"


def test_constant_answer():
    references = [NEUTRAL, SAD, NEUTRAL, SAD_HAPPY]
    assert scoring.constant_answer(references) == scoring.ConstantAnswer(tuple(NEUTRAL), 0.5)
    chosen = scoring.constant_answer(references, chosen_on=np.array([SAD, SAD, NEUTRAL]))
    assert chosen == scoring.ConstantAnswer(tuple(SAD), 0.25)
    assert scoring.constant_answer([SAD, NEUTRAL]).labels == tuple(SAD)
    with pytest.raises(ValueError, match="`references` is empty"):
        scoring.constant_answer([])
    with pytest.raises(ValueError, match="`chosen_on` is empty"):
        scoring.constant_answer([SAD], chosen_on=[])


def test_correct_items_and_session_table():
    table = make_predictions()
    correct = scoring.correct_items(table)
    assert correct.tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]
    assert correct.index.tolist() == table["id"].tolist()
    other = table.assign(corpus="kemdy19", id=table["id"] + "x")
    sessions = scoring.session_table(pd.concat([table, other], ignore_index=True))
    assert sessions.to_dict("list") == {
        "corpus": ["kemdy19", "kemdy19", "kemdy20", "kemdy20"],
        "session": [1, 2, 1, 2],
        "items": [3, 2, 3, 2],
        "correct": [2, 1, 2, 1],
        "exact_match": [2 / 3, 1 / 2, 2 / 3, 1 / 2],
    }


def test_session_interval_by_hand():
    # Sums 3, 1, 0 of sizes 4, 2, 2: r = 1/2, residuals 1, 0, -1, variance 3/2 * 2 / 64.
    values = [1, 1, 1, 0, 1, 0, 0, 0]
    interval = scoring.session_interval(values, [5, 5, 5, 5, 7, 7, 9, 9])
    half_width = 4.302652729911275 * math.sqrt(3 / 64)  # t quantile of 2 degrees of freedom
    assert interval.mean == 0.5
    assert interval.standard_error == pytest.approx(math.sqrt(3 / 64))
    assert (interval.low, interval.high) == pytest.approx((0.5 - half_width, 0.5 + half_width))
    assert interval.sessions == 3
    narrower = scoring.session_interval(values, list("aaaabbcc"), confidence=0.5)
    assert narrower.high - 0.5 == pytest.approx(0.816496580927726 * math.sqrt(3 / 64))


def test_with_equal_sessions_it_is_the_t_interval_of_their_means():
    values = np.random.default_rng(1).random((9, 5))
    interval = scoring.session_interval(values.ravel(), np.repeat(np.arange(9), 5))
    means = values.mean(axis=1)
    low, high = stats.t.interval(0.95, df=8, loc=means.mean(), scale=stats.sem(means))
    assert (interval.mean, interval.low, interval.high) == pytest.approx((means.mean(), low, high))


def test_the_order_of_items_does_not_matter():
    generator = np.random.default_rng(2)
    values, sessions = generator.random(40), generator.integers(0, 6, 40)
    order = generator.permutation(40)
    first = scoring.session_interval(values, sessions)
    second = scoring.session_interval(values[order], sessions[order])
    assert (first.low, first.high) == pytest.approx((second.low, second.high))


def test_paired_interval_by_hand():
    # Differences 1, 0 | 1, 1 | 0, 0: sums 1, 2, 0 of sizes 2, so r = 1/2 and residuals 0, 1, -1.
    gain = scoring.paired_session_interval(
        [1, 1, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0], ["a", "a", "b", "b", "c", "c"]
    )
    assert gain.mean == 0.5
    assert gain.standard_error == pytest.approx(math.sqrt(3 / 2 * 2 / 36))
    assert gain.low == pytest.approx(0.5 - 4.302652729911275 * gain.standard_error)
    loss = scoring.paired_session_interval([0, 0, 0, 0], [0, 1, 1, 0], [1, 1, 2, 2])
    assert (loss.mean, loss.standard_error) == (-0.5, 0.0)


def test_intervals_cover_the_truth():
    # 12 sessions of unequal size whose true rates differ (sd .08), as utterances of a session do.
    generator = np.random.default_rng(20)
    rounds, truth, covered, covered_by_items = 1000, 0.6, 0, 0
    for _ in range(rounds):
        sizes = generator.integers(40, 80, 12)
        rates = generator.normal(truth, 0.08, 12).clip(0, 1)
        sessions = np.repeat(np.arange(12), sizes)
        values = (generator.random(len(sessions)) < np.repeat(rates, sizes)).astype(float)
        interval = scoring.session_interval(values, sessions)
        covered += interval.low <= truth <= interval.high
        by_items = scoring.session_interval(values, np.arange(len(values)))
        covered_by_items += by_items.low <= truth <= by_items.high
    assert 0.92 <= covered / rounds <= 0.98
    assert covered_by_items / rounds < 0.85  # why the session is the unit


@pytest.mark.parametrize(
    ("values", "sessions", "confidence", "message"),
    [
        ([1, 0, 1], [1, 2], 0.95, r"`values` has shape \(3,\) and `sessions` 2 entries"),
        ([[1], [0]], [1, 2], 0.95, r"`values` has shape \(2, 1\)"),
        ([1, math.nan], [1, 2], 0.95, "`values` holds nan or infinity"),
        ([1, 0], [4, 4], 0.95, r"`sessions` holds 1 session\(s\).*at least 2"),
        ([], [], 0.95, r"`sessions` holds 0 session\(s\)"),
        ([1, 0], [1, 2], 95, "`confidence` is 95: choose a share between 0 and 1"),
    ],
)
def test_bad_interval_inputs_are_refused(values, sessions, confidence, message):
    with pytest.raises(ValueError, match=message):
        scoring.session_interval(values, sessions, confidence=confidence)


def test_models_with_other_items_are_not_compared():
    with pytest.raises(ValueError, match=r"`correct_a` has shape \(2,\) and `correct_b` \(1,\)"):
        scoring.paired_session_interval([1, 0], [1], [1, 2])


def test_examples_run():
    result = doctest.testmod(scoring)
    assert (result.failed, result.attempted) == (0, 6)
