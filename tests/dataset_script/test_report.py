import json

import pytest

from dataset_script.report import BuildReport, Problem, format_summary

ROW = {
    "duration": 1800.0,
    "session": 1,
    "dialogue": "Sess01_script01",
    "speaker": "kemdy20/Sess01_User001F",
    "is_silent": False,
}


@pytest.fixture
def report():
    report = BuildReport("kemdy20", rows_in=5, translation={"flagged": 1_200})
    report.missing_translations = 1
    report.count_row(ROW, ["happy"])
    report.count_row({**ROW, "is_silent": True}, ["happy", "sad"])
    report.count_row({**ROW, "session": 2}, ["sad"])
    for line in range(3, 8):
        report.add_problem(
            "bad_row", "a.csv", line=line, message="it is bad", rows_dropped=line < 5
        )
    report.add_problem("total_emotion", "b.csv", line=1, message="odd")
    report.add_note("silent_wav", "c.wav", message="zeros")
    return report


def test_counts_account_for_every_row(report):
    counts = report.to_dict()
    assert counts["rows_in"] == counts["rows_out"] + counts["rows_dropped"] == 5
    assert (counts["rows_out"], counts["rows_dropped"]) == (3, 2)
    assert counts["sessions"] == [1, 2] and counts["hours"] == 1.5
    assert counts["emotions"] == {"happy": 2, "sad": 2} and counts["multi_label_rows"] == 1
    assert report.single_label_emotions == {"happy": 1, "sad": 1}
    assert report.rows_by_session == {1: 2, 2: 1}
    assert counts["silent_rows"] == 1
    assert counts["missing_translations"] == 1 and counts["translation"] == {"flagged": 1_200}
    assert counts["problem_counts"] == {"bad_row": 5, "total_emotion": 1}


def test_the_full_list_of_problems_survives_json(report):
    counts = json.loads(json.dumps(report.to_dict()))
    assert [Problem(**problem) for problem in counts["problems"]] == report.problems
    assert [Problem(**note) for note in counts["notes"]] == report.notes and report.notes


def test_summary_names_the_first_places_of_each_kind(report):
    summary = format_summary(report.to_dict())
    assert "5 rows in = 3 rows out + 2 dropped" in summary
    assert "bad_row: 5, rows dropped 2: a.csv:3, a.csv:4, a.csv:5, …\n      it is bad" in summary
    assert "total_emotion: 1, rows dropped 0: b.csv:1\n" in summary
    assert "SYNTHETIC" not in summary and "1 missing, 1,200 flagged\n" in summary


def test_summary_of_a_synthetic_corpus_begins_with_it(report):
    report.synthetic = {}
    assert format_summary(report.to_dict()).startswith("SYNTHETIC")


def test_summary_says_if_no_translations_were_given(report):
    report.translation = None
    assert "none given" in format_summary(report.to_dict())


def test_summary_tells_protocols_leaks_and_what_is_missing(report):
    report.protocols = {
        "session": {"fits": 5, "file": "a"},
        "session+script": {"reason": "none recurs"},
        "session-matched": {"reason": "none recurs"},
        "random": {"fits": 5, "file": "b", "leak": "a leak: of voices"},
    }
    lines = format_summary(report.to_dict()).splitlines()
    place = lines.index("  protocols    session: 5 fits")
    assert [line.strip() for line in lines[place + 1 : place + 3]] == [
        "random: 5 fits, a leak: of voices",
        "without session+script and session-matched: none recurs",
    ]
