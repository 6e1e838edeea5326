"""What the `openai` client makes of each failure, over real HTTP."""

import asyncio
import json
import time
from collections import Counter

import openai
import pytest

from dataset_script.sample.batch_jobs import ENDPOINT

from .invented import answer_to, content_of, make_dialogue
from .server import (
    BAD_KEY,
    BROKEN,
    CUT,
    EMPTY,
    FILTERED,
    HALF,
    HANGUL,
    HTML,
    HTML_AS_JSON,
    MADE_UP,
    MISSING,
    NO_MODEL,
    NO_QUOTA,
    OVERLOADED,
    SWAPPED,
    TOO_LONG,
    TOO_MUCH,
    TOO_MUCH_MS,
    TWICE,
    BatchScript,
    FaultyServer,
    about,
    always,
    ends_with,
    fail,
    first,
    flawless,
    half_content,
    late,
    numbered,
    where,
)
from .test_jobs import OPTIONS, _request

DIALOGUE = make_dialogue()
BODY = _request(DIALOGUE, 0, 2).to_body(OPTIONS)
IDS = [turn.id for turn in DIALOGUE.utterances[:3]]


def _ask_sync(url, **client_options):
    with openai.OpenAI(api_key="x", base_url=url, **client_options) as client:
        return client.chat.completions.create(**BODY)


def _ask_async(url, **client_options):
    async def main():
        async with openai.AsyncOpenAI(api_key="x", base_url=url, **client_options) as client:
            return await client.chat.completions.create(**BODY)

    return asyncio.run(main())


@pytest.fixture(params=[_ask_sync, _ask_async], ids=["sync", "async"])
def ask(request):
    return request.param


