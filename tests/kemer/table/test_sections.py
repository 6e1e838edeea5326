from dataclasses import replace

import pytest

from kemer.estimates import NoInterval
from kemer.intervals import ScoreInterval, TooFewSessions
from kemer.table.scores import skill
from kemer.table.sections import (
    ProtocolReport,
    calibration_table,
    comparison_table,
    decoding_table,
    format_estimate,
    main_table,
    session_table,
    slice_table,
    two_way_table,
)
from tests.kemer.table.reports import make_report


@pytest.fixture(scope="module")
def report() -> ProtocolReport:
    return make_report()


def row_of(table: str, *starts: str) -> list[str]:
    """Return the cells of the one line that begins with these cells."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    found = [cells for cells in lines if cells[: len(starts)] == list(starts)]
    assert len(found) == 1, starts
    return found[0]


def test_an_estimate_is_written_with_what_is_known_of_it() -> None:
    assert format_estimate(ScoreInterval(0.5, 0.4, 0.6, 20, None, "t")) == "0.500 [0.400, 0.600]"
    assert format_estimate(TooFewSessions(0.5, {1: 0.5})) == "0.500"
    assert format_estimate(NoInterval(float("nan"), "undefined")) == "undefined (undefined)"


def test_the_scores_stand_in_the_main_table(report: ProtocolReport) -> None:
    table = main_table(report, published={"joint": (89.58, 0.068), "absent": (1.0, 1.0)})
    scores = report.scores["joint", "threshold"]
    cells = row_of(table, "Both")
    assert cells[1] == format_estimate(scores.estimates["exact_match"])
    assert cells[5] == format_estimate(scores.estimates["ccc_arousal"])
    assert cells[6] == f"{scores.seed_spread['exact_match']:.3f}"
    assert row_of(table, "constant answer")[6] == ""  # it has no seeds
    assert row_of(table, "Both, as published")[1:3] == ["0.8958", "0.068"]
    rater = row_of(table, "one rater against the other nine")
    assert rater[1] == f"{report.raters.single_strict:.3f}"
    assert row_of(table, "ceiling (estimated, exchangeable raters)")[1].startswith(
        f"{report.raters.ceiling:.3f}"
    )
    assert "absent" not in table and "unstated split" in table
    without = main_table(replace(report, raters="nine raters"), published={})
    assert "No raters' rows: nine raters" in without and "ceiling" not in without


def test_differences_are_signed_and_corrected(report: ProtocolReport) -> None:
    table = comparison_table(report)
    found = report.comparisons["argmax", "exact_match"]["voice"]
    cells = row_of(table, "Speech only", "exact match", "most probable emotion")
    assert cells[3].startswith(f"+{found.difference.value:.3f} [")
    assert cells[4:] == [f"{found.test.p_value:.4f}", f"{found.p_holm:.4f}"]
    assert row_of(table, "Speech only", "Distance")[3].startswith("-")
    with pytest.raises(AssertionError):
        row_of(table, "Both")  # not against itself


def test_decodings_have_skill_and_shares(report: ProtocolReport) -> None:
    table = decoding_table(report)
    scores = report.scores["voice", "threshold"]
    cells = row_of(table, "Speech only", "threshold 0.5")
    constant = report.scores["constant", "own"].estimates["exact_match"].value
    expected = skill(
        scores.estimates["exact_match"].value, constant=constant, ceiling=report.raters.ceiling
    )
    assert cells[3] == f"{expected:.3f}"
    assert cells[5] == f"{scores.shares['empty']:.1%}" != "0.0%"
    assert row_of(table, "Speech only", "most probable emotion")[5] == "0.0%"
    assert row_of(table, "constant answer", "its own")[3] == "0.000"


def test_the_other_tables_hold_their_numbers(report: ProtocolReport) -> None:
    line = report.scores["joint", "threshold"].calibration.loc["happy"]
    assert f"{line.brier:.3f} / {line.ece:.3f}" in row_of(calibration_table(report), "Both")
    part = report.slices["joint"].set_index("part").loc["gender F"]
    cells = row_of(slice_table(report), "gender F")
    assert cells[1] == "60" and f"{part.exact_match:.3f}" in cells
    values = report.of_row("joint", "threshold").sums["exact_match"].session_values()
    assert row_of(session_table(report), "Both")[1:] == [f"{v:.3f}" for v in values.values()]


def test_crossed_intervals_are_shown_where_they_are() -> None:
    report = make_report(protocol="session+script")
    cells = row_of(two_way_table(report), "Both", "most probable emotion")
    found = report.scores["joint", "argmax"].two_way["exact_match"]
    assert cells[2] == format_estimate(found) and found.scripts == 2
