import asyncio
from dataclasses import replace

import openai
import pytest

from dataset_script.translation.chain import Chain
from dataset_script.translation.client import ask
from dataset_script.translation.live import LiveRun
from dataset_script.translation.prices import Budget
from dataset_script.translation.store import Result, Store

from .batch_runs import OPTIONS, PRICE, asked, interrupt, leave_korean, lines_of, run
from .batch_server import (
    Call,
    FaultyBatchServer,
    completed,
    ended_early,
    failed,
    with_status,
)
from .invented import make_dialogue, make_dialogues
from .server import BAD_KEY, BROKEN, NO_QUOTA


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


@pytest.mark.parametrize("options", [OPTIONS, replace(OPTIONS, draft="llm", variants=2)])
def test_batches_out_of_order_give_what_a_live_run_gives(store, tmp_path, options):
    dialogues = make_dialogues(5, turns=24)
    bad = dialogues[1].utterances[5].id
    faults = () if options.variants else (leave_korean(bad),)
    with FaultyBatchServer(*faults, polls=3) as server:
        waits = []
        batches = run(store, server, dialogues, options, most_requests=4, on_waiting=waits.append)
        sizes = [len(batch.bodies) for batch in server.batches.values()]
        if not options.variants:
            assert sizes == [4, 4, 4, 3, 1, 1, 1] and batches.settled == (119, 1)
        assert all(batch.facts["completion_window"] == "24h" for batch in server.batches.values())
        assert waits[0] == "4 of 15 requests answered in 4 batches"

        async def ask_live(other):
            live = LiveRun(
                options,
                other,
                Chain(options, other, run="l"),
                budget=Budget(options, PRICE, spent=0.0),
                run="l",
            )
            async with openai.AsyncOpenAI(
                api_key="k", base_url=server.base_url, max_retries=0
            ) as client:
                await live.translate(lambda: dialogues, ask=lambda body: ask(client, body))

        with Store(tmp_path / "live.store") as other:
            asyncio.run(ask_live(other))
            assert lines_of(store, dialogues, options) == lines_of(other, dialogues, options)
            assert store.total_cost() == pytest.approx(other.total_cost())
    assert batches.stopped is None and batches.notes == [] and store.open_batches() == []


def test_nothing_is_asked_that_was_answered(store):
    dialogues = make_dialogues(2)
    with FaultyBatchServer() as server:
        run(store, server, dialogues)
        run(store, server, dialogues, name="r2")
        assert len(server.batches) == 1 and set(asked(server).values()) == {1}


@pytest.mark.parametrize("in_errors", [True, False])
def test_a_rejected_line_costs_its_window_and_not_its_lines(store, in_errors):
    dialogue = make_dialogue(turns=20)
    error = {"message": "too long", "code": "context_length_exceeded"}
    with FaultyBatchServer(endings=(with_status(0, 400, error, in_errors=in_errors),)) as server:
        batches = run(store, server, [dialogue])
    assert batches.stopped is None and batches.settled == (20, 0)
    assert [len(batch.bodies) for batch in server.batches.values()] == [2, 10]
    assert len(list(store.answers())) == 11


@pytest.mark.parametrize("status", [429, 500])
def test_a_line_that_may_succeed_later_is_asked_again_as_it_was(store, status):
    ending = with_status(0, status, {"message": "busy", "code": "server_error"}, in_errors=True)
    with FaultyBatchServer(endings=(ending,)) as server:
        batches = run(store, server, [make_dialogue(turns=20)])
        first, second = server.batches.values()
    assert batches.settled == (20, 0) and second.bodies == first.bodies[:1]
    # One that never succeeds is given up, after three batches.
    with FaultyBatchServer(endings=(ending,) * 9) as server:
        batches = run(store, server, [make_dialogue("Sess07_script01", turns=1, about="7")])
        assert len(server.batches) == 3 and batches.settled == (0, 1)
    assert list(store.results())[-1].fault.startswith("server: ")


@pytest.mark.parametrize("error", [NO_QUOTA, BAD_KEY])
def test_a_line_that_says_that_nothing_can_succeed_stops_the_run(store, error):
    ending = with_status(0, error.status, error.body["error"], in_errors=True)
    with FaultyBatchServer(endings=(ending,)) as server:
        batches = run(store, server, [make_dialogue(turns=20)])
        assert len(server.batches) == 1
    assert "The account has no quota" in batches.stopped or "refuses the key" in batches.stopped
    assert batches.settled == (10, 0) and store.open_batches() == []


def test_an_expired_batch_gives_what_it_has_and_the_rest_is_submitted_again(store):
    ending = ended_early("expired", code="batch_expired")
    with FaultyBatchServer(endings=(ending,)) as server:
        batches = run(store, server, make_dialogues(3, turns=10))
        sizes = [len(batch.bodies) for batch in server.batches.values()]
        assert sizes == [3, 2] and len(server.paid) == len(set(server.paid)) == 3
    assert batches.stopped is None and batches.settled == (30, 0)
    never = ended_early("expired", code="batch_expired", after=0)
    with FaultyBatchServer(endings=(never,) * 9) as server:
        batches = run(store, server, make_dialogues(4, turns=10), name="r2")
        assert len(server.batches) == 3 and batches.settled == (0, 10)


