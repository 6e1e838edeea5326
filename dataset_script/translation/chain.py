"""Which steps an utterance has behind it, and what is to be asked next, by what the store holds.

Every step's key depends on what the steps before it gave, so a refinement is asked for only when
the drafts of its utterance and of those around it are settled. A draft that failed is left out:
the Korean line is there all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .dialogues import Dialogue
from .jobs import Job, Request, join_jobs, key_of_draft, make_job, make_request
from .options import TranslationOptions
from .prices import EXPANSION
from .store import Result, Store


@dataclass(frozen=True)
class Standing:
    """What is there of one dialogue; one entry a spoken utterance in every list.

    Attributes:
        dialogue: the dialogue.
        results: by step, what came of it; None where it was never asked.
        jobs: by step, what is asked for; None where it cannot be yet.
        given: by step, what stands beside an utterance that is context.
    """

    dialogue: Dialogue
    results: dict[str, list[Result | None]] = field(default_factory=dict)
    jobs: dict[str, list[Job | None]] = field(default_factory=dict)
    given: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def translation(self, options: TranslationOptions) -> list[Result | None]:
        """Return what came of the step that gives the translation."""
        return self.results["translate" if "translate" in options.steps else "refine"]


class Chain:
    """Looks dialogues up in the store.

    Args:
        options: the steps and what they depend on.
        store: what was answered.
        run: name of this run: what failed in it is not asked again before the next.
        is_over: whether nothing is asked any more, so that no draft is waited for.
        guesses: put a text of the expected length where a draft or a translation is not there yet,
            to estimate what follows it.
    """

    def __init__(
        self,
        options: TranslationOptions,
        store: Store,
        *,
        run: str,
        is_over: bool = False,
        guesses: bool = False,
    ) -> None:
        self._options = options
        self._store = store
        self._run = run
        self._is_over = is_over
        self._guesses = guesses

    def look_up(self, dialogue: Dialogue) -> Standing:
        """Find out what is there of a dialogue, step by step."""
        standing = Standing(dialogue)
        if self._options.drafts_here:
            keys = [key_of_draft(turn.text_ko, self._options) for turn in dialogue.spoken]
            found = self._store.find(keys)
            standing.results["draft"] = [found.get(key) for key in keys]
        for step in self._options.steps:
            self._describe(standing, step)
            jobs = standing.jobs[step]
            found = self._store.find(job.key for job in jobs if job is not None)
            standing.results[step] = [None if job is None else found.get(job.key) for job in jobs]
        return standing

    def pending(self, standing: Standing, step: str) -> list[Job]:
        """Return the jobs of a step that are to be asked, each key once."""
        jobs: dict[str, Job] = {}
        for job, result in zip(standing.jobs[step], standing.results[step], strict=True):
            if job is not None and self.is_open(result):
                jobs.setdefault(job.key, job)
        return list(jobs.values())

    def is_open(self, result: Result | None) -> bool:
        """Whether a job is still to be asked: never asked, or failed in an earlier run."""
        return result is None or (not result.is_good and result.run != self._run)

    def requests(self, standing: Standing, jobs: Sequence[Job]) -> list[Request]:
        """Join jobs of one step and dialogue into requests."""
        return [
            make_request(standing.dialogue, run, self._options, given=standing.given[run[0].step])
            for run in join_jobs(jobs, targets=self._options.context.targets)
        ]

    def alone(self, standing: Standing, job: Job) -> Request:
        """Ask for one job by itself."""
        given = standing.given[job.step]
        return make_request(standing.dialogue, [job], self._options, given=given)

    def _describe(self, standing: Standing, step: str) -> None:
        """Say what is asked for at a step, where it can be."""
        dialogue, options = standing.dialogue, self._options
        count = len(dialogue.spoken)
        given: list[dict[str, str]] = [{} for _ in range(count)]
        own = given
        ready = [True] * count
        if step == "refine":
            drafts = standing.results["draft"]
            own = given = self._read_texts(standing, drafts, "draft")
            ready = [
                self._guesses or not any(map(self._is_awaited, drafts[self._around(index)]))
                for index in range(count)
            ]
        elif step == "vary":
            own = self._read_texts(standing, standing.translation(options), "text_en")
            ready = [bool(text) for text in own]
        standing.given[step] = given
        standing.jobs[step] = [
            make_job(step, dialogue, index, options, given=given, own=own[index])
            if ready[index]
            else None
            for index in range(count)
        ]

    def _is_awaited(self, draft: Result | None) -> bool:
        """Whether a draft may still come: a checkpoint gives the same every time."""
        if self._options.drafts_here or self._is_over:
            return draft is None
        return self.is_open(draft)

    def _around(self, index: int) -> slice:
        context = self._options.context
        return slice(max(0, index - context.before), index + context.after + 1)

    def _read_texts(
        self, standing: Standing, results: list[Result | None], name: str
    ) -> list[dict[str, str]]:
        """What an earlier step gave for each utterance, by its name; nothing where it failed."""
        texts: list[dict[str, str]] = []
        for turn, result in zip(standing.dialogue.spoken, results, strict=True):
            if result is not None and result.is_good:
                texts.append({name: result.texts[0]})
            elif self._guesses and self.is_open(result):
                texts.append({name: "x" * int(EXPANSION * len(turn.text_ko))})
            else:
                texts.append({})
        return texts
