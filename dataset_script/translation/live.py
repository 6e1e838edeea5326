"""Requests one by one, many at a time: each answer is kept the moment it comes.

A request asks for several utterances. Those that its answer translates are kept; each of the
others is asked for again, alone and told what was wrong, and after the last try is marked with its
reason. A request that fails is waited out; a reason to stop lets those in flight end, and nothing
new start.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .answers import Settled, refuse
from .chain import Chain, Standing
from .dialogues import Dialogue
from .failures import Answer, StopError, TransientError
from .jobs import Job, Request
from .ledger import Ledger
from .limit import TICK, AdaptiveLimit
from .options import TranslationOptions
from .prices import Budget
from .store import Store

TRIES = 6  # of a request that fails and may succeed later
TRIES_IN_SILENCE = 3  # if the server never answered anything
SMALLEST_SUM = 1e-9  # US dollars; less is a matter of rounding
MOST_REFUSALS = 200  # of one request, which are waited out and are no failures
MOST_LOST = 5  # requests in a row that came to nothing before the run stops
BACKOFF = 1.0  # seconds before the second try; doubled for each after it
LONGEST_BACKOFF = 60.0

Ask = Callable[[Mapping[str, Any]], Awaitable[Answer]]


class LiveRun:
    """Asks for what is missing, step by step.

    Args:
        options: what to ask.
        store: takes what is answered.
        chain: knows what is missing.
        budget: what may be spent.
        on_settled: called with how many utterances were translated and how many were given up.
        backoff: seconds before the second try of a request.

    Attributes:
        stopped: why the run stopped before its end; None if it did not.
        lost_money: requests that the server may have been paid for without an answer.
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
        backoff: float = BACKOFF,
    ) -> None:
        self.stopped: str | None = None
        self.lost_money = 0
        self._options = options
        self._chain = chain
        self._ask_server: Ask | None = None
        self._budget = budget
        self._ledger = Ledger(options, store, budget=budget, run=run, on_settled=on_settled)
        self._backoff = backoff
        self._limit = AdaptiveLimit(options.concurrency)
        self._in_flight: set[str] = set()  # keys of jobs
        self._forfeited = 0.0  # set aside for requests that may have been paid without an answer
        self._has_answered = False
        self._lost_in_a_row = 0
        self._random = random.Random(0)  # of waits only, so that tries spread

    def stop(self, reason: str) -> None:
        """Start nothing new; what is in flight ends and is kept."""
        self.stopped = self.stopped or reason
        self._limit.break_silence()

    async def translate(self, dialogues: Callable[[], Iterable[Dialogue]], *, ask: Ask) -> None:
        """Ask for every step of every dialogue.

        Args:
            dialogues: gives them, each time anew.
            ask: sends the arguments of one chat completion and returns an `Answer` (`client.ask`).
        """
        self._ask_server = ask
        for step in self._options.steps:
            # A job whose like is in flight is left for another round, in which it is answered.
            while await self._take_step(dialogues(), step) and self.stopped is None:
                pass

    async def _take_step(self, dialogues: Iterable[Dialogue], step: str) -> bool:
        """Ask for one step; whether anything was left for another round."""
        left = False
        gate = asyncio.Semaphore(self._options.concurrency)
        tasks: set[asyncio.Task] = set()
        errors: list[BaseException] = []

        def end(task: asyncio.Task) -> None:
            tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                errors.append(task.exception())

        async def handle(standing: Standing, request: Request) -> None:
            try:
                await self._handle(standing, request)
            finally:
                self._in_flight.difference_update(job.key for job in request.jobs)
                gate.release()

        try:
            for dialogue in dialogues:
                standing = self._chain.look_up(dialogue)
                pending = self._chain.pending(standing, step)
                jobs = [job for job in pending if job.key not in self._in_flight]
                left = left or len(jobs) < len(pending)
                for request in self._chain.requests(standing, jobs):
                    await gate.acquire()
                    if self.stopped is not None or errors:
                        return False
                    self._in_flight.update(job.key for job in request.jobs)
                    task = asyncio.create_task(handle(standing, request))
                    tasks.add(task)
                    task.add_done_callback(end)
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)
            if errors:  # such as a full disk: nothing that a request can do
                raise errors[0]
        return left

    async def _handle(self, standing: Standing, request: Request) -> None:
        settled = await self._ask(request, is_last=self._options.attempts == 0)
        for one in settled or ():
            if one.fault is not None and not one.fault.startswith("server:"):
                await self._ask_alone(standing, one.job, one.fault)

    async def _ask_alone(self, standing: Standing, job: Job, fault: str) -> None:
        request = self._chain.alone(standing, job)
        for attempt in range(1, self._options.attempts + 1):
            is_last = attempt == self._options.attempts
            settled = await self._ask(request, fault=fault, is_last=is_last)
            if settled is None or settled[0].fault is None:
                return
            fault = settled[0].fault
            if fault.startswith("server:"):
                return

    async def _ask(
        self, request: Request, *, fault: str | None = None, is_last: bool
    ) -> list[Settled] | None:
        """Ask until there is an answer; None if the run stopped before.

        Args:
            request: what is asked.
            fault: what was wrong with the answer before.
            is_last: whether what fails now is given up.
        """
        body = request.to_body(self._options, fault=fault)
        tries = refusals = 0
        while True:
            promised = await self._promise(body)
            if promised is None:
                return None
            async with self._limit.slot():
                if self.stopped is not None:
                    self._budget.settle(promised, 0.0)
                    return None
                try:
                    answer = await self._ask_server(body)
                except StopError as error:
                    self._budget.settle(promised, 0.0)
                    self.stop(str(error))
                    return None
                except TransientError as error:
                    tries += not error.is_refusal
                    refusals += error.is_refusal
                    problem, wait = error, self._wait(tries + refusals, error)
                    self._note_failure(error, promised, wait)
                else:
                    return self._keep(request, body, answer, promised, is_last=is_last)
            if tries >= self._tries() or refusals >= MOST_REFUSALS:
                return self._lose(request, problem)
            await self._rest(wait)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not longer than the run goes on."""
        end = time.monotonic() + seconds
        while self.stopped is None and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, TICK))

    def _tries(self) -> int:
        return TRIES if self._has_answered else TRIES_IN_SILENCE

    async def _promise(self, body: Mapping[str, Any]) -> float | None:
        """Set money aside for a request; None if there is none, or the run stopped."""
        while self.stopped is None:
            promised = self._budget.promise(body)
            if promised is not None:
                return promised
            if self._budget.promised <= self._forfeited + SMALLEST_SUM:
                self.stop(self._budget.refusal)
            await asyncio.sleep(0.02)  # until those in flight have cost less than they might
        return None

    def _note_failure(self, error: TransientError, promised: float, wait: float) -> None:
        if error.may_be_paid:
            self.lost_money += 1  # what was promised stays promised: it may be gone
            self._forfeited += promised
        else:
            self._budget.settle(promised, 0.0)
        if error.is_refusal:
            self._limit.slow_down(wait)

    def _wait(self, tries: int, error: TransientError) -> float:
        """Seconds before the next try: what the server asks for, and a little more each time."""
        longest = min(LONGEST_BACKOFF, self._backoff * 2 ** min(tries - 1, 10))
        own = longest * self._random.uniform(0.5, 1.0)
        if error.wait is None:
            return own
        return error.wait + 0.1 * own

    def _lose(self, request: Request, error: TransientError) -> list[Settled]:
        """Mark a request that failed too often; stop if that is all that happens."""
        self._lost_in_a_row += 1
        if error.is_silent and not self._has_answered:
            self.stop(f"The server does not answer: {error}; check `--base-url` and the network.")
            return []
        if self._lost_in_a_row >= MOST_LOST:
            self.stop(
                f"{MOST_LOST} requests in a row came to nothing, the last by: {error}; run the "
                "command again later to go on."
            )
        settled = refuse(request, f"server: {error}")
        self._ledger.keep(settled, None)
        return settled

    def _keep(
        self,
        request: Request,
        body: Mapping[str, Any],
        answer: Answer,
        promised: float,
        *,
        is_last: bool,
    ) -> list[Settled]:
        """Keep what an answer is worth, with what it cost."""
        self._has_answered = True
        self._lost_in_a_row = 0
        self._limit.speed_up()
        settled = self._ledger.read(request, answer)
        paid = self._ledger.price(request, body, answer)
        self._budget.settle(promised, 0.0 if paid is None else paid.cost)
        self._ledger.keep([one for one in settled if one.fault is None or is_last], paid)
        return settled
