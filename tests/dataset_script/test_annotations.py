import math

import pytest

from dataset_script.annotations import read_annotation_kemdy20
from dataset_script.layout import EMOTIONS, KEMDY20_HEADER
from dataset_script.report import BuildReport

from .corpus_files import Segment, join_rows, make_segments

NAME = "KEMDy20/annotation/Sess01_eval.csv"
EMPTY_HEADER = tuple([cell.strip() for cell in row] for row in KEMDY20_HEADER)


def _rows(segments):
    return [segment.cells(line) for line, segment in enumerate(segments, 1)]


def _read(rows, *, header=KEMDY20_HEADER, newline="\n", prefix=b"", name=NAME):
    report = BuildReport("kemdy20")
    content = prefix + join_rows([*header, *rows], newline=newline).encode()
    return read_annotation_kemdy20(name, content, report), report


@pytest.mark.parametrize("header", [KEMDY20_HEADER, EMPTY_HEADER, KEMDY20_HEADER[:1]])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_every_spelling_of_a_file_gives_the_same_rows(header, newline, prefix):
    segments = make_segments(1)
    annotations, report = _read(_rows(segments), header=header, newline=newline, prefix=prefix)
    assert [a.segment_id for a in annotations] == [s.segment_id for s in segments]
    assert [a.line for a in annotations] == [
        number + len(header) for number in range(1, len(segments) + 1)
    ]
    assert report.rows_in == len(segments) and report.problems == []


def test_blank_lines_and_spaces_around_cells_mean_nothing():
    rows = [[f" {cell} " for cell in row] for row in _rows(make_segments(1))]
    annotations, report = _read([rows[0], [""] * 37, *rows[1:], [""]])
    assert len(annotations) == len(rows) == report.rows_in


def test_names_come_out_of_the_segment_id():
    segment = Segment(17, 4, user=83, gender="F", number=2)
    (annotation,), _ = _read(_rows([segment]), name="annotation/SESS17_EVAL.CSV")
    assert (annotation.session, annotation.dialogue) == (17, "Sess17_script04")
    assert (annotation.speaker, annotation.gender) == ("Sess17_User083F", "F")
    assert annotation.turn == 0 and annotation.line == 3


def test_turns_count_rows_of_each_dialogue():
    annotations, _ = _read(_rows(make_segments(1, turns=2)))
    assert [a.turn for a in annotations] == [0, 1, 2, 3, 0, 1, 2, 3]


def test_same_gender_pair_stays_two_speakers():
    pair = [Segment(1, 1, user=user, gender="M", number=1) for user in (1, 2)]
    annotations, _ = _read(_rows(pair))
    assert {a.speaker for a in annotations} == {"Sess01_User001M", "Sess01_User002M"}


def test_ratings_are_computed_by_hand():
    votes = ("happy",) * 6 + ("neutral",) * 3 + ("sad",)
    ratings = [(valence, 3) for valence in (1, 1, 1, 1, 1, 5, 5, 5, 5, 5)]
    segment = Segment(1, 1, user=1, gender="F", number=1, votes=votes, ratings=ratings)
    (annotation,), report = _read(_rows([segment]))
    found = annotation.ratings
    assert dict(zip(EMOTIONS, found.votes, strict=True)) == {
        **dict.fromkeys(EMOTIONS, 0),
        "happy": 6,
        "neutral": 3,
        "sad": 1,
    }
    assert found.emotions == ("happy",)
    assert (found.valence, found.arousal) == (3.0, 3.0)
    assert math.isclose(found.valence_std, 2.0) and found.arousal_std == 0.0
    assert report.problems == []


def test_misspelt_disgust_is_disgust():
    votes = ("disgust",) * 9 + ("sad",)
    segment = Segment(1, 1, user=1, gender="F", number=1, votes=votes, total="disqust")
    (annotation,), report = _read(_rows([segment]))
    assert annotation.ratings.emotions == ("disgust",) and report.problems == []
    assert [(note.kind, note.place) for note in report.notes] == [("label_spelling", f"{NAME}:3")]


