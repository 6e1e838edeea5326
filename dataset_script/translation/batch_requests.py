"""The requests of a batch: which are due, how many go together, and which one an id stands for.

A batch outlives the process that submitted it. All that comes back with an answer is the id of its
request, which is made of the request's key: whoever has the same corpus and options finds out by
making the keys of all requests that there could have been.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .chain import Chain, Standing
from .dialogues import Dialogue
from .jobs import Job, Request, key_of_request, make_request
from .options import TranslationOptions
from .prices import Budget

ENDPOINT = "/v1/chat/completions"
MOST_REQUESTS = 5_000  # of one batch; the API takes 50,000
MOST_BYTES = 50_000_000  # of one input file; the API takes 200 MB
LONGEST_WINDOW = 20  # utterances of a request that was made with other `targets`, at most
TRIES = 3  # submissions of a request that is never answered


@dataclass(frozen=True)
class Entry:
    """One request of a batch.

    Attributes:
        request: what is asked.
        attempt: 0 for the first time, and for each time alone one more.
        fault: what was wrong with the answer before; None for the first time.
    """

    request: Request
    attempt: int = 0
    fault: str | None = None

    @property
    def custom_id(self) -> str:
        """What the server gives back with the answer."""
        return f"{self.request.key}-{self.attempt}"

    def to_body(self, options: TranslationOptions) -> dict[str, Any]:
        """Return the arguments of the chat completion."""
        return self.request.to_body(options, fault=self.fault)


@dataclass
class Chunk:
    """What one batch holds.

    Attributes:
        entries: by custom id.
        promised: by custom id, US dollars that were set aside.
        lines: of the input file.
        size: bytes of them.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    promised: dict[str, float] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0

    @property
    def content(self) -> bytes:
        """The input file."""
        return b"".join(self.lines)


class Tries:
    """What was asked for in vain in this run, by job."""

    def __init__(self) -> None:
        self._faults: dict[str, tuple[int, str]] = {}
        self._losses: dict[str, int] = {}

    def note_fault(self, job: Job, attempt: int, fault: str) -> None:
        """Remember what was wrong with the answer to an attempt."""
        self._faults[job.key] = (attempt, fault)

    def note_loss(self, job: Job) -> bool:
        """Count a request that was not answered; whether that happened too often."""
        self._losses[job.key] = self._losses.get(job.key, 0) + 1
        return self._losses[job.key] >= TRIES

    def next_attempt(self, job: Job) -> tuple[int, str] | None:
        """Return the number of the next attempt and the last fault; None before the first."""
        known = self._faults.get(job.key)
        return None if known is None else (known[0] + 1, known[1])


def list_entries(
    chain: Chain, dialogues: Iterable[Dialogue], step: str, tries: Tries
) -> Iterator[Entry]:
    """Say what is due of a step: windows at first, and alone what an answer did not give.

    Args:
        chain: knows what is missing.
        dialogues: the dialogues.
        step: name of one of `prompts.PROMPTS`.
        tries: what was asked for in vain.

    Yields:
        Entries in which no job occurs twice.
    """
    taken: set[str] = set()
    for dialogue in dialogues:
        standing = chain.look_up(dialogue)
        jobs = [job for job in chain.pending(standing, step) if job.key not in taken]
        taken.update(job.key for job in jobs)
        new = [job for job in jobs if tries.next_attempt(job) is None]
        for request in chain.requests(standing, new):
            yield Entry(request)
        for job in jobs:
            known = tries.next_attempt(job)
            if known is not None:
                yield Entry(chain.alone(standing, job), *known)


class Packer:
    """Divides entries into chunks that the server takes and the budget bears.

    Args:
        options: form of the requests.
        budget: what may be spent.
        most_requests: of one chunk.
        most_bytes: of one chunk.

    Attributes:
        is_short: whether the budget did not suffice for all.
    """

    def __init__(
        self, options: TranslationOptions, budget: Budget, *, most_requests: int, most_bytes: int
    ) -> None:
        self.is_short = False
        self._options = options
        self._budget = budget
        self._most_requests = most_requests
        self._most_bytes = most_bytes

    def pack(self, entries: Iterable[Entry]) -> Iterator[Chunk]:
        """Yield chunks; the money for each is set aside when it comes."""
        chunk = Chunk()
        for entry in entries:
            body = entry.to_body(self._options)
            line = _write_line(entry.custom_id, body)
            is_full = len(chunk.lines) >= self._most_requests
            if chunk.lines and (is_full or chunk.size + len(line) > self._most_bytes):
                yield chunk
                chunk = Chunk()
            promised = self._budget.promise(body)
            if promised is None:
                self.is_short = True
                break
            chunk.entries[entry.custom_id] = entry
            chunk.promised[entry.custom_id] = promised
            chunk.lines.append(line)
            chunk.size += len(line)
        if chunk.lines:
            yield chunk


def find_entries(
    chain: Chain,
    dialogues: Iterable[Dialogue],
    options: TranslationOptions,
    custom_ids: Collection[str],
) -> dict[str, Entry]:
    """Find the requests that a process before this one made.

    Args:
        chain: sees the store as that process did.
        dialogues: the dialogues.
        options: the steps, and the usual length of a window.
        custom_ids: what came back.

    Returns:
        By custom id; those are missing that no request of this corpus and these options has.
    """
    wanted = {custom_id.rpartition("-")[0] for custom_id in custom_ids}
    requests: dict[str, Request] = {}
    for dialogue in dialogues:
        if len(requests) == len(wanted):
            break
        standing = chain.look_up(dialogue)
        for step in options.steps:
            for jobs in _list_windows(standing, step, options):
                key = key_of_request(step, jobs)
                if key in wanted and key not in requests:
                    given = standing.given[step]
                    requests[key] = make_request(dialogue, jobs, options, given=given)
    entries = {}
    for custom_id in custom_ids:
        key, _, attempt = custom_id.rpartition("-")
        if key in requests and attempt.isdecimal():
            entries[custom_id] = Entry(requests[key], int(attempt))
    return entries


def _list_windows(
    standing: Standing, step: str, options: TranslationOptions
) -> Iterator[list[Job]]:
    """All jobs of consecutive turns that one request can have asked for."""
    jobs = standing.jobs[step]
    longest = max(LONGEST_WINDOW, options.context.targets)
    for first in range(len(jobs)):
        for end in range(first + 1, min(len(jobs), first + longest) + 1):
            if jobs[end - 1] is None:
                break
            yield jobs[first:end]


def _write_line(custom_id: str, body: dict[str, Any]) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line).encode() + b"\n"  # in ASCII: some servers take U+2028 for an end
