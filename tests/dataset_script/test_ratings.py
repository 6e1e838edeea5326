import pytest

from dataset_script.layout import COLUMNS_KEMDY19, COLUMNS_KEMDY20, EMOTIONS
from dataset_script.ratings import check_totals, find_misspellings, read_ratings
from dataset_script.tables import BadRowError

from .corpus_files import Segment, Segment19

TWO_WAY = ("sad", "neutral") * 5
FIVE_WAY = ("sad", "neutral", "fear", "happy", "angry") * 2


def _cells(votes, *, columns=COLUMNS_KEMDY20):
    if columns is COLUMNS_KEMDY20:
        return Segment(1, 1, user=1, gender="F", number=1, votes=votes).cells(1)
    return Segment19(1, "script01", "F", 1, votes=votes).cells(1, "F")


@pytest.mark.parametrize("columns", [COLUMNS_KEMDY19, COLUMNS_KEMDY20])
@pytest.mark.parametrize(
    ("votes", "emotions"),
    [
        (TWO_WAY, ("neutral", "sad")),
        (FIVE_WAY, ("angry", "fear", "neutral", "sad", "happy")),
        (("fear",) * 10, ("fear",)),
    ],
)
def test_votes_and_ties_are_read_in_class_order(votes, emotions, columns):
    ratings = read_ratings(_cells(votes, columns=columns), columns)
    assert ratings.emotions == emotions and sum(ratings.votes) == 10
    assert [e for e, n in zip(EMOTIONS, ratings.votes, strict=True) if n] == list(emotions)
    assert check_totals(ratings) == []


def test_a_total_in_another_order_is_the_same_tie():
    cells = _cells(TWO_WAY)
    cells[4] = "neutral;sad"
    first = read_ratings(cells, COLUMNS_KEMDY20)
    cells[4] = "sad;neutral"
    assert read_ratings(cells, COLUMNS_KEMDY20) == first


@pytest.mark.parametrize("column", [4, 7])
def test_misspelt_disgust_is_disgust_in_totals_and_votes(column):
    cells = _cells(("disgust",) * 10)
    cells[column] = "Disqust"
    ratings = read_ratings(cells, COLUMNS_KEMDY20)
    assert ratings.emotions == ("disgust",) and check_totals(ratings) == []
    assert find_misspellings(cells, COLUMNS_KEMDY20) == ["Disqust"]
    assert find_misspellings(_cells(("disgust",) * 10), COLUMNS_KEMDY20) == []


def test_totals_are_checked_against_the_raters():
    cells = _cells(TWO_WAY)
    cells[4:7] = ["sad", "3.2", "2.9"]
    ratings = read_ratings(cells, COLUMNS_KEMDY20)
    assert [kind for kind, _ in check_totals(ratings)] == [
        "total_emotion",
        "total_valence",
        "total_arousal",
    ]
    assert (ratings.emotions, ratings.valence, ratings.arousal) == (("sad",), 3.2, 2.9)


def test_a_label_that_is_none_is_refused():
    cells = _cells(TWO_WAY)
    cells[10] = "bored"
    with pytest.raises(BadRowError, match="'bored' in column 10 is none of the emotions surprise"):
        read_ratings(cells, COLUMNS_KEMDY20)
