import json

import pytest

from kemer.table.build import pool_reports
from kemer.table.summary import summarise_reports
from tests.kemer.table.reports import make_report


def test_the_summary_is_json_and_holds_intervals_and_comparisons() -> None:
    report = make_report(protocol="session+script")
    found = json.loads(json.dumps(summarise_reports([report], {}, synthetic=True), allow_nan=False))
    assert found["synthetic"] is True and found["pooled"] == []
    (design,) = found["designs"]
    assert (design["corpus"], design["protocol"], design["seeds"]) == (
        *("kemdy20", "session+script"),
        [0, 1],
    )
    rows = {(row["row"], row["decoding"]): row for row in design["rows"]}
    scores = report.scores["joint", "argmax"].estimates["exact_match"]
    told = rows["joint", "argmax"]["scores"]["exact_match"]
    assert (told["value"], told["low"], told["high"]) == (scores.value, scores.low, scores.high)
    assert rows["joint", "argmax"]["two_way"]["exact_match"]["scripts"] == 2
    assert rows["constant", "own"]["seed_spread"]["exact_match"] is None
    against = {
        (one["against"], one["metric"], one["decoding"]): one for one in design["comparisons"]
    }
    comparison = report.comparisons["argmax", "exact_match"]["voice"]
    assert against["voice", "exact_match", "argmax"]["p_holm"] == comparison.p_holm
    assert design["raters"]["ceiling"] == report.raters.ceiling
    assert design["parts"]["joint"][0]["part"].endswith("raters agree")


def test_few_sessions_are_told_by_session() -> None:
    found = summarise_reports([make_report(folds=(0,))], {}, synthetic=False)
    told = found["designs"][0]["rows"][0]["scores"]["exact_match"]
    assert list(told) == ["value", "session_values"] and len(told["session_values"]) == 6


def test_pooled_scores_are_told_apart() -> None:
    reports = [make_report(corpus=name) for name in ("kemdy19", "kemdy20")]
    found = summarise_reports(reports, pool_reports(reports), synthetic=False)["pooled"]
    parts = [one.scores["joint", "argmax"].estimates["exact_match"].value for one in reports]
    told = next(one for one in found if (one["row"], one["decoding"]) == ("joint", "argmax"))
    assert told["exact_match"]["value"] == pytest.approx(sum(parts) / 2)
