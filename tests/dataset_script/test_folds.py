import math
from pathlib import Path

import pytest

from dataset_script import folds
from dataset_script.folds import (
    FoldRow,
    assign_folds,
    hash_folds,
    read_folds,
    validate_folds,
    write_folds,
)


def _sessions(rows, fold, role):
    return [row.session for row in rows if row.fold == fold and row.role == role]


@pytest.mark.parametrize("n_sessions", range(3, 61))
def test_folds_of_any_corpus_are_whole_and_leak_nothing(n_sessions):
    sessions = range(1, n_sessions + 1)
    for n_folds in range(3, min(8, n_sessions) + 1):
        rows = assign_folds(sessions, n_folds=n_folds)
        validate_folds(rows, sessions=sessions)
        tested = [row.session for row in rows if row.role == "test"]
        assert sorted(tested) == list(sessions)  # each session is tested exactly once
        for fold in range(n_folds):
            roles = {role: _sessions(rows, fold, role) for role in ("train", "validation", "test")}
            assert all(roles.values())
            assert sorted(sum(roles.values(), [])) == list(sessions)
            following = _sessions(rows, (fold + 1) % n_folds, "test")
            share = max(1, math.floor(0.625 * len(following) + 0.5))
            assert roles["validation"] == following[:share]


@pytest.mark.parametrize(("n_sessions", "sizes"), [(20, (4, 3, 13)), (40, (8, 5, 27))])
def test_five_folds_of_the_real_corpora(n_sessions, sizes):
    rows = assign_folds(range(1, n_sessions + 1))
    assert {row.fold for row in rows} == set(range(5))
    for fold in range(5):
        found = tuple(len(_sessions(rows, fold, role)) for role in ("test", "validation", "train"))
        assert found == sizes
        assert all((session - 1) % 5 == fold for session in _sessions(rows, fold, "test"))


def test_ranks_decide_and_order_does_not():
    rows = assign_folds([9, 2, 30, 5, 7, 4])
    assert _sessions(rows, 0, "test") == [2, 30]
    assert rows == assign_folds([2, 4, 5, 7, 9, 30])


@pytest.mark.parametrize(("n_sessions", "n_folds"), [(2, 3), (4, 5), (10, 2), (10, 0), (0, 5)])
def test_too_few_sessions_or_folds_are_refused(n_sessions, n_folds):
    with pytest.raises(ValueError, match=f"`n_folds` is {n_folds} for {n_sessions} session"):
        assign_folds(range(n_sessions), n_folds=n_folds)


def test_a_file_gives_back_what_was_written(tmp_path):
    rows = [*assign_folds(range(6), n_folds=3)]
    digest = write_folds(rows, tmp_path / "folds.csv")
    assert read_folds(tmp_path / "folds.csv") == rows
    assert digest == hash_folds(tmp_path / "folds.csv")
    assert (
        (tmp_path / "folds.csv").read_text().startswith("fold,session,dialogue,role\n0,0,,test\n")
    )


def test_the_hash_follows_the_folds(tmp_path):
    first = write_folds(assign_folds(range(6), n_folds=3), tmp_path / "a.csv")
    assert first == write_folds(assign_folds(range(6), n_folds=3), tmp_path / "b.csv")
    assert first != write_folds(assign_folds(range(6), n_folds=4), tmp_path / "a.csv")


TWO = [FoldRow(0, 1, "", "train"), FoldRow(0, 2, "", "test")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "must be 0, 1, 2"),
        ([*TWO, FoldRow(2, 1, "", "train"), FoldRow(2, 2, "", "test")], "must be 0, 1, 2"),
        ([*TWO, FoldRow(0, 3, "", "dev")], "unknown role"),
        ([*TWO, TWO[0]], "occurs twice"),
        ([*TWO, FoldRow(0, 1, "", "test")], "occurs twice"),
        ([*TWO, FoldRow(0, 1, "Sess01_script01", "validation")], "several roles"),
        ([TWO[0], FoldRow(0, 2, "a", "test"), FoldRow(0, 2, "b", "train")], "several roles"),
        ([*TWO, FoldRow(1, 1, "", "test")], r"Fold 1 has sessions \[1\]"),
    ],
)
def test_folds_with_a_fault_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        validate_folds(rows)


def test_dialogues_may_be_dropped_from_a_session():
    validate_folds([TWO[0], FoldRow(0, 2, "a", "test"), FoldRow(0, 2, "b", "dropped")])


def test_a_dialogues_row_may_drop_it_from_its_whole_session():
    validate_folds([*TWO, FoldRow(0, 1, "Sess01_script01", "dropped")])


PLAYED = {(1, "a"): "first", (1, "b"): "second", (2, "a"): "second", (2, "b"): "third"}


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (TWO, "Fold 0 has `second` for train .session 1, b. and for test .session 2, a."),
        ([*TWO, FoldRow(0, 1, "b", "dropped")], None),
        ([*TWO, FoldRow(0, 2, "a", "dropped")], None),
        ([*TWO, FoldRow(0, 2, "b", "dropped")], "Fold 0 has `second`"),
        ([TWO[0], FoldRow(0, 2, "c", "test")], "Dialogue c of session 2 has no script"),
        ([FoldRow(0, 1, "a", "train"), FoldRow(0, 2, "a", "test")], None),
        ([FoldRow(0, 1, "b", "validation"), FoldRow(0, 2, "a", "test")], "Fold 0 has `second`"),
    ],
)
def test_a_script_has_one_role_where_scripts_are_held_out(rows, fault):
    validate_folds(rows)
    if fault is None:
        validate_folds(rows, scripts=PLAYED)
    else:
        with pytest.raises(ValueError, match=fault):
            validate_folds(rows, scripts=PLAYED)


def test_sessions_beyond_the_corpus_are_refused():
    with pytest.raises(ValueError, match="in place of"):
        validate_folds(TWO, sessions=[1, 2, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fold,session,role\n0,1,train\n", "it must have"),
        ("", "it must have"),
        ("fold,session,dialogue,role\n0,one,,train\n", "line 2"),
        ("fold,session,dialogue,role\n0,1,,dev\n", "unknown role"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_folds(tmp_path / "folds.csv")
    assert "folds.csv" in str(caught.value)


@pytest.mark.parametrize(("corpus", "sessions"), [("kemdy19", 20), ("kemdy20", 40)])
def test_the_folds_of_the_real_corpora_are_files_of_the_repository(corpus, sessions):
    path = Path(folds.__file__).parent / "folds" / f"{corpus}.csv"
    assert read_folds(path) == assign_folds(range(1, sessions + 1), n_folds=5)