@pytest.mark.parametrize(
    ("votes", "emotions"),
    [
        (("sad", "neutral") * 5, ("neutral", "sad")),
        (("sad", "neutral", "fear", "happy", "angry") * 2, EMOTIONS[1:5] + EMOTIONS[6:]),
    ],
)
def test_ties_give_several_emotions_in_class_order(votes, emotions):
    segment = Segment(1, 1, user=1, gender="F", number=1, votes=votes)
    (annotation,), report = _read(_rows([segment]))
    assert annotation.ratings.emotions == emotions and report.problems == []


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (3, "Sess01_script01_User001X_001", "no Segment ID"),
        (3, "", "no Segment ID"),
        (4, "furious", "'furious' in column 4"),
        (4, "happy;", "'' in column 4"),
        (4, "", "'' in column 4"),
        (5, "", "'' in column 5"),
        (6, "5.1", "'5.1' in column 6"),
        (7, "bored", "'bored' in column 7"),
        (8, "0", "'0' in column 8"),
        (9, "nan", "'nan' in column 9"),
        (36, "6", "'6' in column 36"),
        (36, "1,2", "38 columns"),
        (36, '"', "'' in column 36"),
        (2, '"1.0', "'' in column 3 is no Segment ID"),
    ],
)
def test_a_bad_row_is_named_and_its_neighbours_stand(column, value, message):
    segments = make_segments(1)
    rows = _rows(segments)
    rows[1][column] = value
    annotations, report = _read(rows)
    (problem,) = report.problems
    assert problem.kind == "bad_row" and problem.place == f"{NAME}:4"
    assert message in problem.message and problem.message.endswith("; the row was dropped")
    assert problem.rows_dropped == 1 and report.rows_in == len(segments)
    kept = [s.segment_id for s in segments if s is not segments[1]]
    assert [a.segment_id for a in annotations] == kept


def test_a_short_row_is_named():
    rows = _rows(make_segments(1))
    rows[2] = rows[2][:20]
    annotations, report = _read(rows)
    assert len(annotations) == len(rows) - 1
    assert "20 columns in place of 37" in report.problems[0].message


def test_a_dropped_row_leaves_a_gap_in_the_turns():
    rows = _rows(make_segments(1))
    rows[1][4] = "furious"
    annotations, _ = _read(rows)
    assert [a.turn for a in annotations][:3] == [0, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (join_rows([["a"] * 43] * 7).encode(), "43 columns where 37 are expected"),
        (join_rows([["a"] * 37] * 7).encode(), "'a', not 'Segment ID'"),
        (b"\xff\xfe\x00" + b"\n1" * 6, "not UTF-8"),
        (b"", "0 columns"),
    ],
)
def test_a_file_that_is_no_annotation_costs_its_rows_and_nothing_else(content, message):
    report = BuildReport("kemdy20")
    assert read_annotation_kemdy20(NAME, content, report) == []
    (problem,) = report.problems
    assert problem.kind == "annotation_file" and problem.place == NAME
    assert message in problem.message
    assert report.rows_in == problem.rows_dropped == (5 if content else 0)


def test_wrong_session_prefix_is_rebuilt_from_the_file_name():
    segments = make_segments(1)
    segments[0].written_id = segments[0].segment_id.replace("Sess01", "Sess42")
    annotations, report = _read(_rows(segments))
    assert annotations[0].segment_id == segments[0].segment_id
    assert [a.turn for a in annotations[:2]] == [0, 1]
    (problem,) = report.problems
    assert problem.kind == "session_prefix" and problem.rows_dropped == 0


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [(4, "happy", "total_emotion"), (5, "3.2", "total_valence"), (6, "2.9", "total_arousal")],
)
def test_a_total_that_is_not_the_raters_stands_and_is_named(column, value, kind):
    rows = _rows(make_segments(1))
    rows[0][column] = value
    annotations, report = _read(rows)
    (problem,) = report.problems
    assert problem.kind == kind and problem.rows_dropped == 0
    ratings = annotations[0].ratings
    found = {4: ";".join(ratings.emotions), 5: str(ratings.valence), 6: str(ratings.arousal)}
    assert found[column] == value
