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
import socket
import sys
import threading
import time
from collections.abc import Callable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .batch_jobs import BatchDesk, BatchJob
from .lexicon import Lexicon
from .parameters import Parameters
from .replies import Reply, complete, fail
from .scripts import ENDINGS, translate_lead
from .translator import translate_dialogue

__all__ = ["BatchJob", "ChatServer", "Reply", "SampleTranslator", "complete", "fail"]

FRAMES = ("Well, {}", "You know, {}", "I mean, {}", "Look, {}", "So, {}", "Right, {}")
"""Invented: how variants begin, which a sample corpus has no other wordings for."""
BACKLOG = 1024  # connections that may wait
PORTS = 65536


class ChatServer(BatchDesk):
    """A real server on 127.0.0.1; use it in a `with` statement.

    Args:
        answer: gives the reply to the arguments of a chat completion.
        port: 0 takes a free one.
        delay: seconds before every answer but those of a batch.

    Attributes:
        delay: may be changed while it serves.
        requests: the arguments of every chat completion, in the order of their coming.
        times: when each of them came, in seconds of `time.monotonic`.
        most_at_once: the most that were being answered at one time.
        files: contents by file id.
        batches: by batch id.

    Raises:
        ValueError: if there is no such port.
        OSError: if the port is taken.
    """

    def __init__(
        self, answer: Callable[[dict[str, Any]], Reply], *, port: int = 0, delay: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= port < PORTS:
            raise ValueError(f"`port` is {port}; it must be between 0 (any) and {PORTS - 1}.")
        self.delay = delay
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._answer = answer
        self._now = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.chat = self

    @property
    def base_url(self) -> str:
        """What the `openai` client takes as `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        """Serve until the `with` ends."""
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End serving; clients that are still connected are cut off."""
        self._server.shutdown()
        self.close()

    def serve(self) -> None:
        """Serve in this thread."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Give the port back, and cut off whoever is connected."""
        self._server.server_close()
        self._server.cut_connections()

    def answer_chat(self, body: dict[str, Any]) -> Reply:
        """Answer one chat completion and count it."""
        with self._lock:
            self._note(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            time.sleep(self.delay)
            return self._answer(body)
        finally:
            with self._lock:
                self._now -= 1

    def answer_line(self, body: dict[str, Any]) -> Reply:
        """Answer one chat completion of a batch, at once."""
        with self._lock:
            self._note(body)
        return self._answer(body)

    def _note(self, body: dict[str, Any]) -> None:
        self.requests.append(body)
        self.times.append(time.monotonic())


class _Server(ThreadingHTTPServer):
    """Keeps what is connected, so that the end of a server is one for its clients too."""

    request_queue_size = BACKLOG
    daemon_threads = True
    chat: ChatServer

    def __init__(self, *arguments: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(*arguments)

    def process_request(self, request: socket.socket, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the client was faster
                    continue

    def handle_error(self, *arguments: Any) -> None:
        """Say nothing of clients that are gone; a fault of ours is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        self._answer(self._get)

    def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
        self._answer(self._post)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, make: Callable[[list[str]], Reply]) -> None:
        """Answer what is asked for under `/v1`; what cannot be done is an error of the client."""
        first, *parts = urlsplit(self.path).path.strip("/").split("/")
        try:
            reply = make(parts if first == "v1" else [])
        except _BadRequestError as error:
            reply = fail(400, str(error), code="invalid_value")
        self._send(reply)

    def _get(self, parts: list[str]) -> Reply:
        chat = self.server.chat
        match parts:
            case ["models"]:
                model = {"id": "sample", "object": "model", "created": 0, "owned_by": "sample"}
                return Reply({"object": "list", "data": [model]})
            case ["files", name, "content"] if name in chat.files:
                return Reply(chat.files[name], headers={"Content-Type": "application/jsonl"})
            case ["batches", name] if name in chat.batches:
                return Reply(chat.poll(chat.batches[name]))
            case ["batches"]:
                query = dict(parse_qsl(urlsplit(self.path).query))
                return Reply(_obey(_list_batches, chat, query))
        return fail(404, f"no such thing: {self.path}")

    def _post(self, parts: list[str]) -> Reply:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chat = self.server.chat
        match parts:
            case ["chat", "completions"]:
                return chat.answer_chat(_obey(_read_chat, content))
            case ["files"]:
                return Reply(chat.add_file(_obey(self._read_upload, content)))
            case ["batches"]:
                return Reply(_obey(chat.add_batch, _obey(_read_object, content)))
            case ["batches", name, "cancel"] if name in chat.batches:
                return Reply(_obey(chat.cancel, chat.batches[name]))
        return fail(404, f"no such thing: {self.path}")

    def _read_upload(self, content: bytes) -> bytes:
        """Read the file in a form."""
        header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = list(BytesParser().parsebytes(header + content).walk())
        files = [part for part in parts if part.get_filename()]
        fields = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in parts
        }
        if not files or fields.get("purpose") != b"batch":
            raise ValueError("A form with a `file` and the `purpose` 'batch' is needed.")
        return files[0].get_payload(decode=True)

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


class _BadRequestError(Exception):
    """A client asks for what cannot be done."""


def _obey(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what reads a client's wish; a `ValueError` is then the client's."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise _BadRequestError(str(error)) from error


def _list_batches(chat: ChatServer, query: dict[str, str]) -> dict[str, Any]:
    limit = {"limit": int(query["limit"])} if "limit" in query else {}
    return chat.list_batches(after=query.get("after"), **limit)


def _read_object(content: bytes) -> dict[str, Any]:
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError(f"The request is {value!r} where an object is needed.")
    return value


def _read_chat(content: bytes) -> dict[str, Any]:
    body = _read_object(content)
    messages = body.get("messages")
    if not isinstance(body.get("model"), str):
        raise ValueError(f"`model` is {body.get('model')!r}; a name is needed.")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise ValueError(f"`messages` is {messages!r}; a list of objects is needed.")
    if body.get("stream"):
        raise ValueError("`stream` is true; this server answers at once.")
    return body


class SampleTranslator:
    """Answers the translation command for the lines of a lexicon.

    Args:
        lexicon: the lines of the sample corpus.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._lines = {line.ko for line in (*lexicon.plain_lines(), *lexicon.ambiguous)}
        self._cue_window = Parameters().cue_window

    def __call__(self, body: dict[str, Any]) -> Reply:
        """Answer one chat completion; a function of its last message alone."""
        try:
            message = json.loads(body["messages"][-1]["content"])
            if "variants" in message:
                answer = {"variants": self._vary(message)}
            else:
                answer = {"translations": self._translate(message)}
        except (LookupError, TypeError) as error:
            return _refuse(f"the message has no {error}")
        except ValueError as error:
            return _refuse(str(error))
        return complete(json.dumps(answer, ensure_ascii=False), body)

    def _translate(self, message: dict[str, Any]) -> list[dict[str, str]]:
        """Translate with what stands before each target; what stands after decides nothing."""
        before, targets = message["context_before"], message["targets"]
        parted = [self._part(turn["text_ko"]) for turn in (*before, *targets)]
        lines = [line for _, line in parted]
        renderings = translate_dialogue(self._lexicon, lines, cue_window=self._cue_window)
        return [
            {"id": turn["id"], "text_en": f"{lead}{rendering.contextual}"}
            for turn, (lead, _), rendering in zip(
                targets, parted[len(before) :], renderings[len(before) :], strict=True
            )
        ]

    def _part(self, text: str) -> tuple[str, str]:
        """Return the English of a line's lead with the space after it, or "", and the line."""
        words = text.split(" ")
        ends = [place for place, word in enumerate(words) if word in ENDINGS]
        if text in self._lines or not ends:
            return "", text
        lead, line = words[: ends[0] + 1], " ".join(words[ends[0] + 1 :])
        try:
            return translate_lead(tuple(lead)) + " ", line
        except KeyError as error:
            raise ValueError(f"{text!r} begins with a word that is not known: {error}") from error

    def _vary(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Wordings that differ by how they begin."""
        count = message["variants"]
        if type(count) is not int or count < 1:
            raise ValueError(f"`variants` is {count!r}; it must be 1 or more")
        return [
            {"id": turn["id"], "texts": [_frame(turn["text_en"], n) for n in range(count)]}
            for turn in message["targets"]
        ]


def _frame(text: str, number: int) -> str:
    """Let a text begin in the way of this number; no two numbers have one in common."""
    while number >= 0:
        number, place = divmod(number, len(FRAMES))
        text = FRAMES[place].format(text)
        number -= 1
    return text


def _refuse(why: str) -> Reply:
    return fail(400, f"not a dialogue of the sample corpus: {why}", code="invalid_value")