def test_an_expired_batch_without_files_is_submitted_again(store):
    def nothing(server, batch):
        server.end_batch(batch, "expired", [], [])

    with FaultyBatchServer(endings=(nothing,)) as server:
        batches = run(store, server, make_dialogues(2))
    assert batches.settled == (24, 0) and batches.lost_money == 0
    with FaultyBatchServer(endings=(nothing,) * 9) as server:
        batches = run(store, server, [make_dialogue("Sess07_script01", about="7")], name="r2")
        assert len(server.batches) == 3 and batches.settled == (0, 12)


def test_a_failed_batch_is_said_with_the_servers_first_error_and_not_repeated(store):
    ending = failed("This line is not parseable as valid JSON.", line=3)
    with FaultyBatchServer(endings=(ending,) * 9) as server:
        batches = run(store, server, make_dialogues(2))
        assert len(server.batches) == 1
    assert batches.stopped == (
        "The server rejects batch batch_1: This line is not parseable as valid JSON. (line 3)."
    )
    assert store.open_batches() == [] and list(store.results()) == []


def test_batches_beyond_the_servers_queue_become_smaller(store):
    too_many = failed("Enqueued token limit reached", code="token_limit_exceeded")
    with FaultyBatchServer(endings=(too_many, too_many)) as server:
        batches = run(store, server, make_dialogues(4, turns=20))
        sizes = [len(batch.bodies) for batch in server.batches.values()]
    assert sizes == [8, 4, 4] or sizes[:3] == [8, 4, 4]
    assert batches.stopped is None and batches.settled == (80, 0)
    with FaultyBatchServer(endings=(too_many,) * 99) as server:
        batches = run(store, server, make_dialogues(5, turns=20), name="r2")
        assert len(server.batches) <= 3
    assert "Enqueued token limit reached" in batches.stopped


def test_a_cancelled_batch_is_collected_and_ends_the_run(store):
    ending = ended_early("cancelled", code="batch_cancelled")
    with FaultyBatchServer(endings=(ending,)) as server:
        batches = run(store, server, make_dialogues(3, turns=10))
        assert batches.settled == (10, 0) and len(server.batches) == 1
        assert batches.stopped.startswith("Batch batch_1 was cancelled at the server;")
        batches = run(store, server, make_dialogues(3, turns=10), name="r2")
    assert batches.settled == (20, 0) and len(server.paid) == len(set(server.paid)) == 3


def test_a_stopped_run_leaves_its_batches_which_the_next_one_collects(store):
    dialogues = make_dialogues(3)
    with FaultyBatchServer(polls=3) as server:
        batches = run(
            store,
            server,
            dialogues,
            before=lambda b: setattr(b, "_on_waiting", lambda reason: b.stop("Interrupted.")),
        )
        assert batches.stopped == (
            "Interrupted. At the server 1 of our batches go on; run the command again with "
            "`--batch` to collect them."
        )
        assert batches.settled == (0, 0) and len(server.batches) == 1
        batches = run(store, server, dialogues, name="r2")
        assert batches.settled == (36, 0) and len(server.batches) == 1
    assert batches.notes == [] and len(list(store.answers())) == len(server.paid) == 6


def test_what_was_translated_meanwhile_is_left_as_it_is(store):
    dialogue = make_dialogue()
    key = Chain(OPTIONS, store, run="look").look_up(dialogue).jobs["translate"][0].key
    with FaultyBatchServer(polls=2) as server:
        interrupt(store, server, [dialogue])
        store.add([Result(key, "translate", "x", ("By hand.",), None, "m", "r0", "t")])
        batches = run(store, server, [dialogue], name="r2")
    assert batches.settled == (11, 0) and len(list(store.results())) == 12
    assert lines_of(store, [dialogue])[0]["text_en"] == "By hand."


def test_the_limit_of_money_makes_batches_smaller_and_then_ends_the_run(store):
    dialogues = make_dialogues(30, turns=10)
    options = replace(OPTIONS, max_cost=0.1)
    with FaultyBatchServer() as server:
        batches = run(store, server, dialogues, options)
        sizes = [len(batch.bodies) for batch in server.batches.values()]
        assert "`max_cost` 0.1 would be passed by the next request" in batches.stopped
        assert len(sizes) > 1 and 0 < store.total_cost() <= 0.1 and sum(sizes) < 30
        batches = run(store, server, dialogues, options, name="r2")
        assert len(server.batches) == len(sizes) and "`max_cost` 0.1" in batches.stopped
        assert run(store, server, dialogues, name="r3").stopped is None
    assert len(list(store.results())) == 300 and set(asked(server).values()) == {1}


def test_what_was_set_aside_comes_back_whatever_happens(store):
    endings = (ended_early("expired", code="batch_expired"), completed())
    calls = (Call("POST", "/batches", BROKEN, 1),)
    budgets = []
    with FaultyBatchServer(endings=endings, calls=calls) as server:
        run(store, server, make_dialogues(3), before=lambda b: budgets.append(b._budget))
    (budget,) = budgets
    assert budget.promised == pytest.approx(0, abs=1e-9)
    assert budget.spent == pytest.approx(store.total_cost())
