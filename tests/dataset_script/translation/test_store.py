import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dataset_script.translation.store import BatchEvent, Paid, Result, Store, StoreError

REPOSITORY = Path(__file__).resolve().parents[3]
GOOD = Result("k1", "translate", "kemdy20/a", ("Yes.",), None, "m", "run1", "2026-01-01T00:00:00")
BAD = replace(GOOD, texts=(), fault="hangul: Korean letters are left")
PAID = Paid("r1", "m", 100, 40, 20, 0.25, "run1", "2026-01-01T00:00:00")

HOLD = """
import sys, time
from dataset_script.translation.store import Store
with Store(sys.argv[1]) as store:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def test_what_was_kept_is_found_by_key_in_a_later_run(tmp_path):
    variants = replace(GOOD, key="k2", step="vary", texts=("A 가.", "B."))
    with Store(tmp_path / "t.store") as store:
        store.add([GOOD, variants], PAID)
    with Store(tmp_path / "t.store") as store:
        assert store.find(["k1", "k2", "k3", "k1"]) == {"k1": GOOD, "k2": variants}
        assert list(store.answers()) == [PAID] and store.total_cost() == 0.25
        assert list(store.results()) == [GOOD, variants]


def test_the_first_good_result_stands_and_else_the_last(store):
    later = replace(BAD, fault="empty: …", run="run2")
    store.add([BAD])
    store.add([later])
    assert store.find(["k1"]) == {"k1": later}
    store.add([GOOD])
    store.add([replace(GOOD, texts=("No.",), run="run3"), later])
    assert store.find(["k1"]) == {"k1": GOOD}


def test_any_number_of_keys_is_looked_up(store):
    store.add([replace(GOOD, key=f"k{n}") for n in range(2500)])
    assert len(store.find(f"k{n}" for n in range(1, 2400, 2))) == 1200


def test_results_and_their_cost_are_kept_together_or_not_at_all(store):
    with pytest.raises(sqlite3.Error):
        store.add([GOOD], replace(PAID, cost=None))
    assert store.find(["k1"]) == {} and store.total_cost() == 0


@pytest.mark.parametrize("table", ["results", "answers", "batches"])
def test_rows_are_only_ever_added(tmp_path, table):
    with Store(tmp_path / "t.store") as store:
        store.add([GOOD], PAID)
        store.add_batch(BatchEvent("n", None, "submitting", "run1", "t"))
    database = sqlite3.connect(tmp_path / "t.store")
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET run = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="rows are only ever added"):
            database.execute(statement)
    database.close()


def test_a_second_process_is_told_and_the_lock_ends_with_the_first(tmp_path):
    path = tmp_path / "t.store"
    command = [sys.executable, "-c", HOLD, str(path)]
    holder = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(StoreError, match="in use by another process; wait until that has ended"):
        Store(path)
    holder.kill()
    holder.wait()
    with Store(path) as store:
        store.add([GOOD])


def test_two_that_begin_at_once_do_not_harm_each_other(tmp_path):
    path, opened, refused = tmp_path / "t.store", [], []

    def run(number):
        try:
            with Store(path) as store:
                store.add([replace(GOOD, key=f"k{number}")])
                opened.append(number)
        except StoreError:
            refused.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) + len(refused) == 8 and opened
    with Store(path) as store:
        assert sorted(r.key for r in store.results()) == sorted(f"k{n}" for n in opened)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at" * 9, None]
)
def test_what_is_no_store_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "thesis.db"
    if content is None:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE mine (a)")
        database.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="thesis.db' cannot be used as the store of translations"):
        Store(path)
    assert path.read_bytes() == before


def test_batches_are_open_until_they_are_collected_or_given_up(store):
    for name, states in {
        "a": ["submitting"],
        "b": ["submitting", "submitted"],
        "c": ["submitting", "submitted", "collected"],
        "d": ["submitting", "failed: no"],
    }.items():
        for state in states:
            batch = None if state == "submitting" else f"batch_{name}"
            store.add_batch(BatchEvent(name, batch, state, "run1", "t"))
    assert [(event.name, event.batch) for event in store.open_batches()] == [
        ("a", None),
        ("b", "batch_b"),
    ]
