import pytest

from dataset_script.layout import EMOTIONS, KEMDY19_HEADER
from dataset_script.pairs import pick_annotation, read_pairs, report_name_in_f
from dataset_script.report import BuildReport

from .corpus_files import join_rows, make_segments19

FILES = {gender: f"KEMDy19/annotation/Session01_{gender}_res.csv" for gender in "FM"}


def _tables(segments):
    return {
        gender: [segment.cells(line, gender) for line, segment in enumerate(segments, 1)]
        for gender in "FM"
    }


def _read(tables, *, newline="\n", session=1):
    report = BuildReport("kemdy19")
    contents = {
        gender: (FILES[gender], join_rows([*KEMDY19_HEADER, *rows], newline=newline).encode())
        for gender, rows in tables.items()
    }
    return read_pairs(session, contents, report), report


def _emotions(annotation):
    return annotation.ratings.emotions


def test_rows_of_both_files_become_one_segment_each():
    segments = make_segments19(1)
    pairs, report = _read(_tables(segments), newline="\r\n")
    assert [pair.segment_id for pair in pairs] == [segment.segment_id for segment in segments]
    assert [pair.turn for pair in pairs] == [0, 1, 2, 3] * 2
    assert {pair.dialogue for pair in pairs} == {"Sess01_script01", "Sess01_impro01"}
    assert report.rows_in == len(segments) and report.problems == report.notes == []


@pytest.mark.parametrize(("role", "emotion"), [("speaker", "happy"), ("listener", "angry")])
def test_labels_are_those_of_the_role_whoever_speaks(role, emotion):
    segments = make_segments19(1)
    for segment in segments:
        segment.votes, segment.other_votes = ("happy",) * 10, ("angry",) * 10
    pairs, report = _read(_tables(segments))
    picked = [pick_annotation(pair, role=role, report=report) for pair in pairs]
    assert {_emotions(annotation) for annotation in picked} == {(emotion,)}
    assert [annotation.gender for annotation in picked] == [s.gender for s in segments]
    assert {a.speaker for a in picked} == {"Sess01_F", "Sess01_M"}
    own = "FM" if role == "speaker" else "MF"
    assert [annotation.file for annotation in picked[:2]] == [FILES[gender] for gender in own]


def test_a_wrong_name_in_the_f_file_is_the_one_of_the_m_file():
    segments = make_segments19(1)
    segments[2].name_in_f = "Sess01_script01_M002"  # row of F002, a name that another row bears
    segments[2].votes = ("fear",) * 10
    pairs, report = _read(_tables(segments))
    assert [pair.segment_id for pair in pairs] == [segment.segment_id for segment in segments]
    report_name_in_f(pairs[2], report)
    assert _emotions(pick_annotation(pairs[2], role="speaker", report=report)) == ("fear",)
    (problem,) = report.problems
    assert problem.kind == "segment_id" and problem.place == f"{FILES['F']}:5"
    assert "'Sess01_script01_M002' was read as 'Sess01_script01_F002'" in problem.message
    assert problem.rows_dropped == 0


def test_no_name_in_the_f_file_is_the_one_of_the_m_file_too():
    tables = _tables(make_segments19(1))
    tables["F"][0][9] = ""
    pairs, report = _read(tables)
    report_name_in_f(pairs[0], report)
    assert pairs[0].segment_id == "Sess01_script01_F001"
    assert [problem.kind for problem in report.problems] == ["segment_id"]


def test_no_name_in_the_m_file_costs_the_row_and_no_other():
    tables = _tables(make_segments19(1))
    tables["F"][1][9] = tables["M"][1][9] = "Sess01_script01_X001"
    pairs, report = _read(tables)
    (problem,) = report.problems
    assert (problem.kind, problem.place, problem.rows_dropped) == ("bad_row", f"{FILES['M']}:4", 1)
    assert len(pairs) == report.rows_in - 1
    assert [pair.turn for pair in pairs[:3]] == [0, 2, 3]  # the row that was dropped leaves a gap


