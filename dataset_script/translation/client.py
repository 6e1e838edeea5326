"""What a server answered, told apart: an answer, a failure to wait out, or a reason to stop.

The `openai` client repeats failed requests by itself, those too that can never succeed, and passes
on a broken body as it is. So it is told not to repeat, and everything is decided here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx2
import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.completion_usage import PromptTokensDetails

from .failures import Answer, RejectedError, StopError, TransientError, UnknownError, Usage

NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
ENDPOINT = "/chat/completions"  # behind the server's base URL
MOST_TOKENS = 10**9  # of one answer; more is no count
LONGEST_WAIT = 300.0  # seconds; what a server asks for beyond that is not waited out at once

Reply = TypeVar("Reply")


async def ask(client: openai.AsyncOpenAI, body: Mapping[str, Any]) -> Answer:
    """Ask for one chat completion, once.

    Args:
        client: must not repeat requests by itself.
        body: arguments of the chat completion.

    Returns:
        The answer, usable or not.

    Raises:
        TransientError: if the same request may succeed later.
        StopError: if no request can.
    """
    try:
        # The body is what a line of a batch holds; `chat.completions.create` would copy it, key by
        # key, which takes as long as everything else here together.
        call = client.post(ENDPOINT, cast_to=ChatCompletion, body=dict(body))
        completion = await send(call, ChatCompletion, client=client)
    except RejectedError as error:
        return Answer("", str(error), None)
    return read_completion(completion)


async def send(call: Awaitable[Any], kind: type[Reply], *, client: openai.AsyncOpenAI) -> Reply:
    """Wait for one call of the client, once.

    Args:
        call: the call.
        kind: of what the server replies.
        client: whose call it is; its time-out is that of the whole call, and its key is taken out
            of what the server says.

    Returns:
        The reply.

    Raises:
        RejectedError: if the server rejects this request.
        TransientError: if the same request may succeed later.
        StopError: if no request can.
    """
    try:
        # The client's own time-out is for each part that arrives, however slowly.
        limit = client.timeout if isinstance(client.timeout, (int, float)) else None
        reply = await asyncio.wait_for(call, limit)
    except openai.APIStatusError as error:
        body = _without_key(error.body, client.api_key)
        fault = read_failure(error.status_code, body, error.response.headers)
        raise RejectedError(fault) from error
    except (openai.APITimeoutError, asyncio.TimeoutError) as error:
        raise TransientError("no answer in time", may_be_paid=True) from error
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        if isinstance(cause, httpx2.ConnectError):
            raise TransientError(f"no connection ({cause})", is_silent=True) from error
        # It was cut after the request had gone out.
        raise TransientError(f"no connection ({cause})", may_be_paid=True) from error
    except (json.JSONDecodeError, openai.APIResponseValidationError) as error:
        raise TransientError(f"the answer is broken ({error})", may_be_paid=True) from error
    if not isinstance(reply, kind):
        raise TransientError(f"the answer is no {kind.__name__}", may_be_paid=True)
    return reply


def read_completion(completion: ChatCompletion) -> Answer:
    """Read a chat completion, which may hold no answer although it succeeded."""
    usage = read_usage(completion)
    # The client checks nothing of an answer's form.
    choices = completion.choices
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Choice):
        return Answer("", "form: the answer has no choices", usage)
    if not isinstance(choices[0].message, ChatCompletionMessage):
        return Answer("", "form: the answer has no choices", usage)
    choice = choices[0]
    content = choice.message.content or ""
    if choice.finish_reason == "length":
        return Answer(content, "length: the answer was cut off", usage)
    if choice.finish_reason == "content_filter":
        return Answer(content, "content_filter: the server withheld the answer", usage)
    if choice.message.refusal:
        return Answer(content, f"refusal: {choice.message.refusal}", usage)
    return Answer(content, None, usage)


def read_usage(completion: ChatCompletion) -> Usage | None:
    """Read what the server counted; None if it does not say."""
    usage = completion.usage
    if not isinstance(usage, CompletionUsage):
        return None
    counts = (usage.prompt_tokens, usage.completion_tokens)
    if not all(isinstance(count, int) and 0 <= count <= MOST_TOKENS for count in counts):
        return None
    details = usage.prompt_tokens_details
    cached = details.cached_tokens if isinstance(details, PromptTokensDetails) else 0
    if not isinstance(cached, int) or not 0 <= cached <= usage.prompt_tokens:
        cached = 0
    return Usage(usage.prompt_tokens, cached, usage.completion_tokens)


def _without_key(body: object, key: str) -> object:
    """Take the key out of an error that quotes it."""
    if not isinstance(body, Mapping):
        return body
    return {
        name: value.replace(key, "***") if isinstance(value, str) and key else value
        for name, value in body.items()
    }


def read_failure(status: int, body: object, headers: Mapping[str, str]) -> str:
    """Tell failures by HTTP status apart.

    Args:
        status: HTTP status.
        body: the error object of the answer, or anything.
        headers: of the answer.

    Returns:
        Why this request was rejected; others may succeed.

    Raises:
        TransientError: if the same request may succeed later.
        StopError: if no request can.
    """
    details = body if isinstance(body, Mapping) else {}
    message = " ".join(str(details.get("message") or f"HTTP {status}").split())
    if status == 429:
        if {details.get("code"), details.get("type")} & set(NO_QUOTA):
            raise StopError(
                f"The account has no quota left ({message}); pay in, then run the command again: "
                "what was answered is kept."
            )
        raise TransientError(message, wait=_read_wait(headers), is_refusal=True)
    if status in (401, 403):
        raise StopError(
            f"The server refuses the key ({message}); put a valid one into the environment "
            "variable OPENAI_API_KEY."
        )
    if status == 404:
        raise UnknownError(
            f"The server does not know what was asked for ({message}); check `--model` and "
            "`--base-url`."
        )
    if status in (408, 409) or status >= 500:
        raise TransientError(f"HTTP {status}: {message}", wait=_read_wait(headers))
    return f"rejected: {message}"


def _read_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, by either header and in any of its forms."""
    milliseconds, seconds = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            wait = float(milliseconds) / 1000
        elif seconds is None:
            return None
        elif seconds.strip().replace(".", "", 1).isdecimal():
            wait = float(seconds)
        else:
            wait = parsedate_to_datetime(seconds).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(0.0, wait), LONGEST_WAIT)
