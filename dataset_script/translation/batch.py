"""The same work through the Batch API: half the price, within a day, and in rounds.

A round submits all that is due, in chunks, waits until every batch has ended and collects what they
gave; what an answer did not give is due again in the next round, alone. A batch goes on when this
process does not: its name is in the store before it is created, so that the next run finds it,
collects it first, and submits nothing a second time. What a batch gave, what it cost and that it is
collected are kept in one transaction, so that nothing is counted twice either.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .answers import Settled, refuse
from .batch_requests import (
    MOST_BYTES,
    MOST_REQUESTS,
    Chunk,
    Entry,
    Packer,
    Tries,
    find_entries,
    list_entries,
)
from .chain import Chain
from .dialogues import Dialogue
from .failures import RejectedError, StopError, TransientError, UnknownError
from .ledger import Ledger
from .options import TranslationOptions
from .prices import Budget
from .store import BatchEvent, Paid, Store, now

if TYPE_CHECKING:  # the client takes a second to import
    from openai.types import Batch

    from .batch_server import BatchServer, Harvest, Line

POLL = 60.0  # seconds between two looks at a batch
ENDED = ("completed", "failed", "expired", "cancelled")
TOO_MANY_TOKENS = "token_limit_exceeded"  # of all batches of an account together

Dialogues = Callable[[], Iterable[Dialogue]]


@dataclass
class _OpenBatch:
    """A batch at the server; one of an earlier run comes without its requests."""

    event: BatchEvent
    chunk: Chunk | None = None
    answered: int = 0
    total: int = 0


@dataclass
class _Yield:
    """What is to be kept of a batch."""

    settled: list[Settled] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # custom ids
    unpaid: set[str] = field(default_factory=set)  # those that the server did not work for
    unknown: int = 0


class BatchRun:
    """Asks for what is missing, step by step and round by round.

    Args:
        options: what to ask.
        store: takes what is answered, and which batches are open.
        chain: knows what is missing.
        budget: what may be spent.
        run: name of this run.
        on_settled: called with how many utterances were translated and how many were given up.
        on_waiting: called before each wait, with what is waited for.
        poll: seconds between two looks at the batches.
        most_requests: of one batch.
        most_bytes: of one input file.

    Attributes:
        stopped: why the run stopped before its end; None if it did not.
        lost_money: requests that the server may have been paid for without an answer.
        notes: what a person should know of the answers.
    """

    def __init__(
        self,
        options: TranslationOptions,
        store: Store,
        chain: Chain,
        *,
        budget: Budget,
        run: str,
        on_settled: Callable[[int, int], None] = lambda good, bad: None,
        on_waiting: Callable[[str], None] = lambda reason: None,
        poll: float = POLL,
        most_requests: int = MOST_REQUESTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.stopped: str | None = None
        self.lost_money = 0
        self.notes: list[str] = []
        self._options = options
        self._store = store
        self._chain = chain
        self._budget = budget
        self._run = run
        self._ledger = Ledger(options, store, budget=budget, run=run, on_settled=on_settled)
        self._on_waiting = on_waiting
        self._poll = poll
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._server: BatchServer | None = None
        self._tries = Tries()
        self._open: dict[str, _OpenBatch] = {}  # by name

    def stop(self, reason: str) -> None:
        """Submit and wait for nothing more; what is at the server goes on there."""
        self.stopped = self.stopped or reason
        if self._server is not None:
            self._server.is_stopping = True

    async def translate(self, dialogues: Dialogues, *, server: BatchServer) -> None:
        """Ask for every step of every dialogue.

        Args:
            dialogues: gives them, each time anew.
            server: takes the batches.
        """
        self._server = server
        try:
            await self._adopt()
            await self._collect_all(dialogues)
            for step in self._options.steps:
                while self.stopped is None and await self._take_round(dialogues, step):
                    pass
        except StopError as error:
            self.stop(str(error))
        except TransientError as error:
            self.stop(f"The server gives no answer: {error}; run the command again later.")
        opened = self._store.open_batches()
        if self.stopped is not None and opened:
            self.stopped += (
                f" At the server {len(opened)} of our batches go on; run the command again with "
                "`--batch` to collect them."
            )

    async def _adopt(self) -> None:
        """Take up the batches of earlier runs."""
        events = self._store.open_batches()
        names = {event.name for event in events if event.batch is None}
        found = await self._server.find(names) if names else {}
        if found.keys() != names:  # what was sent last may not be there at once
            self._on_waiting("looking for a batch")
            await self._server.pause(self._poll)
            if self.stopped is not None:
                return
            found = await self._server.find(names)
        for event in events:
            if event.batch is None and event.name not in found:
                self._end(event, "failed: the server never got it")
                continue
            if event.batch is None:
                event = replace(event, batch=found[event.name], state="submitted", time=now())
                self._store.add_batch(event)
            self._open[event.name] = _OpenBatch(event)

    async def _take_round(self, dialogues: Dialogues, step: str) -> bool:
        """Submit and collect what is due of a step; whether anything was."""
        packer = Packer(
            self._options,
            self._budget,
            most_requests=self._most_requests,
            most_bytes=self._most_bytes,
        )
        entries = list_entries(self._chain, dialogues(), step, self._tries)
        for chunk in packer.pack(entries):
            if self.stopped is not None:
                self._release(chunk)
                return False
            await self._submit(chunk)
        if packer.is_short and not self._open:
            self.stop(self._budget.refusal)
        was_due = bool(self._open)
        await self._collect_all(dialogues)
        return was_due

    async def _submit(self, chunk: Chunk) -> None:
        """Create a batch; that it may exist is in the store before it does."""
        name = f"{self._run}-{uuid.uuid4().hex[:12]}"
        event = BatchEvent(name, None, "submitting", self._run, now())
        try:
            file = await self._server.upload(name, chunk.content)
            self._store.add_batch(event)
            batch = await self._server.create(name, file)
        except (RejectedError, StopError) as error:
            self._release(chunk)
            self._end(event, f"failed: {error}")
            raise StopError(str(error)) from error
        event = replace(event, batch=batch, state="submitted", time=now())
        self._store.add_batch(event)
        self._open[name] = _OpenBatch(event, chunk, total=len(chunk.entries))

    async def _collect_all(self, dialogues: Dialogues) -> None:
        """Wait until every open batch has ended, and keep what each gave."""
        while self._open and self.stopped is None:
            for name, opened in list(self._open.items()):
                batch = await self._server.retrieve(opened.event.batch)
                if batch.status in ENDED:
                    await self._collect(opened, batch, dialogues)
                    del self._open[name]
                elif batch.request_counts is not None:
                    opened.answered = batch.request_counts.completed
                    opened.total = batch.request_counts.total or opened.total
            if self._open and self.stopped is None:
                answered = sum(opened.answered for opened in self._open.values())
                total = sum(opened.total for opened in self._open.values())
                self._on_waiting(
                    f"{answered:,} of {total:,} requests answered in {len(self._open)} batches"
                )
                await self._server.pause(self._poll)

    async def _collect(self, opened: _OpenBatch, batch: Batch, dialogues: Dialogues) -> None:
        """Keep what an ended batch gave."""
        if batch.status == "failed":
            self._fail(opened, batch)
            return
        try:
            harvest = await self._server.download(batch)
        except UnknownError as error:
            self.notes.append(f"batch {batch.id} is lost, its files are gone ({error})")
            self.lost_money += opened.total
            self._end(opened.event, f"failed: {error}")
            return
        entries = self._find_entries(opened, harvest, dialogues)
        gain = _Yield()
        for line in harvest.lines:
            if line.custom_id not in gain.seen:
                gain.seen.add(line.custom_id)
                self._read_line(line, entries.get(line.custom_id), gain)
        self._note_broken(batch, harvest, gain)
        if opened.chunk is not None:
            self._note_missing(opened.chunk, batch, gain, broken=len(harvest.broken))
        event = replace(opened.event, state="collected", time=now())
        self._ledger.keep_batch(self._without_done(gain.settled), gain.paid, event)
        self._settle_money(opened, gain)
        if batch.status == "cancelled":
            self.stop(
                f"Batch {batch.id} was cancelled at the server; what it had answered was kept: run "
                "the command again to submit the rest."
            )

    def _find_entries(
        self, opened: _OpenBatch, harvest: Harvest, dialogues: Dialogues
    ) -> dict[str, Entry]:
        if opened.chunk is not None:
            return opened.chunk.entries
        # As the run that submitted it saw the store: what had failed then is not open again.
        chain = Chain(self._options, self._store, run=opened.event.run)
        custom_ids = {line.custom_id for line in harvest.lines}
        return find_entries(chain, dialogues(), self._options, custom_ids)

    def _read_line(self, line: Line, entry: Entry | None, gain: _Yield) -> None:
        """Take from one line what can be believed, and what it cost in any case."""
        if entry is None:
            gain.unknown += 1
            if line.answer is not None and line.answer.usage is not None:
                gain.paid.append(self._ledger.price_usage(line.custom_id, line.answer.usage))
            return
        if line.answer is None:
            gain.unpaid.add(line.custom_id)
            if isinstance(line.error, StopError):
                self.stop(str(line.error))
            else:
                gain.settled += self._lose(entry, str(line.error))
            return
        paid = self._ledger.price(entry.request, entry.to_body(self._options), line.answer)
        if paid is not None:
            gain.paid.append(paid)
        for one in self._ledger.read(entry.request, line.answer):
            if one.fault is None or entry.attempt >= self._options.attempts:
                gain.settled.append(one)
            else:
                self._tries.note_fault(one.job, entry.attempt, one.fault)

    def _lose(self, entry: Entry, reason: str) -> list[Settled]:
        """Count a request without an answer; the jobs of it that are given up."""
        settled = refuse(entry.request, f"server: {reason}")
        return [one for one in settled if self._tries.note_loss(one.job)]

    def _note_broken(self, batch: Batch, harvest: Harvest, gain: _Yield) -> None:
        """Name what cannot be used."""
        if harvest.broken:
            self.lost_money += len(harvest.broken)
            self.notes.append(
                f"batch {batch.id} has {len(harvest.broken)} lines that cannot be read, the first "
                f"is {harvest.broken[0]}"
            )
        if gain.unknown:
            self.notes.append(
                f"batch {batch.id} has {gain.unknown} answers to requests that are not known any "
                "more: the corpus or the options were others; their cost is counted"
            )

    def _note_missing(self, chunk: Chunk, batch: Batch, gain: _Yield, *, broken: int) -> None:
        """Count the requests of which no line speaks."""
        missing = chunk.entries.keys() - gain.seen
        if batch.status == "completed":
            self.lost_money += max(0, len(missing) - broken)
        for custom_id in missing:
            reason = f"the {batch.status} batch has no answer"
            gain.settled += self._lose(chunk.entries[custom_id], reason)
            if batch.status != "completed":
                gain.unpaid.add(custom_id)

    def _without_done(self, settled: list[Settled]) -> list[Settled]:
        """Leave out what was translated meanwhile, such as by an equal line's request."""
        found = self._store.find(one.job.key for one in settled)
        return [one for one in settled if not (one.job.key in found and found[one.job.key].is_good)]

    def _settle_money(self, opened: _OpenBatch, gain: _Yield) -> None:
        """Put what was paid in the place of what was set aside."""
        self._budget.settle(0.0, sum(paid.cost for paid in gain.paid))
        if opened.chunk is not None:
            # What was set aside for a line that cannot be read stays so: it may be gone.
            for custom_id in gain.seen | gain.unpaid:
                self._budget.settle(opened.chunk.promised.get(custom_id, 0.0), 0.0)

    def _fail(self, opened: _OpenBatch, batch: Batch) -> None:
        """Make way for smaller batches if that helps; else say what the server says."""
        errors = (batch.errors.data if batch.errors is not None else None) or []
        message = str(errors[0].message or errors[0].code) if errors else "it does not say why"
        if errors and errors[0].line is not None:
            message += f" (line {errors[0].line})"
        self._end(opened.event, f"failed: {message}")
        if opened.chunk is not None:
            self._release(opened.chunk)
        size = opened.total if opened.chunk is None else len(opened.chunk.entries)
        if errors and errors[0].code == TOO_MANY_TOKENS and size != 1:
            self._most_requests = max(1, min(self._most_requests, size or self._most_requests) // 2)
            return
        self.stop(f"The server rejects batch {batch.id}: {message}.")

    def _end(self, event: BatchEvent, state: str) -> None:
        self._store.add_batch(replace(event, state=state, time=now()))

    def _release(self, chunk: Chunk) -> None:
        for promised in chunk.promised.values():
            self._budget.settle(promised, 0.0)
