import math

import numpy as np
import pandas as pd
import pytest

from decoding_kemer import decode_argmax
from kemer.calibration import brier_scores, calibration_errors
from kemer.comparisons import compare
from kemer.decoding import answer_shares
from kemer.estimates import NoInterval
from kemer.intervals import ScoreInterval, TooFewSessions
from kemer.scoring import score_answers, session_interval
from kemer.table.answers import DECODINGS
from kemer.table.scores import (
    METRICS,
    compare_rows,
    pool_corpora,
    score_cells,
    score_row,
    skill,
)
from tests.kemer.table.invented import make_answers, make_facts


def test_a_rows_scores_are_those_of_the_metric_over_all_folds() -> None:
    answers = make_answers("model", skill=2.0)
    found = score_row(answers, "argmax")
    assert found.utterances == 120
    per_seed = []
    for seed in (0, 1):
        frames = [one.decoded("argmax") for one in answers if one.seed == seed]
        pooled = pd.concat(frames)
        per_seed.append(score_answers(pooled))
    for metric in METRICS:
        values = [scores[metric] for scores in per_seed]
        assert found.estimates[metric].value == pytest.approx(np.mean(values), abs=1e-12)
        assert found.seed_spread[metric] == pytest.approx(np.std(values, ddof=1), abs=1e-12)
        assert isinstance(found.estimates[metric], ScoreInterval)
        assert found.estimates[metric].low < np.mean(values) < found.estimates[metric].high


def test_the_interval_of_exact_match_is_over_sessions_with_seeds_averaged_first() -> None:
    answers = make_answers("model", skill=2.0)
    found = score_row(answers, "argmax").estimates["exact_match"]
    hits, sessions = [], []
    for fold in (0, 1):
        frames = [one.decoded("argmax") for one in answers if one.fold == fold]
        matches = [
            [a == b for a, b in zip(f["labels_predicted"], f["labels_reference"], strict=True)]
            for f in frames
        ]
        hits += np.mean(matches, axis=0).tolist()
        sessions += frames[0]["session"].tolist()
    expected = session_interval(hits, sessions)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.sessions == 12


def test_shares_and_calibration_are_means_over_seeds() -> None:
    answers = make_answers("model", skill=2.0)
    found = score_row(answers, "threshold")
    frames = {
        seed: [one.decoded("threshold") for one in answers if one.seed == seed] for seed in (0, 1)
    }
    empties, briers, errors = [], [], []
    for pair in frames.values():
        pooled = pd.concat(pair)
        decided = np.array(pooled["labels_predicted"].tolist())
        empties.append(answer_shares(decided).empty)
        values = np.array(pooled["probabilities"].tolist())
        labels = np.array(pooled["labels_reference"].tolist())
        briers.append(brier_scores(values, labels))
        errors.append(calibration_errors(values, labels))
    assert found.shares["empty"] == pytest.approx(np.mean(empties)) and found.shares["empty"] > 0
    np.testing.assert_allclose(found.calibration["brier"], np.mean(briers, axis=0))
    np.testing.assert_allclose(found.calibration["ece"], np.mean(errors, axis=0))


def test_few_sessions_have_no_interval_and_one_seed_no_spread() -> None:
    found = score_row(make_answers("model", skill=2.0, folds=(0,), seeds=(3,)), "argmax")
    assert isinstance(found.estimates["exact_match"], TooFewSessions)
    assert math.isnan(found.seed_spread["exact_match"])


def test_scripts_are_drawn_only_where_they_are_held_out() -> None:
    answers = make_answers("model", skill=2.0)
    facts = make_facts(answers)
    scripted = facts[facts["is_scripted"]]
    scripts = dict(zip(scripted["id"], scripted["script"], strict=True))
    one_way = score_row(answers, "argmax")
    two_way = score_row(answers, "argmax", scripts=scripts)
    assert one_way.two_way == {}
    found = two_way.two_way["exact_match"]
    assert isinstance(found, ScoreInterval) and found.scripts == 2
    assert found.value == pytest.approx(one_way.estimates["exact_match"].value)
    without = score_row(answers, "argmax", scripts={})
    assert isinstance(without.two_way["exact_match"], NoInterval)


def test_rows_are_compared_as_one_family() -> None:
    rows = {
        name: score_row(make_answers(name, skill=level), "argmax")
        for name, level in (("best", 3.0), ("middle", 2.0), ("worst", 0.5))
    }
    found = compare_rows(rows["best"], [rows["middle"], rows["worst"]], metric="exact_match")
    sums = {name: row.sums["exact_match"] for name, row in rows.items()}
    expected = compare(sums.pop("best"), sums)
    assert found == expected
    assert found["worst"].difference.low > 0 and found["worst"].p_holm < 0.05


def test_the_cells_are_told_one_by_one() -> None:
    answers = make_answers("model", skill=2.0) + make_answers("ngram", skill=1.0, seeds=(None,))
    entries = score_cells(answers)
    assert len(entries) == 2 * 2 * len(DECODINGS) + 2
    for entry in entries:
        one = next(
            a
            for a in answers
            if (a.row, a.fold, a.seed) == (entry["row"], entry["fold"], entry["seed"])
        )
        expected = score_answers(one.decoded(entry["decoding"]))
        for metric in METRICS:
            assert entry[metric] == pytest.approx(expected[metric], abs=1e-12)
        assert entry["empty"] + entry["single"] + entry["pairs"] + entry["larger"] == 1
    own = [entry for entry in entries if entry["row"] == "ngram"]
    assert {entry["decoding"] for entry in own} == {"own"} and own[0]["seed"] is None


def test_corpora_are_pooled_by_their_utterances() -> None:
    rows = [
        score_row(make_answers("model", skill=level, corpus=corpus), "argmax")
        for corpus, level in (("kemdy19", 1.0), ("kemdy20", 3.0))
    ]
    parts = [row.estimates["exact_match"] for row in rows]
    found = pool_corpora(rows, metric="exact_match")
    assert found.value == pytest.approx((parts[0].value + parts[1].value) / 2)
    widths = [part.high - part.value for part in parts]
    assert found.high - found.value == pytest.approx(math.hypot(*widths) / 2)
    assert found.sessions == 24
    few = score_row(make_answers("model", skill=1.0, folds=(0,)), "argmax")
    assert isinstance(pool_corpora([few, rows[1]], metric="exact_match"), NoInterval)


def test_skill_goes_from_the_constant_answer_to_the_ceiling() -> None:
    assert skill(0.4, constant=0.4, ceiling=0.9) == 0
    assert skill(0.9, constant=0.4, ceiling=0.9) == 1


def test_a_most_probable_emotion_is_never_empty() -> None:
    frame = make_answers("model", skill=1.0)[0].decoded("argmax")
    logits = np.log(np.array(frame["probabilities"].tolist()))
    assert frame["labels_predicted"].tolist() == decode_argmax(logits).tolist()
