"""A server on loopback that answers like a chat model: `python -m dataset_script sample --serve`.

It translates the lines of the sample corpora by their lexicon, so that the translation command can
be tried, and measured, without a key, money or a network. Nothing it says is a model's work: a line
that means several things is rendered by what the dialogue in the message states before it, the same
rule as in `translator`, and a line of anything else is refused.

`ChatServer` is the HTTP of it, for any function that answers: chat completions, files and batches,
as far as the `openai` client needs them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .lexicon import Lexicon
from .parameters import Parameters
from .scripts import ENDINGS, translate_lead
from .translator import translate_dialogue

LETTERS_PER_TOKEN = 4  # invented: what usage is made of
FRAMES = ("Well, {}", "You know, {}", "I mean, {}", "Look, {}", "So, {}", "Right, {}")
BACKLOG = 1024  # connections that may wait


@dataclass(frozen=True)
class Reply:
    """What the server sends.

    Attributes:
        body: an object, sent as JSON, or bytes as they are.
        status: HTTP status.
        headers: further ones.
        delay: seconds before it.
        cut: close the connection in place of an answer.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


def complete(content: str, body: dict[str, Any], **choice: Any) -> Reply:
    """Make a chat completion.

    Args:
        content: text of the answer.
        body: the request, for model and usage.
        choice: `finish_reason` or `refusal`, if they are not the usual ones.
    """
    read = sum(len(message["content"]) for message in body["messages"]) // LETTERS_PER_TOKEN + 1
    written = len(content) // LETTERS_PER_TOKEN + 1
    message = {"role": "assistant", "content": content, "refusal": choice.get("refusal")}
    return Reply(
        {
            "id": "chatcmpl-sample",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": choice.get("finish_reason", "stop"),
                }
            ],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
            },
        }
    )


def fail(status: int, message: str, *, code: str | None = None, **headers: str) -> Reply:
    """Make an error as OpenAI's servers do; `_` in a header's name stands for `-`."""
    error = {"message": message, "type": code, "param": None, "code": code}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": error}, status, names)


@dataclass
class BatchJob:
    """A batch on the server.

    Attributes:
        facts: what the server says of it.
        bodies: `custom_id` and request of each line.
        polls: how often it was asked after.
    """

    facts: dict[str, Any]
    bodies: list[tuple[str, dict[str, Any]]]
    polls: int = 0


