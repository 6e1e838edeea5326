"""A server that fails as servers do: on loopback, over real HTTP, by a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from dataset_script.sample.server import ChatServer, Reply, complete, fail

from .invented import answer_to

Fault = Callable[[dict[str, Any]], Reply | None]


def flawless(body: dict[str, Any]) -> Reply:
    return complete(answer_to(body), body)


class FaultyServer(ChatServer):
    """Answers flawlessly but where one of `faults` has a reply of its own."""

    def __init__(self, *faults: Fault, delay: float = 0.0) -> None:
        super().__init__(self._reply, delay=delay)
        self._faults = faults

    def _reply(self, body: dict[str, Any]) -> Reply:
        replies = (fault(body) for fault in self._faults)
        return next((reply for reply in replies if reply is not None), None) or flawless(body)


def first(count: int, reply: Reply | Callable[[dict[str, Any]], Reply]) -> Fault:
    """Let the first requests come to something else."""
    left, lock = [count], threading.Lock()

    def fault(body: dict[str, Any]) -> Reply | None:
        with lock:
            left[0] -= 1
            if left[0] < 0:
                return None
        return reply(body) if callable(reply) else reply

    return fault


def always(reply: Reply | Callable[[dict[str, Any]], Reply]) -> Fault:
    return lambda body: reply(body) if callable(reply) else reply


def spoil(change: Callable[[list[dict]], list[dict]]) -> Callable[[dict[str, Any]], Reply]:
    """Answer with other entries than the flawless ones."""

    def reply(body: dict[str, Any]) -> Reply:
        entries = change(json.loads(answer_to(body))["translations"])
        return complete(json.dumps({"translations": entries}, ensure_ascii=False), body)

    return reply


def ends_with(**choice: str) -> Callable[[dict[str, Any]], Reply]:
    """Answer with another `finish_reason` or a `refusal`."""
    return lambda body: complete(
        "" if "refusal" in choice else answer_to(body)[:20], body, **choice
    )


TOO_MUCH = fail(429, "Rate limit reached", code="rate_limit_exceeded", retry_after="0.02")
TOO_MUCH_MS = fail(429, "Rate limit reached", code="rate_limit_exceeded", retry_after_ms="20")
NO_QUOTA = fail(429, "You exceeded your current quota", code="insufficient_quota")
BAD_KEY = fail(401, "Incorrect API key provided: sk-…", code="invalid_api_key")
TOO_LONG = fail(400, "This model's maximum context length is 9", code="context_length_exceeded")
NO_MODEL = fail(404, "The model `gpt-9` does not exist", code="model_not_found")
BROKEN = fail(500, "The server had an error")
OVERLOADED = fail(503, "Overloaded", retry_after="0.02")
CUT = Reply(None, cut=True)
HTML = Reply(b"<html><body>502 Bad Gateway</body></html>", headers={"Content-Type": "text/html"})
HALF = Reply(b'{"id": "chatcmpl-1", "choices": [{"message": {"content": "{')
