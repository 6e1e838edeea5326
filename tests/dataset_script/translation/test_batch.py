import asyncio
import json
from collections import Counter
from dataclasses import replace

import openai
import pytest

from dataset_script.sample.server import BatchJob, Reply
from dataset_script.translation import batch as batch_module
from dataset_script.translation.batch import BatchRun
from dataset_script.translation.batch_server import BatchServer
from dataset_script.translation.chain import Chain
from dataset_script.translation.client import ask
from dataset_script.translation.live import LiveRun
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.output import make_lines
from dataset_script.translation.prices import Budget, Price
from dataset_script.translation.store import BatchEvent, Result, Store

from .batch_server import (
    Call,
    FaultyBatchServer,
    broken,
    completed,
    ended_early,
    failed,
    with_status,
)
from .invented import content_of, make_dialogue, make_dialogues
from .server import BAD_KEY, BROKEN, CUT, HTML, NO_MODEL, NO_QUOTA, TOO_MUCH, always, spoil

PRICE = Price(2.0, 0.5, 8.0)
OPTIONS = TranslationOptions()


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def run(store, server, dialogues, options=OPTIONS, *, name="r1", before=None, **arguments):
    """Run once; `before` gets the run before it begins."""
    settled = []
    batches = BatchRun(
        options,
        store,
        Chain(options, store, run=name),
        budget=Budget(options, PRICE, spent=store.total_cost()),
        run=name,
        on_settled=lambda good, bad: settled.append((good, bad)),
        poll=0.001,
        **arguments,
    )

    async def translate():
        async with openai.AsyncOpenAI(
            api_key="k", base_url=server.base_url, max_retries=0, timeout=10
        ) as client:
            batch_server = BatchServer(client, backoff=0.001)
            await batches.translate(lambda: dialogues, server=batch_server)

    if before is not None:
        before(batches)
    asyncio.run(translate())
    batches.settled = (sum(good for good, _ in settled), sum(bad for _, bad in settled))
    return batches


def lines_of(store, dialogues, options=OPTIONS):
    chain = Chain(options, store, run="look")
    return [
        {**line, "date": ""} for d in dialogues for line in make_lines(chain.look_up(d), options)
    ]


def asked(server):
    return Counter(t["id"] for body in server.requests for t in content_of(body)["targets"])


def leave_korean(row_id):
    return always(
        spoil(
            lambda entries: [{**e, "text_en": "바다"} if e["id"] == row_id else e for e in entries]
        )
    )


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


def test_custom_ids_are_unique_and_tell_the_attempt(store):
    dialogue = make_dialogue(turns=1)
    with FaultyBatchServer(leave_korean(dialogue.utterances[0].id)) as server:
        run(store, server, [dialogue])
    ids = [batch.bodies[0][0] for batch in server.batches.values()]
    assert [i.rpartition("-")[2] for i in ids] == ["0", "1", "2", "3"] and len(set(ids)) == 4
    hint = server.requests[1]["messages"][1]["content"]
    assert "hangul: Korean letters are left" in hint
    (result,) = store.results()
    assert result.fault == "hangul: Korean letters are left"


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


def test_equal_lines_without_context_are_asked_once(store):
    options = replace(OPTIONS, context=ContextOptions(0, 0, 1))
    dialogues = [make_dialogue(f"Sess{n:02d}_script01", turns=4) for n in range(6)]
    with FaultyBatchServer() as server:
        run(store, server, dialogues, options)
        assert len(server.requests) == 4  # the six dialogues say the same
    assert {line["status"] for line in lines_of(store, dialogues, options)} == {"ok"}


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


def _interrupt(store, server, dialogues, options=OPTIONS, *, rounds=1, **arguments):
    """A run that ends when it waits for the batches of a round."""
    left = [rounds]

    def wait(batches, reason):
        left[0] -= 1
        if left[0] == 0:
            batches.stop("Interrupted.")

    return run(
        store,
        server,
        dialogues,
        options,
        before=lambda b: setattr(b, "_on_waiting", lambda reason: wait(b, reason)),
        **arguments,
    )


def test_what_an_adopted_batch_did_not_give_is_asked_alone_and_told(store):
    dialogue = make_dialogue(turns=10)
    bad = dialogue.utterances[3].id
    with FaultyBatchServer(leave_korean(bad), polls=2) as server:
        _interrupt(store, server, [dialogue], rounds=2)  # while the first lone attempt is there
        assert len(server.batches) == 2
        batches = run(store, server, [dialogue], name="r2")
        ids = [batch.bodies[0][0].rpartition("-")[2] for batch in server.batches.values()]
    assert ids == ["0", "1", "2", "3"] and batches.settled == (0, 1)


def test_a_refinement_is_adopted_although_a_draft_around_it_had_failed(store):
    options = replace(OPTIONS, draft="llm", attempts=0)
    dialogue = make_dialogue(turns=10)
    with FaultyBatchServer(leave_korean(dialogue.utterances[0].id), polls=2) as server:
        _interrupt(store, server, [dialogue], options, rounds=2)
        assert len(server.batches) == 2
        batches = run(store, server, [dialogue], options, name="r2")
    assert batches.notes == []
    assert sum(r.step == "refine" and r.is_good for r in store.results()) >= 9


def test_answers_to_what_nobody_asks_any_more_are_counted_and_paid(store):
    dialogues = make_dialogues(3, turns=10)
    with FaultyBatchServer(polls=2) as server:
        _interrupt(store, server, dialogues)
        batches = run(store, server, dialogues[:1], name="r2")
        assert batches.settled == (10, 0) and len(server.batches) == 1
    assert "batch batch_1 has 2 answers to requests that are not known any more" in batches.notes[0]
    assert len(list(store.answers())) == 3 and store.total_cost() > 0


def test_what_was_translated_meanwhile_is_left_as_it_is(store):
    dialogue = make_dialogue()
    key = Chain(OPTIONS, store, run="look").look_up(dialogue).jobs["translate"][0].key
    with FaultyBatchServer(polls=2) as server:
        _interrupt(store, server, [dialogue])
        store.add([Result(key, "translate", "x", ("By hand.",), None, "m", "r0", "t")])
        batches = run(store, server, [dialogue], name="r2")
    assert batches.settled == (11, 0) and len(list(store.results())) == 12
    assert lines_of(store, [dialogue])[0]["text_en"] == "By hand."


def test_an_adopted_batch_is_known_with_other_windows(store):
    dialogue = make_dialogue(turns=20)
    with FaultyBatchServer(polls=2) as server:
        _interrupt(store, server, [dialogue])
        narrow = replace(OPTIONS, context=replace(OPTIONS.context, targets=3))
        batches = run(store, server, [dialogue], narrow, name="r2")
    assert batches.settled == (20, 0) and batches.notes == []


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


def test_input_files_keep_to_their_size(store):
    with FaultyBatchServer() as server:
        run(store, server, make_dialogues(6, turns=10), most_bytes=20_000)
        sizes = [len(server.files[b.facts["input_file_id"]]) for b in server.batches.values()]
    assert max(sizes) <= 20_000 and len(sizes) > 1
    line = json.loads(server.files["file-1"].split(b"\n")[0])
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert batch_module.MOST_REQUESTS <= 50_000 and batch_module.MOST_BYTES <= 200_000_000
