"""One run, from the dialogues of a corpus to the file that `build` takes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from .audit import Audit, compare, draw, spoken, translated, without_context
from .batch import POLL, BatchRun
from .chain import Chain
from .dialogues import Dialogue
from .estimate import Estimate, estimate_run
from .live import LiveRun
from .options import ReportOptions, TranslationOptions
from .output import write_translations
from .prices import Budget, Price
from .store import Store

KEY_VARIABLE = "OPENAI_API_KEY"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
Dialogues = Callable[[], Iterable[Dialogue]]


@dataclass(frozen=True)
class Server:
    """Who answers.

    Attributes:
        base_url: of the server; None for OpenAI's.
        batch: whether it is asked through the Batch API.
        poll: seconds between two looks at a batch.

    Raises:
        ValueError: if a value is out of its range.
    """

    base_url: str | None = None
    batch: bool = False
    poll: float = POLL

    def __post_init__(self) -> None:
        if not self.poll > 0:
            raise ValueError(f"`poll` is {self.poll}; it must be more than 0 seconds.")

    @property
    def host(self) -> str:
        """Name of the machine, for people to read."""
        return urlsplit(self.base_url).hostname or "" if self.base_url else "OpenAI's servers"

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine."""
        return self.host in LOOPBACK

    def read_key(self) -> str:
        """Return the key of the environment; a server on this machine needs none.

        Raises:
            ValueError: if there is none and one is needed.
        """
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key and not self.is_here:
            raise ValueError(
                f"The environment variable {KEY_VARIABLE} is missing; put the key of {self.host} "
                "into it, or name a server on this machine with `--base-url http://127.0.0.1:…`."
            )
        return key or "none"


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        counts: lines of the output by status.
        stopped: why it stopped before its end; None if it did not.
        cost: US dollars for all answers in the store.
        cost_of_run: those of this run.
        lost: requests that may have been paid for without an answer.
        notes: what a person should know of the answers.
    """

    counts: Counter[str]
    stopped: str | None
    cost: float
    cost_of_run: float
    lost: int
    notes: tuple[str, ...] = ()


def estimate(
    dialogues: Dialogues, store: Store, options: TranslationOptions, price: Price | None
) -> Estimate:
    """Count what a run would ask for and cost; nothing is sent."""
    chain = Chain(options, store, run="", guesses=True)
    budget = Budget(options, price, spent=store.total_cost())
    return estimate_run(dialogues(), chain, options, budget)


def translate(
    dialogues: Dialogues,
    store: Store,
    output: str | Path,
    options: TranslationOptions,
    *,
    server: Server,
    price: Price | None,
    jobs: int,
) -> Outcome:
    """Translate what is missing and write the file.

    Args:
        dialogues: gives the dialogues, each time anew.
        store: what was answered.
        output: the file for `build`.
        options: what to ask.
        server: who answers.
        price: of the model; None if it is not known.
        jobs: utterances to ask for, counted at every step; for the progress bar.

    Returns:
        How it ended; the file is written in any case.

    Raises:
        ValueError: if there is a limit and no price, no key, or batches are open and would be paid
            for twice.
    """
    run = uuid.uuid4().hex[:12]
    key = server.read_key()
    if not server.batch:
        _refuse_open_batches(store)
    chain = Chain(options, store, run=run)
    before = store.total_cost()
    budget = Budget(options, price, spent=before)
    if options.drafts_here:
        from .draft import write_drafts  # torch and transformers take seconds

        bar = tqdm(desc="drafting", unit="line", file=sys.stderr)
        with bar:
            write_drafts(dialogues(), store, options, run=run, on_drafted=bar.update)
    with _Progress(jobs, budget) as progress:
        asking = _make_run(server, options, store, chain, budget, progress, run=run)
        asyncio.run(_ask_all(asking, dialogues, options, server, key))
    done = Chain(options, store, run=run, is_over=True)
    counts = write_translations(output, dialogues(), done, options)
    notes = tuple(asking.notes) if isinstance(asking, BatchRun) else ()
    cost = budget.spent
    return Outcome(counts, asking.stopped, cost, cost - before, asking.lost_money, notes)


def _make_run(
    server: Server,
    options: TranslationOptions,
    store: Store,
    chain: Chain,
    budget: Budget,
    progress: _Progress,
    *,
    run: str,
) -> LiveRun | BatchRun:
    if not server.batch:
        return LiveRun(options, store, chain, budget=budget, run=run, on_settled=progress.update)
    return BatchRun(
        options,
        store,
        chain,
        budget=budget,
        run=run,
        on_settled=progress.update,
        on_waiting=progress.wait,
        poll=server.poll,
    )


def _refuse_open_batches(store: Store) -> None:
    """Keep what a batch is asked for from being asked, and paid for, once more."""
    opened = store.open_batches()
    if opened:
        raise ValueError(
            f"`store` has batches that are open at the server ({len(opened)}, the first since "
            f"{opened[0].time}); run the command with `--batch` to collect them, then without it."
        )


def estimate_audit(
    dialogues: Dialogues,
    store: Store,
    options: TranslationOptions,
    report: ReportOptions,
    price: Price | None,
) -> Estimate:
    """Count what the audit would ask for and cost, as if everything were translated.

    Args:
        dialogues: gives the dialogues.
        store: what was answered.
        options: of the run itself.
        report: how many utterances are drawn.
        price: of the model, one request after the other.
    """
    sample = [one.alone() for one in draw(spoken(dialogues()), report.audit, seed=report.seed)]
    return estimate(lambda: sample, store, without_context(options), price)


def audit(
    dialogues: Dialogues,
    store: Store,
    options: TranslationOptions,
    report: ReportOptions,
    outcome: Outcome,
    *,
    server: Server,
    price: Price | None,
) -> tuple[Outcome, Audit]:
    """Translate a sample again without context, in the same store and under the same limit.

    Args:
        dialogues: gives the dialogues.
        store: what was answered.
        options: of the run itself.
        report: how many utterances are drawn.
        outcome: of the run; if that stopped, nothing is asked.
        server: who answers; never through the Batch API.
        price: of the model, one request after the other.

    Returns:
        The outcome of both, and what is known of the sample.
    """
    sample = draw(translated(dialogues(), store, options), report.audit, seed=report.seed)
    if outcome.stopped is None:
        run, alone = uuid.uuid4().hex[:12], without_context(options)
        budget = Budget(alone, price, spent=store.total_cost())
        chain = Chain(alone, store, run=run)
        with _Progress(len(sample) * len(alone.steps), budget) as progress:
            live = LiveRun(alone, store, chain, budget=budget, run=run, on_settled=progress.update)
            single = [one.alone() for one in sample]
            asyncio.run(_ask_all(live, lambda: single, alone, server, server.read_key()))
        outcome = replace(
            outcome,
            stopped=live.stopped,
            cost=budget.spent,
            cost_of_run=outcome.cost_of_run + budget.spent - outcome.cost,
            lost=outcome.lost + live.lost_money,
        )
    return outcome, compare(sample, store, options)


async def _ask_all(
    asking: LiveRun | BatchRun,
    dialogues: Dialogues,
    options: TranslationOptions,
    server: Server,
    key: str,
) -> None:
    """Let a run ask a server; Ctrl-C ends it after what is in flight."""
    # Imported here: the client takes a second, and `--dry-run` does without.
    import openai

    from .batch_server import BatchServer
    from .client import ask

    # What stays on this machine goes through no proxy that the environment names.
    http_client = openai.DefaultAsyncHttpxClient(trust_env=False) if server.is_here else None
    async with openai.AsyncOpenAI(
        api_key=key,
        base_url=server.base_url,
        max_retries=0,
        timeout=options.timeout,
        http_client=http_client,
    ) as client:
        with _stop_at_interrupt(asking.stop):
            if isinstance(asking, BatchRun):
                await asking.translate(dialogues, server=BatchServer(client))
            else:
                await asking.translate(dialogues, ask=partial(ask, client))


class _stop_at_interrupt:  # noqa: N801 (used like a function)
    """Ends a run at Ctrl-C after what is in flight; at once at the second."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)

        def handle(number: int, frame: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._stop("Interrupted: what was in flight was kept; run the command again to go on.")

        signal.signal(signal.SIGINT, handle)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)


class _Progress:
    """A bar with what was done and given up, the money so far and the time left."""

    def __init__(self, jobs: int, budget: Budget) -> None:
        self._budget = budget
        self._failed = 0
        self._bar = tqdm(total=jobs, desc="translating", unit="utterance", file=sys.stderr)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, good: int, bad: int) -> None:
        self._failed += bad
        self._bar.set_postfix_str(self._describe(), refresh=False)
        self._bar.update(good + bad)

    def wait(self, reason: str) -> None:
        """Show that the run lives although nothing comes."""
        self._bar.set_postfix_str(f"{self._describe()}, {reason}", refresh=True)

    def _describe(self) -> str:
        return f"failed {self._failed}, {self._budget.spent:.4f} $"
