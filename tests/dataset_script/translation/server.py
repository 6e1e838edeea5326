"""A server that fails as servers do: on loopback, over real HTTP, by a script."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from dataset_script.sample.batch_jobs import BatchJob, leave_line, part_lines
from dataset_script.sample.server import ChatServer, Reply, complete, fail

from .invented import answer_to, content_of

Body = dict[str, Any]
Fault = Callable[[Body], Reply | None]
Making = Reply | Callable[[Body], Reply]


@dataclass(frozen=True)
class BatchScript:
    """What becomes of every batch.

    Attributes:
        polls: how often it is found in progress before its end.
        end: `completed`, `expired`, `cancelled` or `failed`.
        answered: requests that are answered before the end; None for all.
        seed: of the order of the lines; None leaves it.
        problems: what is wrong with the input, of a batch that failed.
    """

    polls: int = 0
    end: str = "completed"
    answered: int | None = None
    seed: int | None = 0
    problems: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"code": "token_limit_exceeded", "line": None, "message": "Enqueued token limit"}
        ]
    )


class FaultyServer(ChatServer):
    """Answers flawlessly but where one of `faults` has a reply of its own; batches by a script.

    Faults count for the lines of batches too: an error among them stands in the error file.
    """

    def __init__(
        self, *faults: Fault, delay: float = 0.0, batch: BatchScript | None = None
    ) -> None:
        super().__init__(self._reply, delay=delay)
        self.script = batch or BatchScript()
        self._faults = faults

    def finish(self, batch: BatchJob) -> None:
        script = self.script
        if batch.polls <= script.polls:
            batch.facts["status"] = "in_progress"
            return
        if script.end == "failed":
            self.fail_batch(batch, script.problems)
            return
        ready = len(batch.bodies) if script.answered is None else script.answered
        lines = [self.do_line(*line) for line in batch.bodies[:ready]]
        lines += [
            leave_line(name, f"batch_{script.end}", f"The batch {script.end} before this request.")
            for name, _ in batch.bodies[ready:]
        ]
        if script.seed is not None:
            random.Random(script.seed).shuffle(lines)
        self.end_batch(batch, script.end, *part_lines(lines))

    def _reply(self, body: Body) -> Reply:
        replies = [fault(body) for fault in self._faults]  # all of them: some count the requests
        return next((reply for reply in replies if reply is not None), None) or flawless(body)


def flawless(body: Body) -> Reply:
    return complete(answer_to(body), body)


def first(count: int, reply: Making) -> Fault:
    """Let the first requests come to something else."""
    return numbered(range(count), reply)


def numbered(numbers: Collection[int], reply: Making) -> Fault:
    """Let requests come to something else by their number, from 0."""
    number, lock = [-1], threading.Lock()

    def fault(body: Body) -> Reply | None:
        with lock:
            number[0] += 1
            is_meant = number[0] in numbers
        return _make(reply, body) if is_meant else None

    return fault


def where(predicate: Callable[[Body], bool], reply: Making) -> Fault:
    """Let the requests come to something else of which something is true."""
    return lambda body: _make(reply, body) if predicate(body) else None


def about(row_id: str, reply: Making) -> Fault:
    """Let every request with this target come to something else."""
    return where(lambda body: row_id in [t["id"] for t in content_of(body)["targets"]], reply)


def always(reply: Making) -> Fault:
    return where(lambda body: True, reply)


def late(seconds: float) -> Callable[[Body], Reply]:
    """Answer flawlessly, when it may be too late."""
    return lambda body: replace(flawless(body), delay=seconds)


def spoil(change: Callable[[list[dict]], list[dict]]) -> Callable[[Body], Reply]:
    """Answer with other entries than the flawless ones."""

    def reply(body: Body) -> Reply:
        entries = change(json.loads(answer_to(body))["translations"])
        return complete(json.dumps({"translations": entries}, ensure_ascii=False), body)

    return reply


def ends_with(**choice: str) -> Callable[[Body], Reply]:
    """Answer with another `finish_reason` or a `refusal`."""
    return lambda body: complete(
        "" if "refusal" in choice else answer_to(body)[:20], body, **choice
    )


def half_content(body: Body) -> Reply:
    """Succeed with a text that is half a JSON."""
    content = answer_to(body)
    return complete(content[: len(content) // 2], body)


def _make(reply: Making, body: Body) -> Reply:
    return reply(body) if callable(reply) else reply


TOO_MUCH = fail(429, "Rate limit reached", code="rate_limit_exceeded", retry_after="0.02")
TOO_MUCH_MS = fail(429, "Rate limit reached", code="rate_limit_exceeded", retry_after_ms="20")
NO_QUOTA = fail(429, "You exceeded your current quota", code="insufficient_quota")
BAD_KEY = fail(401, "Incorrect API key provided: sk-…", code="invalid_api_key")
TOO_LONG = fail(400, "This model's maximum context length is 9", code="context_length_exceeded")
FILTERED = fail(400, "The prompt was filtered", code="content_filter")
NO_MODEL = fail(404, "The model `gpt-9` does not exist", code="model_not_found")
BROKEN = fail(500, "The server had an error")
OVERLOADED = fail(503, "Overloaded", retry_after="0.02")
CUT = Reply(None, cut=True)
HTML = Reply(b"<html><body>502 Bad Gateway</body></html>", headers={"Content-Type": "text/html"})
HTML_AS_JSON = Reply(HTML.body)  # by a proxy that keeps the header of what it replaces
HALF = Reply(b'{"id": "chatcmpl-1", "choices": [{"message": {"content": "{')

MISSING = spoil(lambda entries: entries[1:])
TWICE = spoil(lambda entries: [*entries, entries[0]])
MADE_UP = spoil(lambda entries: [*entries, {"id": "x", "text_en": "Made up."}])
SWAPPED = spoil(lambda entries: entries[::-1])
HANGUL = spoil(lambda entries: [{**entry, "text_en": "The 바다"} for entry in entries])
EMPTY = spoil(lambda entries: [{**entry, "text_en": ""} for entry in entries])
