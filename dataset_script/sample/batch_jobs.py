"""Files and batches as an OpenAI-compatible server keeps them, for `server`.

A batch is done when it is first asked after. As on OpenAI's servers, a malformed input file fails
the whole batch, and a line that was answered with an error stands in another file than the rest.
https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .replies import Reply

OPEN = ("validating", "in_progress", "cancelling")
"""How a batch stands that has not ended."""
ENDPOINT = "/v1/chat/completions"
PAGE = 20  # batches of a list, if nothing else is asked for


@dataclass
class BatchJob:
    """A batch on the server.

    Attributes:
        facts: what the server says of it.
        bodies: `custom_id` and request of each line.
        problems: what is wrong with the input file; with any, the batch fails.
        polls: how often it was asked after.
        lock: held by whoever works on it.
    """

    facts: dict[str, Any]
    bodies: list[tuple[str, dict[str, Any]]]
    problems: list[dict[str, Any]] = field(default_factory=list)
    polls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


class BatchDesk:
    """Takes files and batches, and gives out what became of them.

    Attributes:
        files: contents by file id.
        batches: by batch id.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, BatchJob] = {}
        self._desk_lock = threading.Lock()

    def answer_line(self, body: dict[str, Any]) -> Reply:
        """Answer the arguments of one chat completion that stands in a batch."""
        raise NotImplementedError("a server says how it answers")

    def add_file(self, content: bytes) -> dict[str, Any]:
        """Keep a file; what the server says of it."""
        with self._desk_lock:
            name = f"file-{len(self.files) + 1}"
            self.files[name] = content
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": 0,
            "filename": f"{name}.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def add_batch(self, order: dict[str, Any]) -> dict[str, Any]:
        """Take a batch; what the server says of it.

        Args:
            order: `input_file_id`, `endpoint`, `completion_window` and, if wanted, `metadata`.

        Raises:
            ValueError: if there is no such file or endpoint.
        """
        if order.get("input_file_id") not in self.files:
            raise ValueError(
                f"`input_file_id` is {order.get('input_file_id')!r}, which is no file of this "
                "server; upload it first."
            )
        if order.get("endpoint") != ENDPOINT:
            raise ValueError(f"`endpoint` is {order.get('endpoint')!r}; it must be {ENDPOINT!r}.")
        bodies, problems = read_batch_file(self.files[order["input_file_id"]])
        with self._desk_lock:
            facts = {
                "id": f"batch_{len(self.batches) + 1}",
                "object": "batch",
                "endpoint": order["endpoint"],
                "completion_window": order.get("completion_window", "24h"),
                "created_at": 0,
                "input_file_id": order["input_file_id"],
                "metadata": order.get("metadata"),
                "status": "validating",
                "request_counts": {"total": len(bodies), "completed": 0, "failed": 0},
            }
            self.batches[facts["id"]] = BatchJob(facts, bodies, problems)
        return dict(facts)

    def list_batches(self, *, after: str | None = None, limit: int = PAGE) -> dict[str, Any]:
        """Return one page of the batches, the newest first.

        Args:
            after: id of the last batch of the page before; None for the first page.
            limit: batches of a page.

        Raises:
            ValueError: if there is no such batch.
        """
        with self._desk_lock:
            facts = [dict(batch.facts) for batch in self.batches.values()][::-1]
        names = [fact["id"] for fact in facts]
        if after is not None and after not in names:
            raise ValueError(f"`after` is {after!r}, which is no batch of this server.")
        start = 0 if after is None else names.index(after) + 1
        page = facts[start : start + limit]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + len(page) < len(facts),
        }

    def poll(self, batch: BatchJob) -> dict[str, Any]:
        """Say how a batch stands; one that is open moves on first."""
        with batch.lock:
            batch.polls += 1
            if batch.facts["status"] == "cancelling":
                self.end_batch(batch, "cancelled", [], [])
            elif batch.facts["status"] in OPEN and batch.problems:
                self.fail_batch(batch, batch.problems)
            elif batch.facts["status"] in OPEN:
                self.finish(batch)
            return dict(batch.facts)

    def cancel(self, batch: BatchJob) -> dict[str, Any]:
        """Begin to cancel a batch; the next poll finds it cancelled.

        Raises:
            ValueError: if it has ended.
        """
        with batch.lock:
            if batch.facts["status"] not in OPEN:
                raise ValueError(f"A batch that is {batch.facts['status']} cannot be cancelled.")
            batch.facts["status"] = "cancelling"
            return dict(batch.facts)

    def finish(self, batch: BatchJob) -> None:
        """Do a batch: every line is answered, in order."""
        good, bad = part_lines(self.do_line(*line) for line in batch.bodies)
        self.end_batch(batch, "completed", good, bad)

    def do_line(self, custom_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one line of a batch, as its file has it; what is cut or no JSON is an error."""
        reply = self.answer_line(body)
        if reply.cut:
            return leave_line(custom_id, "server_error", "The connection was cut.")
        said = reply.body.decode(errors="replace") if isinstance(reply.body, bytes) else reply.body
        response = {"status_code": reply.status, "request_id": f"req_{custom_id}", "body": said}
        return {"id": custom_id, "custom_id": custom_id, "response": response, "error": None}

    def end_batch(
        self, batch: BatchJob, status: str, lines: Iterable[Any], errors: Iterable[Any]
    ) -> None:
        """Give a batch its end and its files; there is no file of no lines."""
        counts = {"total": len(batch.bodies)}
        for count, key, rows in (
            ("completed", "output_file_id", list(lines)),
            ("failed", "error_file_id", list(errors)),
        ):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            batch.facts[key] = self.add_file(text.encode())["id"] if rows else None
            counts[count] = len(rows)
        batch.facts |= {"request_counts": counts, "status": status}

    def fail_batch(self, batch: BatchJob, problems: list[dict[str, Any]]) -> None:
        """End a batch none of whose lines was looked at, for what is wrong with its input."""
        batch.facts |= {"status": "failed", "errors": {"object": "list", "data": problems}}


def leave_line(custom_id: str, code: str, message: str) -> dict[str, Any]:
    """Make the line of a request that was never answered."""
    error = {"code": code, "message": message}
    return {"id": custom_id, "custom_id": custom_id, "response": None, "error": error}


def part_lines(lines: Iterable[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Part the lines of a batch into those of its output and those of its error file."""
    good, bad = [], []
    for line in lines:
        is_good = line["response"] is not None and line["response"]["status_code"] == 200
        (good if is_good else bad).append(line)
    return good, bad


def read_batch_file(content: bytes) -> tuple[list[tuple[str, dict]], list[dict[str, Any]]]:
    """Read the input file of a batch.

    Args:
        content: JSON Lines.

    Returns:
        `custom_id` and request of each line, and what is wrong with the file.
    """
    bodies: dict[str, dict] = {}
    problems: list[dict[str, Any]] = []
    for number, raw in enumerate(content.splitlines(), 1):
        try:
            line = json.loads(raw)
            name, body = line["custom_id"], line["body"]
            if (line["method"], line["url"]) != ("POST", ENDPOINT) or not isinstance(body, dict):
                raise ValueError(f"the request is not a POST of an object to {ENDPOINT}")
        except (ValueError, KeyError, TypeError) as error:
            problems.append(_describe_problem("invalid_json_line", number, f"not usable: {error}"))
            continue
        if name in bodies:
            problems.append(_describe_problem("duplicate_custom_id", number, f"{name!r} was there"))
        bodies[name] = body
    if not content.strip():
        problems.append(_describe_problem("empty_file", None, "The input file has no line."))
    return list(bodies.items()), problems


def _describe_problem(code: str, line: int | None, message: str) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": None}