def test_wrong_session_prefixes_are_rebuilt_in_each_file():
    segments = make_segments19(1)
    segments[0].name_in_m = "Sess42_script01_F001"
    segments[1].name_in_f = "Sess42_script01_M001"
    pairs, report = _read(_tables(segments))
    assert [pair.segment_id for pair in pairs] == [segment.segment_id for segment in segments]
    assert [problem.place for problem in report.problems] == [
        f"{FILES['M']}:3",
        f"{FILES['F']}:4",
    ]
    assert {problem.kind for problem in report.problems} == {"session_prefix"}


@pytest.mark.parametrize("side", ["F", "M"])
def test_a_row_that_one_file_lacks_is_named_and_shifts_no_label(side):
    segments = make_segments19(1)
    for number, segment in enumerate(segments):
        segment.votes = (EMOTIONS[number % 7],) * 10
    tables = _tables(segments)
    lost = segments[3]
    del tables[side][3]
    pairs, report = _read(tables)
    (problem,) = report.problems
    assert (problem.kind, problem.rows_dropped) == ("unpaired_row", 1)
    assert problem.place == f"{FILES['M' if side == 'F' else 'F']}:6"
    kept = [segment for segment in segments if segment is not lost]
    assert [pair.segment_id for pair in pairs] == [segment.segment_id for segment in kept]
    assert [_emotions(pick_annotation(pair, role="speaker", report=report)) for pair in pairs] == [
        segment.votes[:1] for segment in kept
    ]
    assert report.rows_in == len(segments)


def test_rows_that_agree_neither_in_name_nor_in_time_are_dropped():
    tables = _tables(make_segments19(1))
    first, third = tables["F"][0], tables["F"][2]
    tables["F"][0], tables["F"][2] = [first[0], *third[1:]], [third[0], *first[1:]]
    pairs, report = _read(tables)
    assert [problem.kind for problem in report.problems] == ["pair_mismatch"] * 2
    assert len(pairs) == 6 and report.rows_in == len(pairs) + report.rows_dropped


def test_rows_of_two_dialogues_are_no_pair_whatever_their_times():
    tables = _tables(make_segments19(1))
    first, fifth = tables["F"][0], tables["F"][4]  # times begin anew in each dialogue
    fifth[1:3] = tables["M"][4][1:3] = first[1:3]
    tables["F"][0], tables["F"][4] = [first[0], *fifth[1:]], [fifth[0], *first[1:]]
    pairs, report = _read(tables)
    assert [problem.kind for problem in report.problems] == ["pair_mismatch"] * 2
    assert len(pairs) == 6


def _with_labels():
    """Segments whose speakers all feel something else, for a pair that is wrong to be seen."""
    segments = make_segments19(1)
    for number, segment in enumerate(segments):
        segment.votes = (EMOTIONS[number % 7],) * 10
    return segments


def _check_labels(segments, pairs, report):
    right = {segment.segment_id: segment.votes[:1] for segment in segments}
    for pair in pairs:
        found = pick_annotation(pair, role="speaker", report=report)
        assert _emotions(found) == right[pair.segment_id]


@pytest.mark.parametrize("numbers", ["{}", "{}.0"])
def test_each_file_may_lack_another_row(numbers):
    segments = _with_labels()
    tables = _tables(segments)
    for row in tables["M"]:
        row[0] = numbers.format(row[0])
    del tables["F"][1], tables["M"][6]
    pairs, report = _read(tables)
    assert [p.kind for p in report.problems] == ["unpaired_row"] * 2
    assert len(pairs) == 6 and report.rows_in == 8
    _check_labels(segments, pairs, report)
    assert [pair.turn for pair in pairs] == [0, 2, 3, 0, 1, 2]  # what M lacks leaves no gap


@pytest.mark.parametrize("wrong", [0, 1, 6])
def test_a_name_that_the_m_file_has_twice_is_that_of_the_f_file(wrong):
    segments = _with_labels()
    tables = _tables(segments)
    tables["M"][wrong][9] = segments[(wrong + 1) % 8].segment_id
    pairs, report = _read(tables)
    assert [pair.segment_id for pair in pairs] == [segment.segment_id for segment in segments]
    assert [pair.turn for pair in pairs] == [0, 1, 2, 3, 0, 1, 2, 3]
    (problem,) = report.problems
    assert (problem.kind, problem.place) == ("segment_id", f"{FILES['M']}:{wrong + 3}")
    _check_labels(segments, pairs, report)