@pytest.fixture
def quick(monkeypatch):
    """Spare the client the half second before a retry that the server does not time."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


def _entries(completion):
    return json.loads(completion.choices[0].message.content)["translations"]


def test_without_a_fault_every_id_is_answered_in_order(ask):
    with FaultyServer() as server:
        completion = ask(server.base_url)
        assert server.requests == [BODY]
    assert [entry["id"] for entry in _entries(completion)] == IDS
    assert completion.choices[0].finish_reason == "stop" and completion.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (TOO_MUCH, openai.RateLimitError),
        (NO_QUOTA, openai.RateLimitError),
        (BROKEN, openai.InternalServerError),
        (OVERLOADED, openai.InternalServerError),
        (CUT, openai.APIConnectionError),
    ],
)
def test_a_failure_is_retried_twice_and_then_raised(ask, quick, reply, error):
    with FaultyServer(always(reply)) as server:
        with pytest.raises(error) as caught:
            ask(server.base_url)
        assert len(server.requests) == 3
    if reply is not CUT:
        assert caught.value.status_code == reply.status
        assert caught.value.body == reply.body["error"]
    with FaultyServer(first(2, reply)) as server:
        assert _entries(ask(server.base_url)) and len(server.requests) == 3


@pytest.mark.parametrize(
    "reply",
    [
        fail(429, "Rate limit reached", retry_after="0.3"),
        fail(429, "Rate limit reached", retry_after_ms="300"),
        fail(503, "Overloaded", retry_after="0.3"),
    ],
)
def test_the_time_to_wait_is_waited(ask, quick, reply):
    with FaultyServer(first(1, reply)) as server:
        ask(server.base_url)
        before, after = server.times
    assert 0.3 <= after - before < 2.0


def test_the_two_headers_arrive(ask):
    for reply, name in ((TOO_MUCH, "retry-after"), (TOO_MUCH_MS, "retry-after-ms")):
        with FaultyServer(always(reply)) as server, pytest.raises(openai.RateLimitError) as caught:
            ask(server.base_url, max_retries=0)
        assert caught.value.response.headers[name] == reply.headers[name]


def test_an_answer_that_is_late_is_a_time_out(ask, quick):
    with FaultyServer(first(1, late(1.0))) as server:
        with pytest.raises(openai.APITimeoutError):
            ask(server.base_url, timeout=0.2, max_retries=0)
    with FaultyServer(first(1, late(1.0))) as server:
        assert _entries(ask(server.base_url, timeout=0.2)) and len(server.requests) == 2
    with FaultyServer(always(late(0.1))) as server:
        assert _entries(ask(server.base_url, timeout=5.0)) and len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (BAD_KEY, openai.AuthenticationError, "invalid_api_key"),
        (TOO_LONG, openai.BadRequestError, "context_length_exceeded"),
        (FILTERED, openai.BadRequestError, "content_filter"),
        (NO_MODEL, openai.NotFoundError, "model_not_found"),
        (NO_QUOTA, openai.RateLimitError, "insufficient_quota"),
    ],
)
def test_what_cannot_succeed_has_its_code_and_all_but_quota_is_asked_once(
    ask, quick, reply, error, code
):
    with FaultyServer(always(reply)) as server:
        with pytest.raises(error) as caught:
            ask(server.base_url)
        assert len(server.requests) == (3 if reply is NO_QUOTA else 1)
    assert caught.value.code == code and reply.body["error"] == caught.value.body


def test_a_page_that_says_what_it_is_comes_back_as_text(ask):
    with FaultyServer(always(HTML)) as server:
        assert ask(server.base_url) == HTML.body.decode() and len(server.requests) == 1


@pytest.mark.parametrize("reply", [HTML_AS_JSON, HALF], ids=["html", "half"])
def test_a_body_that_is_no_json_is_no_error_of_the_client_and_not_retried(ask, reply):
    with FaultyServer(always(reply)) as server:
        with pytest.raises(json.JSONDecodeError):
            ask(server.base_url)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("choice", "finish_reason", "refusal"),
    [
        ({"finish_reason": "length"}, "length", None),
        ({"finish_reason": "content_filter"}, "content_filter", None),
        ({"refusal": "I will not."}, "stop", "I will not."),
    ],
)
def test_a_success_that_is_no_answer_raises_nothing(ask, choice, finish_reason, refusal):
    with FaultyServer(always(ends_with(**choice))) as server:
        (found,) = ask(server.base_url).choices
    assert (found.finish_reason, found.message.refusal) == (finish_reason, refusal)
    with pytest.raises(json.JSONDecodeError):
        json.loads(found.message.content)


def test_a_content_that_is_half_a_json_raises_nothing(ask):
    with FaultyServer(always(half_content)) as server:
        (found,) = ask(server.base_url).choices
    assert found.finish_reason == "stop" and answer_to(BODY).startswith(found.message.content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(found.message.content)


@pytest.mark.parametrize(
    ("reply", "ids"),
    [
        (MISSING, IDS[1:]),
        (TWICE, [*IDS, IDS[0]]),
        (MADE_UP, [*IDS, "x"]),
        (SWAPPED, IDS[::-1]),
        (HANGUL, IDS),
        (EMPTY, IDS),
    ],
    ids=["missing", "twice", "made up", "swapped", "hangul", "empty"],
)
def test_entries_are_spoilt_as_their_names_say(ask, reply, ids):
    with FaultyServer(always(reply)) as server:
        entries = _entries(ask(server.base_url))
    right = {entry["id"]: entry["text_en"] for entry in json.loads(answer_to(BODY))["translations"]}
    assert [entry["id"] for entry in entries] == ids
    if reply is HANGUL:
        assert all("바다" in entry["text_en"] for entry in entries)
    elif reply is EMPTY:
        assert all(entry["text_en"] == "" for entry in entries)
    else:
        assert all(e["text_en"] == right.get(e["id"], "Made up.") for e in entries)


def test_faults_are_chosen_by_number_and_by_what_is_asked(quick):
    cut = where(lambda body: body["model"] == "n", CUT)
    with FaultyServer(about(IDS[2], TOO_LONG), numbered([1, 4], BROKEN), cut) as server:
        options = {"api_key": "x", "base_url": server.base_url, "max_retries": 0}
        with openai.OpenAI(**options) as client:
            other = _request(DIALOGUE, 0, 1).to_body(OPTIONS)
            assert client.chat.completions.create(**other)
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(**other)
            assert client.chat.completions.create(**other)
            with pytest.raises(openai.BadRequestError):
                client.chat.completions.create(**BODY)
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(**other)
            with pytest.raises(openai.APIConnectionError):
                client.chat.completions.create(**{**other, "model": "n"})


def _run_batch(server, *, bodies=None, lines=None, polls=20, cancel=False):
    """Put a batch through by the client; how it stood at each poll, and its two files by id."""
    requests = {f"r{place}": body for place, body in enumerate(bodies or [])}
    if lines is None:
        made = [
            {"custom_id": n, "method": "POST", "url": ENDPOINT, "body": b}
            for n, b in requests.items()
        ]
        lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in made)
    with openai.OpenAI(api_key="x", base_url=server.base_url) as client:
        file = client.files.create(file=("in.jsonl", lines.encode()), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata={"n": "1"}
        )
        stood = [batch.status]
        if cancel:
            stood.append(client.batches.cancel(batch.id).status)
        while batch.status in ("validating", "in_progress") and len(stood) < polls:
            batch = client.batches.retrieve(batch.id)
            stood.append(batch.status)
        files = [
            []
            if name is None
            else [json.loads(line) for line in client.files.content(name).text.splitlines()]
            for name in (batch.output_file_id, batch.error_file_id)
        ]
        assert client.batches.list().data[0].metadata == {"n": "1"}
    return batch, stood, *files


BODIES = [_request(DIALOGUE, place, place).to_body(OPTIONS) for place in range(10)]


def test_a_batch_answers_every_line_in_any_order():
    with FaultyServer() as server:
        batch, stood, good, bad = _run_batch(server, bodies=BODIES)
        assert stood == ["validating", "completed"] and bad == [] and batch.error_file_id is None
        assert server.requests == BODIES
        assert (batch.request_counts.completed, batch.request_counts.failed) == (10, 0)
    names = [line["custom_id"] for line in good]
    assert names != sorted(names) and sorted(names) == [f"r{n}" for n in range(10)]
    for line in good:
        body = BODIES[int(line["custom_id"][1:])]
        assert line["response"]["body"] == flawless(body).body
    with FaultyServer(batch=BatchScript(seed=None)) as server:
        good = _run_batch(server, bodies=BODIES)[2]
    assert [line["custom_id"] for line in good] == [f"r{n}" for n in range(10)]


def test_lines_that_fail_stand_in_the_error_file():
    row_id = content_of(BODIES[3])["targets"][0]["id"]
    with FaultyServer(about(row_id, TOO_LONG), numbered([5], BROKEN)) as server:
        batch, _, good, bad = _run_batch(server, bodies=BODIES)
    assert batch.status == "completed" and len(good) == 8
    found = {line["custom_id"]: line["response"]["status_code"] for line in bad}
    assert found == {"r3": 400, "r5": 500}
    assert (batch.request_counts.completed, batch.request_counts.failed) == (8, 2)


def test_a_batch_is_in_progress_for_as_long_as_it_is_told():
    with FaultyServer(batch=BatchScript(polls=3)) as server:
        _, stood, good, _ = _run_batch(server, bodies=BODIES[:1])
        assert stood == ["validating", *["in_progress"] * 3, "completed"] and len(good) == 1
        assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_a_batch_that_ends_early_has_both_files(end):
    with FaultyServer(batch=BatchScript(end=end, answered=4)) as server:
        batch, _, good, bad = _run_batch(server, bodies=BODIES)
        assert len(server.requests) == 4
    assert batch.status == end
    assert {line["custom_id"] for line in good} == {f"r{n}" for n in range(4)}
    assert {line["custom_id"] for line in bad} == {f"r{n}" for n in range(4, 10)}
    assert Counter(line["error"]["code"] for line in bad) == {f"batch_{end}": 6}
    assert all(line["response"] is None for line in bad)


def test_a_batch_that_failed_has_reasons_and_no_files():
    with FaultyServer(batch=BatchScript(end="failed", polls=1)) as server:
        batch, stood, *_ = _run_batch(server, bodies=BODIES)
        assert stood == ["validating", "in_progress", "failed"] and server.requests == []
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert [error.code for error in batch.errors.data] == ["token_limit_exceeded"]


def test_a_malformed_input_fails_whatever_the_script_says():
    with FaultyServer() as server:
        batch, *_ = _run_batch(server, lines='{"custom_id": "a"\n')
    assert batch.status == "failed" and batch.errors.data[0].line == 1


def test_a_batch_is_cancelled_by_the_client():
    with FaultyServer(batch=BatchScript(polls=5)) as server:
        _, stood, good, bad = _run_batch(server, bodies=BODIES, cancel=True)
        assert stood == ["validating", "cancelling", "cancelled"] and good == bad == []
        assert server.requests == []


def test_batches_of_many_lines_do_not_wait():
    with FaultyServer(delay=0.2) as server:
        start = time.monotonic()
        good = _run_batch(server, bodies=BODIES * 10)[2]
        assert len(good) == 100 and time.monotonic() - start < 5
