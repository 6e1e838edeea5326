"""A server whose Batch API fails as servers do: on loopback, over real HTTP, by a script."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataset_script.sample.server import BatchJob, Reply

from .server import Fault, FaultyServer

Ending = Callable[["FaultyBatchServer", BatchJob], None]


@dataclass
class Call:
    """A call that fails `count` times; `is_done` says whether the server works all the same."""

    method: str
    place: str  # the end of the path
    reply: Reply
    count: int = 1
    is_done: bool = False


class FaultyBatchServer(FaultyServer):
    """Ends its batches by `endings`, one after another, and flawlessly after them.

    Args:
        faults: of single answers.
        endings: of batches.
        calls: that fail.
        polls: how often a batch is asked after before it ends.
    """

    def __init__(
        self,
        *faults: Fault,
        endings: tuple[Ending, ...] = (),
        calls: tuple[Call, ...] = (),
        polls: int = 1,
    ) -> None:
        super().__init__(*faults)
        self.paid: list[str] = []  # custom ids that were worked for
        self.polls = polls
        self._endings = list(endings)
        self.calls = list(calls)
        chat = self

        class Handler(self._server.RequestHandlerClass):
            def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
                call = chat.find_call(self.command, self.path)
                if call is None or call.is_done:
                    self.failing = call
                    super().do_POST()
                else:
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    self.failing = None
                    super()._send(call.reply)

            def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
                self.failing = chat.find_call(self.command, self.path)
                super().do_GET()

            def _send(self, reply: Reply) -> None:
                failing = getattr(self, "failing", None)
                super()._send(reply if failing is None else failing.reply)

        self._server.RequestHandlerClass = Handler

    def find_call(self, method: str, path: str) -> Call | None:
        for call in self.calls:
            if call.method == method and path.partition("?")[0].endswith(call.place) and call.count:
                call.count -= 1
                return call
        return None

    def poll(self, batch: BatchJob) -> dict[str, Any]:
        if batch.polls + 1 < self.polls:
            batch.polls += 1
            counts = {"completed": batch.polls, "failed": 0, "total": len(batch.bodies)}
            batch.facts |= {"status": "in_progress", "request_counts": counts}
            return batch.facts
        return super().poll(batch)

    def finish(self, batch: BatchJob) -> None:
        (self._endings.pop(0) if self._endings else completed())(self, batch)

    def do_line(self, custom_id: str, body: dict[str, Any]) -> dict[str, Any]:
        self.paid.append(custom_id)
        return super().do_line(custom_id, body)

    def end_raw(self, batch: BatchJob, lines: list[bytes]) -> None:
        """End a batch with an output file as it is."""
        self.end_batch(batch, "completed", [], [])
        batch.facts["output_file_id"] = self.add_file(b"\n".join(lines))["id"]


def completed() -> Ending:
    """All is answered, in another order."""
    return lambda server, batch: server.end_batch(
        batch, "completed", [server.do_line(*line) for line in batch.bodies][::-1], []
    )


def ended_early(status: str, *, code: str, after: int = 1) -> Ending:
    """The first lines are answered, the others come with an error, in another file."""

    def end(server: FaultyBatchServer, batch: BatchJob) -> None:
        done, left = batch.bodies[:after], batch.bodies[after:]
        error = {"code": code, "message": "This request could not be executed in time."}
        errors = [{"id": i, "custom_id": i, "response": None, "error": error} for i, _ in left]
        server.end_batch(batch, status, [server.do_line(*line) for line in done], errors)

    return end


def failed(message: str, *, code: str = "invalid_json_line", line: int | None = None) -> Ending:
    """Nothing is answered."""

    def end(server: FaultyBatchServer, batch: BatchJob) -> None:
        error = {"code": code, "message": message, "line": line, "param": None}
        batch.facts |= {"status": "failed", "errors": {"object": "list", "data": [error]}}

    return end


def broken(spoil: Callable[[list[bytes]], list[bytes]]) -> Ending:
    """All is worked for, and the output file is spoilt."""

    def end(server: FaultyBatchServer, batch: BatchJob) -> None:
        lines = [json.dumps(server.do_line(*line)).encode() for line in batch.bodies]
        server.end_raw(batch, spoil(lines))

    return end


def with_status(
    custom_place: int, status: int, error: dict[str, Any], *, in_errors: bool
) -> Ending:
    """One line fails by its own HTTP status, in the output file or the error file."""

    def end(server: FaultyBatchServer, batch: BatchJob) -> None:
        custom_id, _ = batch.bodies[custom_place]
        response = {"status_code": status, "request_id": "r", "body": {"error": error}}
        bad = {"id": custom_id, "custom_id": custom_id, "response": response, "error": None}
        good = [server.do_line(*line) for n, line in enumerate(batch.bodies) if n != custom_place]
        lines, errors = (good, [bad]) if in_errors else ([bad, *good], [])
        server.end_batch(batch, "completed", lines, errors)

    return end
