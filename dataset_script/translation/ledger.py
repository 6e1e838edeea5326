"""What an answer is worth and what it cost, kept together: for requests one by one and batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .answers import Settled, refuse, settle
from .failures import Answer, Usage
from .jobs import Request
from .options import TranslationOptions
from .prices import Budget, estimate_usage
from .store import BatchEvent, Paid, Result, Store, now


class Ledger:
    """Keeps what came of jobs.

    Args:
        options: what was asked.
        store: takes the results.
        budget: knows the price.
        run: name of this run.
        on_settled: called with how many utterances were translated and how many were given up.
    """

    def __init__(
        self,
        options: TranslationOptions,
        store: Store,
        *,
        budget: Budget,
        run: str,
        on_settled: Callable[[int, int], None],
    ) -> None:
        self._options = options
        self._store = store
        self._budget = budget
        self._run = run
        self._on_settled = on_settled

    def read(self, request: Request, answer: Answer) -> list[Settled]:
        """Take from an answer what can be believed.

        Returns:
            One entry a job, in the order of the request.
        """
        if answer.fault is not None:
            return refuse(request, answer.fault)
        return settle(request, answer.content, self._options)

    def price(self, request: Request, body: Mapping[str, Any], answer: Answer) -> Paid | None:
        """Return what an answer cost; None if it was rejected before any work.

        Args:
            request: what was asked.
            body: in which words.
            answer: what came.
        """
        if answer.usage is not None:
            return self.price_usage(request.key, answer.usage)
        if answer.fault is not None and answer.fault.startswith("rejected:"):
            return None
        # A server that does not count.
        letters = sum(len(job.utterance.text_ko) for job in request.jobs)
        prompt, completion = estimate_usage(body, letters=letters, targets=len(request.jobs))
        return self.price_usage(request.key, Usage(prompt, 0, completion))

    def price_usage(self, key: str, usage: Usage) -> Paid:
        """Return what tokens cost.

        Args:
            key: of the request.
            usage: the tokens.
        """
        return Paid(
            request=key,
            model=self._options.model,
            prompt_tokens=usage.prompt,
            cached_tokens=usage.cached,
            completion_tokens=usage.completion,
            cost=self._budget.cost(usage.prompt, usage.completion, cached=usage.cached),
            run=self._run,
            time=now(),
        )

    def keep(self, settled: Sequence[Settled], paid: Paid | None) -> None:
        """Keep what came of one request with what it cost.

        Args:
            settled: what stands: translations, and faults that are given up.
            paid: what was paid; None if nothing was.
        """
        if settled or paid is not None:
            self._store.add(self._make_results(settled), paid)
        self._count(settled)

    def keep_batch(
        self, settled: Sequence[Settled], paid: Sequence[Paid], event: BatchEvent
    ) -> None:
        """Keep what came of a batch, what it cost and that it is collected, all or nothing.

        Args:
            settled: what stands: translations, and faults that are given up.
            paid: one entry an answer.
            event: how the batch ended.
        """
        self._store.add_collected(self._make_results(settled), paid, event)
        self._count(settled)

    def _make_results(self, settled: Sequence[Settled]) -> list[Result]:
        time = now()
        return [
            Result(
                key=one.job.key,
                step=one.job.step,
                id=one.job.utterance.id,
                texts=one.texts,
                fault=one.fault,
                model=self._options.model,
                run=self._run,
                time=time,
            )
            for one in settled
        ]

    def _count(self, settled: Sequence[Settled]) -> None:
        good = sum(one.fault is None for one in settled)
        self._on_settled(good, len(settled) - good)
