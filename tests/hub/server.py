"""A Hub on loopback, for tests alone: what the clients of Hugging Face ask of the real one.

The clients are real; only the far end is ours. It answers what huggingface_hub, transformers,
datasets and evaluate call to push and to load, keeps everything in memory, and makes the faults of
`faults`. Large files are served from another host name, as the real Hub's are.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.hub.endpoints import ROUTES, Answer, HubEndpoints, refuse
from tests.hub.faults import Fault, Faults
from tests.hub.store import HubStore, Repository


class LoopbackHub:
    """The Hub, from `with LoopbackHub() as hub` to its end.

    Attributes:
        store: what it holds.
        faults: those that are still to come.
        requests: method and path of each request.
    """

    def __init__(self) -> None:
        self.store, self.faults = HubStore(), Faults()
        self.requests: list[tuple[str, str]] = []
        hub = self

        class Handler(HubHandler):
            """The handler of this Hub."""

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Its port on loopback."""
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        """What `HF_ENDPOINT` has to be."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, method: str, path: str, **fault: Any) -> None:
        """Let requests fail from now on; see `Fault`."""
        self.faults.add(Fault(method, path, **fault))

    def repository(self, kind: str, name: str) -> Repository:
        """Return a repository that is there."""
        found = self.store.get(kind, name)
        assert found is not None, f"there is no {kind} {name}"
        return found


class HubHandler(HubEndpoints, BaseHTTPRequestHandler):
    """Answers one connection after another; `ROUTES` says what is answered by which method."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing; `requests` of the Hub has it."""

    def do_GET(self) -> None:  # noqa: N802 (the library's name, and those below)
        """Answer a GET."""
        self._answer("GET")

    def do_HEAD(self) -> None:  # noqa: N802
        """Answer a HEAD."""
        self._answer("HEAD")

    def do_POST(self) -> None:  # noqa: N802
        """Answer a POST."""
        self._answer("POST")

    def do_PUT(self) -> None:  # noqa: N802
        """Answer a PUT."""
        self._answer("PUT")

    def do_DELETE(self) -> None:  # noqa: N802
        """Answer a DELETE."""
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.store, self.endpoint, self.port = self.hub.store, self.hub.endpoint, self.hub.port
        self.hub.requests.append((method, path))
        fault = self.hub.faults.strike(method, path)
        if fault is not None and fault.held is not None:
            fault.held.wait()
        if fault is not None and fault.status:
            answer = Answer(fault.status, {"error": "a fault of the test"})
            answer.headers |= dict(fault.headers)
            return self._send(method, answer)
        if fault is not None and not fault.is_done:
            return self._break_off()
        try:
            with self.hub.store.lock:
                self._route(method, path)
            raise refuse(404, "EntryNotFound", f"nothing answers {method} {path}")
        except Answer as answer:
            self._send(method, answer, cut=None if fault is None else fault.bytes_sent)

    def _send(self, method: str, answer: Answer, *, cut: int | None = None) -> None:
        self.send_response(answer.status)
        answer.headers.setdefault("Content-Length", str(len(answer.content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if method != "HEAD":
            self.wfile.write(answer.content if cut is None else answer.content[:cut])
        if cut is not None:
            self.wfile.flush()
            self._break_off()

    def _break_off(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # a client that was killed is gone already
            self.connection.shutdown(socket.SHUT_RDWR)

    def _route(self, method: str, path: str) -> None:
        for of_method, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method in of_method.split():
                getattr(self, name)(**{k: v for k, v in found.groupdict().items() if v is not None})