def test_no_row_of_a_name_that_both_files_have_twice_is_kept():
    segments = _with_labels()
    tables = _tables(segments)
    for gender in "FM":
        tables[gender][0][9] = segments[2].segment_id
    pairs, report = _read(tables)
    assert [pair.segment_id for pair in pairs] == [
        segments[n].segment_id for n in (1, 3, 4, 5, 6, 7)
    ]
    assert [(p.kind, p.rows_dropped) for p in report.problems] == [("repeated_segment", 1)] * 2
    assert report.rows_in == 8


def test_rows_in_another_order_find_their_partner_by_number():
    segments = _with_labels()
    tables = _tables(segments)
    tables["F"].reverse()
    pairs, report = _read(tables)
    assert len(pairs) == 8 and report.problems == []
    _check_labels(segments, pairs, report)


def test_numbers_that_are_shifted_do_not_part_what_stands_together():
    segments = _with_labels()
    tables = _tables(segments)
    for number, row in enumerate(tables["F"]):
        row[0] = str(number)  # from 0 in place of 1
    pairs, report = _read(tables)
    assert len(pairs) == 8 and report.problems == []
    _check_labels(segments, pairs, report)


def test_other_times_under_the_same_name_are_kept_and_named():
    tables = _tables(make_segments19(1))
    tables["F"][0][2] = "9.5"
    tables["F"][1][2] = tables["F"][1][2] + "00"  # the same number
    pairs, report = _read(tables)
    assert [problem.kind for problem in report.problems] == ["pair_times"]
    assert len(pairs) == report.rows_in


def test_empty_signals_cost_no_row():
    segments = make_segments19(1)
    for segment in segments[1:]:
        segment.signals = ("0.1", "0.2", "", "", "", "")
    pairs, report = _read(_tables(segments))
    picked = [pick_annotation(pair, role="speaker", report=report) for pair in pairs]
    assert None not in picked and len(picked) == len(segments) and report.problems == []
    assert [(note.kind, note.place) for note in report.notes] == [
        ("empty_signals", f"{FILES[gender]}:4") for gender in "FM"
    ]
    assert report.notes[0].message.startswith("7 rows")


@pytest.mark.parametrize("fault", ["missing", "header"])
def test_a_session_without_one_of_its_files_is_named_as_lost(fault):
    tables = _tables(make_segments19(1))
    if fault == "missing":
        del tables["F"]
    else:
        tables["F"] = [row[:37] for row in tables["F"]]
    report = BuildReport("kemdy19")
    contents = {
        gender: (FILES[gender], join_rows([*KEMDY19_HEADER, *rows]).encode())
        for gender, rows in tables.items()
    }
    if fault == "header":
        contents["F"] = (FILES["F"], join_rows(tables["F"]).encode())
    assert read_pairs(1, contents, report) == []
    (problem,) = report.problems
    assert problem.kind == "annotation_file"
    assert problem.file == FILES["M" if fault == "missing" else "F"]
    assert report.rows_in == report.rows_dropped == 8


def test_a_bad_cell_counts_only_in_the_file_that_is_taken():
    tables = _tables(make_segments19(1))
    tables["M"][0][10] = "furious"  # the man's emotion while the woman speaks
    pairs, report = _read(tables)
    assert pick_annotation(pairs[0], role="speaker", report=report) is not None
    assert report.problems == []
    assert pick_annotation(pairs[0], role="listener", report=report) is None
    (problem,) = report.problems
    assert problem.place == f"{FILES['M']}:3" and "'furious' in column 10" in problem.message


def test_totals_are_checked_in_the_file_that_is_taken():
    tables = _tables(make_segments19(1))
    tables["F"][0][10] = "happy"
    tables["M"][1][13] = "disqust"
    pairs, report = _read(tables)
    picked = [pick_annotation(pair, role="speaker", report=report) for pair in pairs]
    assert _emotions(picked[0]) == ("happy",)
    assert [(p.kind, p.place) for p in report.problems] == [("total_emotion", f"{FILES['F']}:3")]
    assert [(n.kind, n.place) for n in report.notes] == [("label_spelling", f"{FILES['M']}:4")]
