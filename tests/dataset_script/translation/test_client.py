import asyncio
import time
from email.utils import formatdate

import openai
import pytest

from dataset_script.sample.server import Reply, complete, fail
from dataset_script.translation.client import ask, read_failure
from dataset_script.translation.failures import StopError, TransientError

from .invented import answer_to, make_dialogue
from .server import (
    BAD_KEY,
    BROKEN,
    CUT,
    HALF,
    HTML,
    NO_MODEL,
    NO_QUOTA,
    OVERLOADED,
    TOO_LONG,
    TOO_MUCH,
    TOO_MUCH_MS,
    FaultyServer,
    always,
    ends_with,
)
from .test_jobs import OPTIONS, _request

BODY = _request(make_dialogue(), 0, 1).to_body(OPTIONS)


def _ask(*faults, timeout=5.0, base_url=None):
    async def main(url):
        async with openai.AsyncOpenAI(
            api_key="sk-secret", base_url=url, max_retries=0, timeout=timeout
        ) as client:
            return await ask(client, BODY)

    with FaultyServer(*faults) as server:
        try:
            return asyncio.run(main(base_url or server.base_url))
        finally:
            assert len(server.requests) <= 1  # nothing is repeated behind our back


def test_an_answer_comes_with_what_it_cost():
    answer = _ask()
    assert (answer.content, answer.fault) == (answer_to(BODY), None)
    assert answer.usage.prompt > 300 and answer.usage.completion > 20 and answer.usage.cached == 0


def test_the_server_gets_the_transcript_the_form_and_nothing_of_the_key():
    with FaultyServer() as server:

        async def main():
            async with openai.AsyncOpenAI(api_key="sk-secret", base_url=server.base_url) as client:
                await ask(client, BODY)

        asyncio.run(main())
        (body,) = server.requests
    assert body == BODY and "sk-secret" not in str(body)


@pytest.mark.parametrize(
    ("reply", "wait", "is_refusal", "may_be_paid"),
    [
        (TOO_MUCH, 0.02, True, False),
        (TOO_MUCH_MS, 0.02, True, False),
        (BROKEN, None, False, False),
        (OVERLOADED, 0.02, False, False),
        (HTML, None, False, True),
        (HALF, None, False, True),
        (Reply(b""), None, False, True),
        (Reply({"object": "list", "data": []}), None, False, None),
    ],
)
def test_a_failure_that_may_pass_is_told_with_the_time_to_wait(
    reply, wait, is_refusal, may_be_paid
):
    if may_be_paid is None:  # an object of another kind: read as far as it goes
        assert _ask(always(reply)).fault == "form: the answer has no choices"
        return
    with pytest.raises(TransientError) as caught:
        _ask(always(reply))
    error = caught.value
    assert (error.wait, error.is_refusal, error.may_be_paid) == (wait, is_refusal, may_be_paid)
    assert not error.is_silent


def test_a_connection_that_is_cut_and_an_answer_that_does_not_come():
    with pytest.raises(TransientError, match="no connection") as caught:
        _ask(always(CUT))
    assert caught.value.may_be_paid and not caught.value.is_silent  # it had the request
    with pytest.raises(TransientError, match="no answer in time") as caught:
        _ask(always(Reply({}, delay=1.0)), timeout=0.1)
    assert caught.value.may_be_paid
    with pytest.raises(TransientError, match="no connection") as caught:
        _ask(base_url="http://127.0.0.1:9/v1")
    assert caught.value.is_silent and not caught.value.may_be_paid


def test_a_key_that_a_server_quotes_is_not_passed_on():
    quoting = fail(400, "no such thing for sk-secret", code="x")
    assert _ask(always(quoting)).fault == "rejected: no such thing for ***"
    with pytest.raises(StopError) as caught:
        _ask(always(fail(401, "Incorrect API key: sk-secret")))
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("count", [-1000000, 10**30, "many", None])
def test_counts_that_are_none_are_not_paid(count):
    def reply(body):
        made = complete(answer_to(body), body)
        made.body["usage"]["prompt_tokens"] = count
        return made

    assert _ask(reply).usage is None


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (NO_QUOTA, "The account has no quota left (You exceeded your current quota); pay in"),
        (BAD_KEY, "The server refuses the key"),
        (fail(403, "no"), "The server refuses the key (no); put a valid one into the environment"),
        (NO_MODEL, "does not know what was asked for (The model `gpt-9` does not exist); check"),
    ],
)
def test_what_can_never_succeed_stops_the_run(reply, message):
    with pytest.raises(StopError) as caught:
        _ask(always(reply))
    assert message in str(caught.value) and "sk-secret" not in str(caught.value)


def test_a_request_that_is_rejected_is_an_answer_and_costs_nothing():
    answer = _ask(always(TOO_LONG))
    assert answer.fault == "rejected: This model's maximum context length is 9"
    assert answer.usage is None


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        ({"finish_reason": "length"}, "length: the answer was cut off"),
        ({"finish_reason": "content_filter"}, "content_filter: the server withheld the answer"),
        ({"refusal": "I will not."}, "refusal: I will not."),
    ],
)
def test_a_success_that_is_no_answer_is_seen_and_paid(choice, fault):
    answer = _ask(always(ends_with(**choice)))
    assert answer.fault == fault and answer.usage.prompt > 0


def test_cached_tokens_are_read():
    def reply(body):
        made = complete(answer_to(body), body)
        made.body["usage"]["prompt_tokens_details"] = {"cached_tokens": 7}
        return made

    assert _ask(reply).usage.cached == 7


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "99999"}, 300.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": formatdate(time.time() - 60)}, 0.0),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(headers, wait):
    with pytest.raises(TransientError) as caught:
        read_failure(503, None, headers)
    assert caught.value.wait == wait


def test_a_date_to_wait_for_is_a_time_from_now():
    with pytest.raises(TransientError) as caught:
        read_failure(429, {}, {"retry-after": formatdate(time.time() + 20)})
    assert 15 < caught.value.wait <= 20


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        (3, "form: the answer has no choices"),
        ([], "form: the answer has no choices"),
        ([{}], "form: the answer has no choices"),
        ([{"message": None}], "form: the answer has no choices"),
        ([{"message": {"content": "yes"}, "finish_reason": "stop"}], None),
    ],
)
@pytest.mark.parametrize("usage", [None, 3, {}, {"prompt_tokens": 1}])
def test_an_answer_of_another_form_is_a_fault_and_no_crash(choices, fault, usage):
    answer = _ask(always(Reply({"id": "c", "choices": choices, "usage": usage})))
    assert (answer.fault, answer.usage) == (fault, None)
