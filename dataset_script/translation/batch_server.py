"""The Batch API of a server: files, batches, and the lines of what it answers.

Failures that pass are waited out here. A batch whose creation has an unknown outcome is looked for
by its name before it is created again, since each one is paid for.
https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import openai
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion

from .batch_requests import ENDPOINT
from .client import Reply, read_completion, read_failure, send
from .failures import Answer, StopError, TransientError, UnknownError

NAME = "kemer_batch"  # key of a batch's metadata that holds our name for it
TRIES = 12  # of a call that fails and may succeed later: about seven minutes
TRIES_IN_SILENCE = 3  # if the server never answered anything
TRIES_OF_FILE = 3  # if lines of it cannot be read
BACKOFF = 1.0  # seconds before the second try; doubled for each after it
LONGEST_BACKOFF = 60.0
TICK = 0.2  # seconds after which a stop is noticed


@dataclass(frozen=True)
class Line:
    """What came of one request of a batch.

    Attributes:
        custom_id: of the request.
        answer: what came; None if the request was not answered.
        error: why it was not; None if it was.
    """

    custom_id: str
    answer: Answer | None
    error: TransientError | StopError | None


@dataclass
class Harvest:
    """What a batch gave.

    Attributes:
        lines: what can be read of its files.
        broken: which lines cannot, and why.
    """

    lines: list[Line] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class BatchServer:
    """A server that takes batches.

    Args:
        client: must not repeat requests by itself.
        backoff: seconds before the second try of a call.

    Attributes:
        is_stopping: whether nothing more is waited for.
    """

    def __init__(self, client: openai.AsyncOpenAI, *, backoff: float = BACKOFF) -> None:
        self.is_stopping = False
        self._client = client
        self._backoff = backoff
        self._has_answered = False

    async def upload(self, name: str, content: bytes) -> str:
        """Put an input file on the server.

        Args:
            name: of the batch.
            content: JSON Lines.

        Returns:
            The server's id of the file.

        Raises:
            RejectedError: if the server does not take it.
            TransientError: if it may later.
            StopError: if the server can do nothing for us.
        """
        file = (f"{name}.jsonl", content)
        try:
            uploaded = await self._call(
                lambda: self._client.files.create(file=file, purpose="batch"), FileObject
            )
        except UnknownError as error:
            raise StopError(
                f"The server has no Batch API ({error}); run the command without `--batch`."
            ) from error
        if not uploaded.id:
            raise TransientError("the answer to an upload is no file")
        return uploaded.id

    async def create(self, name: str, file: str) -> str:
        """Create a batch, once.

        Args:
            name: our own for it.
            file: the server's id of its input file.

        Returns:
            The server's id of the batch.

        Raises:
            RejectedError: if the server does not take it.
            TransientError: if nobody knows whether it did.
            StopError: if the server can do nothing for us.
        """
        tries = 0
        while True:
            call = self._client.batches.create(
                input_file_id=file,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={NAME: name},
            )
            try:
                batch = await send(call, Batch, client=self._client)
                if batch.id:
                    return batch.id
                raise TransientError("the answer is no batch", may_be_paid=True)
            except TransientError as error:
                tries += 1
                await self._wait(tries, error)
                if error.is_refusal:
                    continue
            try:
                found = await self.find([name])
            except StopError as error:
                raise TransientError(str(error)) from error
            if found:
                return found[name]

    async def find(self, names: Collection[str]) -> dict[str, str]:
        """Look for batches by our own names.

        Returns:
            The server's ids by name, of those that it has.
        """
        wanted = set(names)

        async def look() -> dict[str, str]:
            found: dict[str, str] = {}
            async for batch in self._client.batches.list(limit=100):
                name = (batch.metadata or {}).get(NAME)
                if name in wanted:
                    found[name] = batch.id
                    if len(found) == len(wanted):
                        break
            return found

        return await self._call(look, dict)

    async def retrieve(self, batch: str) -> Batch:
        """Ask how a batch is.

        Raises:
            StopError: if the server does not know it.
        """
        try:
            return await self._call(lambda: self._client.batches.retrieve(batch), Batch)
        except UnknownError as error:
            raise StopError(
                f"The server does not know batch {batch} of the store ({error}); use the key and "
                "the `--base-url` with which it was submitted."
            ) from error

    async def download(self, batch: Batch) -> Harvest:
        """Fetch what a batch gave, both of its files.

        Raises:
            TransientError: if what comes is no file of a batch.
            UnknownError: if the server has thrown its files away.
        """
        harvest = Harvest()
        for file in (batch.output_file_id, batch.error_file_id):
            if file:
                await self._read_file(file, harvest)
        return harvest

    async def pause(self, seconds: float) -> None:
        """Wait, for less long if the run is stopped meanwhile."""
        end = time.monotonic() + seconds
        while not self.is_stopping and (left := end - time.monotonic()) > 0:
            # A handler of signals does not wake the loop, so it has to look.
            await asyncio.sleep(min(TICK, left))

    async def _read_file(self, file: str, harvest: Harvest) -> None:
        """Read a file; again where it looks as if it came broken, as what it holds is paid for."""
        for tries in range(1, TRIES_OF_FILE + 1):
            content = await self._call(lambda: self._fetch(file), bytes)
            read = read_lines(content, file)
            if not read.broken:
                break
            if tries < TRIES_OF_FILE:
                await self.pause(self._backoff * 2 ** (tries - 1))
        if read.broken and not read.lines and not content.lstrip().startswith(b"{"):
            raise TransientError(f"{file} is no file of a batch: {read.broken[0]}")
        harvest.lines += read.lines
        harvest.broken += read.broken

    async def _fetch(self, file: str) -> bytes:
        return (await self._client.files.content(file)).content

    async def _call(self, call: Callable[[], Awaitable[object]], kind: type[Reply]) -> Reply:
        """Call until the server replies; what may not be repeated does not come here."""
        tries = 0
        while True:
            try:
                reply = await send(call(), kind, client=self._client)
            except TransientError as error:
                tries += 1
                await self._wait(tries, error)
            else:
                self._has_answered = True
                return reply

    async def _wait(self, tries: int, error: TransientError) -> None:
        """Wait before the next try; the error is raised if there is to be none."""
        if error.is_silent and not self._has_answered and tries >= TRIES_IN_SILENCE:
            raise StopError(
                f"The server does not answer: {error}; check `--base-url` and the network."
            ) from error
        if tries >= TRIES:
            raise error
        longest = min(LONGEST_BACKOFF, self._backoff * 2 ** (tries - 1))
        await self.pause(longest if error.wait is None else error.wait)
        if self.is_stopping:
            raise error


def read_lines(content: bytes, file: str) -> Harvest:
    """Read an output or error file, in whatever order it is.

    Args:
        content: JSON Lines.
        file: its name.
    """
    harvest = Harvest()
    for number, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            harvest.lines.append(_read_line(json.loads(raw)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            harvest.broken.append(f"line {number} of {file} ({error!r})")
    return harvest


def _read_line(line: dict) -> Line:
    custom_id = line["custom_id"]
    if not isinstance(custom_id, str):
        raise TypeError("the custom_id is no text")
    response = line.get("response")
    if response is None:  # never worked at: the batch expired or was cancelled before
        error = line["error"]
        message = error.get("message") or error["code"]
        return Line(custom_id, None, TransientError(str(message)))
    status, body = response["status_code"], response["body"]
    if status == 200:
        return Line(custom_id, read_completion(ChatCompletion.construct(**body)), None)
    details = body.get("error", body) if isinstance(body, dict) else None
    try:
        return Line(custom_id, Answer("", read_failure(status, details, {}), None), None)
    except (TransientError, StopError) as error:
        return Line(custom_id, None, error)
