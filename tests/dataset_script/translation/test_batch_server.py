import pytest

from dataset_script.sample.server import BatchJob, Reply
from dataset_script.translation.store import BatchEvent, Store

from .batch_runs import asked, run
from .batch_server import (
    Call,
    FaultyBatchServer,
    broken,
)
from .invented import make_dialogues
from .server import BAD_KEY, BROKEN, CUT, HTML, NO_MODEL, NO_QUOTA, TOO_MUCH


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


@pytest.mark.parametrize(
    "line",
    [b"{half", b'"text"', b"[]", b"{}", b"\xff\xfe", b'{"custom_id": 3, "response": null}']
    + [b'{"custom_id": "x", "response": {"status_code": 200, "body": 3}}'],
)
def test_a_broken_line_is_named_and_its_request_asked_again(store, line):
    dialogues = make_dialogues(3, turns=10)
    with FaultyBatchServer(endings=(broken(lambda lines: [lines[0], line, lines[2]]),)) as server:
        batches = run(store, server, dialogues)
        sizes = [len(batch.bodies) for batch in server.batches.values()]
    assert sizes == [3, 1] and batches.settled == (30, 0) and batches.lost_money == 1
    (note,) = batches.notes
    assert note.startswith("batch batch_1 has 1 lines that cannot be read, the first is line 2 of")


def test_what_is_no_file_of_a_batch_leaves_the_batch_open(store):
    with FaultyBatchServer(calls=(Call("GET", "/content", HTML, 3, True),)) as server:
        batches = run(store, server, make_dialogues(3))
        assert "file-2 is no file of a batch: line 1 of file-2" in batches.stopped
        assert len(store.open_batches()) == 1 and list(store.results()) == []
        assert run(store, server, make_dialogues(3), name="r2").settled == (36, 0)
        assert len(server.batches) == 1


def test_lines_that_come_twice_count_once(store):
    with FaultyBatchServer(endings=(broken(lambda lines: lines * 2),)) as server:
        batches = run(store, server, make_dialogues(3, turns=10))
    assert batches.settled == (30, 0) and len(list(store.answers())) == 3


def test_lines_that_are_missing_are_asked_again_and_counted_as_lost(store):
    with FaultyBatchServer(endings=(broken(lambda lines: lines[1:]),)) as server:
        batches = run(store, server, make_dialogues(3, turns=10))
    assert batches.settled == (30, 0) and batches.lost_money == 1


@pytest.mark.parametrize("reply", [BROKEN, TOO_MUCH, CUT, HTML, Reply({"object": "list"})])
@pytest.mark.parametrize(
    ("method", "place", "is_done"),
    [
        ("POST", "/files", False),
        ("POST", "/batches", False),
        ("POST", "/batches", True),
        ("GET", "/batch_1", True),
        ("GET", "/content", True),
    ],
)
def test_failures_that_pass_are_waited_out_and_nothing_is_submitted_twice(
    store, reply, method, place, is_done
):
    if reply is TOO_MUCH and place == "/batches" and is_done:
        pytest.skip("a refusal says that nothing was done")
    if reply.body == {"object": "list"} and (method, place) != ("POST", "/batches"):
        pytest.skip("an object of another kind is no answer here")
    dialogues = make_dialogues(3)
    with FaultyBatchServer(calls=(Call(method, place, reply, 2, is_done),)) as server:
        if is_done and place == "/batches":
            server.calls[0].count = 1
        batches = run(store, server, dialogues)
        assert len(server.batches) == 1
    assert batches.stopped is None and batches.settled == (36, 0)
    assert set(asked(server).values()) == {1}


@pytest.mark.parametrize("reply", [NO_QUOTA, BAD_KEY])
@pytest.mark.parametrize(
    ("method", "place"), [("POST", "/files"), ("POST", "/batches"), ("GET", "/batch_1")]
)
def test_reasons_to_stop_are_one_sentence(store, reply, method, place):
    with FaultyBatchServer(calls=(Call(method, place, reply, 99),)) as server:
        batches = run(store, server, make_dialogues(2))
        assert batches.stopped.startswith(("The account has no quota", "The server refuses the"))
        assert len(store.open_batches()) == len(server.batches) == (method == "GET")
        assert ("our batches go on" in batches.stopped) == (method == "GET")
        server.calls.clear()
        assert run(store, server, make_dialogues(2), name="r2").settled == (24, 0)
        assert len(server.batches) == 1


def test_a_server_without_batches_and_one_that_is_not_there_are_named(store):
    with FaultyBatchServer(calls=(Call("POST", "/files", NO_MODEL, 9),)) as server:
        batches = run(store, server, make_dialogues(1))
    assert batches.stopped.startswith("The server has no Batch API")
    batches = run(store, server, make_dialogues(1))
    assert "The server does not answer: no connection" in batches.stopped
    assert store.open_batches() == []


def test_files_that_are_gone_are_given_up_and_asked_for_again(store):
    with FaultyBatchServer(calls=(Call("GET", "/content", NO_MODEL, 1),)) as server:
        batches = run(store, server, make_dialogues(1))
    assert batches.settled == (12, 0) and batches.lost_money == 2
    assert "batch batch_1 is lost, its files are gone" in batches.notes[0]


def test_a_batch_without_id_is_found_on_a_later_page_and_at_a_second_look(store):
    dialogues = make_dialogues(1)
    nothing = Reply({"object": "list", "data": [], "has_more": False})
    with FaultyBatchServer() as server:
        run(store, server, dialogues)
        job = server.batches["batch_1"]
        for number in range(2, 250):
            facts = {**job.facts, "id": f"batch_{number}", "metadata": None}
            server.batches[f"batch_{number}"] = BatchJob(facts, [])
        server.calls.append(Call("GET", "/batches", nothing, 1, True))
        with Store(store.path.with_name("other.store")) as other:
            name = job.facts["metadata"]["kemer_batch"]
            other.add_batch(BatchEvent(name, None, "submitting", "r0", "t"))
            assert run(other, server, dialogues).settled == (12, 0)
        assert len(server.paid) == 2


def test_a_batch_that_the_server_does_not_know_is_named(store):
    store.add_batch(BatchEvent("n", "batch_of_another", "submitted", "r0", "t"))
    with FaultyBatchServer() as server:
        batches = run(store, server, make_dialogues(1))
        assert server.batches == {}
    assert "does not know batch batch_of_another of the store" in batches.stopped