class ChatServer:
    """A real server on 127.0.0.1; use it in a `with` statement.

    Args:
        answer: gives the reply to the arguments of a chat completion.
        port: 0 takes a free one.
        delay: seconds before every answer.

    Attributes:
        requests: the arguments of every chat completion, in the order of their coming.
        most_at_once: the most that were being answered at one time.
        files: contents by file id.
        batches: by batch id.
    """

    def __init__(
        self, answer: Callable[[dict[str, Any]], Reply], *, port: int = 0, delay: float = 0.0
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.most_at_once = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, BatchJob] = {}
        self._answer = answer
        self._delay = delay
        self._now = 0
        self._lock = threading.Lock()
        chat = self

        class Handler(_Handler):
            server_of_chat = chat

        class Server(ThreadingHTTPServer):
            request_queue_size = BACKLOG
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Say nothing of clients that are gone."""

        self._server = Server(("127.0.0.1", port), Handler)

    @property
    def base_url(self) -> str:
        """What the `openai` client takes as `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        """Serve until the `with` ends."""
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End serving."""
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve in this thread."""
        self._server.serve_forever(poll_interval=0.05)

    def answer_chat(self, body: dict[str, Any]) -> Reply:
        """Answer one chat completion and count it."""
        with self._lock:
            self.requests.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            time.sleep(self._delay)
            return self._answer(body)
        finally:
            with self._lock:
                self._now -= 1

    def add_file(self, content: bytes) -> dict[str, Any]:
        """Keep a file; what the server says of it."""
        with self._lock:
            name = f"file-{len(self.files) + 1}"
            self.files[name] = content
        return _describe_file(name, content)

    def add_batch(self, order: dict[str, Any]) -> dict[str, Any]:
        """Take a batch."""
        lines = self.files[order["input_file_id"]].decode().splitlines()
        rows = [json.loads(line) for line in lines]
        with self._lock:
            facts = {
                "id": f"batch_{len(self.batches) + 1}",
                "object": "batch",
                "endpoint": order["endpoint"],
                "completion_window": order["completion_window"],
                "created_at": 0,
                "input_file_id": order["input_file_id"],
                "metadata": order.get("metadata"),
                "status": "validating",
            }
            bodies = [(row["custom_id"], row["body"]) for row in rows]
            self.batches[facts["id"]] = BatchJob(facts, bodies)
        return facts

    def poll(self, batch: BatchJob) -> dict[str, Any]:
        """Say how a batch stands; the first poll does all of it."""
        batch.polls += 1
        if batch.facts["status"] in ("validating", "in_progress"):
            self.finish(batch)
        return batch.facts

    def finish(self, batch: BatchJob) -> None:
        """Do a batch: every line is answered, in order."""
        self.end_batch(batch, "completed", [self.do_line(*line) for line in batch.bodies], [])

    def do_line(self, custom_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one line of a batch."""
        reply = self.answer_chat(body)
        response = {"status_code": reply.status, "request_id": custom_id, "body": reply.body}
        return {"id": custom_id, "custom_id": custom_id, "response": response, "error": None}

    def end_batch(
        self, batch: BatchJob, status: str, lines: Iterable[Any], errors: Iterable[Any]
    ) -> None:
        """Give a batch its end and its files."""
        batch.facts["status"] = status
        for key, rows in (("output_file_id", list(lines)), ("error_file_id", list(errors))):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            batch.facts[key] = self.add_file(text.encode())["id"] if rows else None


def _describe_file(name: str, content: bytes) -> dict[str, Any]:
    return {
        "id": name,
        "object": "file",
        "bytes": len(content),
        "created_at": 0,
        "filename": f"{name}.jsonl",
        "purpose": "batch",
        "status": "processed",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_of_chat: ChatServer

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        chat, parts = self.server_of_chat, urlsplit(self.path).path.strip("/").split("/")[1:]
        match parts:
            case ["models"]:
                self._send(Reply({"object": "list", "data": [{"id": "sample", "object": "model"}]}))
            case ["files", name, "content"] if name in chat.files:
                self._send(Reply(chat.files[name]))
            case ["batches", name] if name in chat.batches:
                self._send(Reply(chat.poll(chat.batches[name])))
            case ["batches"]:
                self._send(Reply(self._list_batches()))
            case _:
                self._send(fail(404, f"no such thing: {self.path}"))

    def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chat, parts = self.server_of_chat, urlsplit(self.path).path.strip("/").split("/")[1:]
        match parts:
            case ["chat", "completions"]:
                self._send(chat.answer_chat(json.loads(content)))
            case ["files"]:
                self._send(Reply(chat.add_file(self._read_upload(content))))
            case ["batches"]:
                self._send(Reply(chat.add_batch(json.loads(content))))
            case ["batches", name, "cancel"] if name in chat.batches:
                chat.batches[name].facts["status"] = "cancelled"
                self._send(Reply(chat.batches[name].facts))
            case _:
                self._send(fail(404, f"no such thing: {self.path}"))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _list_batches(self) -> dict[str, Any]:
        """One page, the newest first."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        facts = [batch.facts for batch in self.server_of_chat.batches.values()][::-1]
        names = [fact["id"] for fact in facts]
        start = names.index(query["after"]) + 1 if "after" in query else 0
        page = facts[start : start + int(query.get("limit", 20))]
        has_more = start + len(page) < len(facts)
        return {"object": "list", "data": page, "has_more": has_more}

    def _read_upload(self, content: bytes) -> bytes:
        """The file in a form."""
        header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser().parsebytes(header + content)
        part = next(p for p in form.walk() if p.get_filename())
        return part.get_payload(decode=True)

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.delay)
        if reply.cut:
            self.close_connection = True
            return
        is_raw = isinstance(reply.body, bytes)
        content = reply.body if is_raw else json.dumps(reply.body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **reply.headers}
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class SampleTranslator:
    """Answers the translation command for the lines of a lexicon.

    Args:
        lexicon: the lines of the sample corpus.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._cue_window = Parameters().cue_window

    def __call__(self, body: dict[str, Any]) -> Reply:
        """Answer one chat completion; a function of its message alone."""
        try:
            message = json.loads(body["messages"][-1]["content"])
            if "variants" in message:
                answer = {"variants": self._vary(message)}
            else:
                answer = {"translations": self._translate(message)}
        except (ValueError, KeyError, TypeError) as error:
            return fail(400, f"not a dialogue of the sample corpus: {error}", code="invalid_value")
        return complete(json.dumps(answer, ensure_ascii=False), body)

    def _translate(self, message: dict[str, Any]) -> list[dict[str, str]]:
        before, targets = message["context_before"], message["targets"]
        turns = [*before, *targets]
        parted = [_part(turn["text_ko"]) for turn in turns]
        lines = [line for _, line in parted]
        renderings = translate_dialogue(self._lexicon, lines, cue_window=self._cue_window)
        return [
            {"id": turn["id"], "text_en": f"{lead} {rendering.contextual}".strip()}
            for turn, (lead, _), rendering in list(zip(turns, parted, renderings, strict=True))[
                len(before) :
            ]
        ]

    def _vary(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Wordings that differ by how they begin, as many as there are beginnings."""
        frames = FRAMES[: message["variants"]]
        return [
            {"id": turn["id"], "texts": [frame.format(turn["text_en"]) for frame in frames]}
            for turn in message["targets"]
        ]


def _part(text: str) -> tuple[str, str]:
    """The English of a line's lead, "" if it has none, and the line."""
    words = text.split()
    for place, word in enumerate(words):
        if word in ENDINGS:
            return translate_lead(tuple(words[: place + 1])), " ".join(words[place + 1 :])
    return "", text
