"""What is left to do and what it will cost, before anything is asked.

Steps whose input is not there yet are counted with a text of the expected length in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .chain import Chain
from .dialogues import Dialogue
from .jobs import Request
from .options import TranslationOptions
from .prices import Budget, estimate_usage


@dataclass
class Estimate:
    """What a run has before it.

    Attributes:
        utterances: utterances with known words.
        empty: utterances of which nothing is known.
        jobs: utterances to ask for, counted at every step.
        done: those that the store has.
        letters: of the sources.
        requests: requests, if every answer can be used.
        prompt_tokens: tokens read.
        completion_tokens: tokens written.
        cost: US dollars; 0 if the price is not known.
    """

    utterances: int = 0
    empty: int = 0
    jobs: int = 0
    done: int = 0
    letters: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def estimate_run(
    dialogues: Iterable[Dialogue], chain: Chain, options: TranslationOptions, budget: Budget
) -> Estimate:
    """Count what is left.

    Args:
        dialogues: the dialogues.
        chain: looks them up; one that guesses what is not there (`Chain(…, guesses=True)`).
        options: what to ask.
        budget: knows the price.
    """
    estimate = Estimate()
    for dialogue in dialogues:
        standing = chain.look_up(dialogue)
        estimate.utterances += len(dialogue.spoken)
        estimate.empty += len(dialogue.utterances) - len(dialogue.spoken)
        estimate.letters += sum(len(turn.text_ko) for turn in dialogue.spoken)
        for step in options.steps:
            jobs = chain.pending(standing, step)
            estimate.jobs += len(jobs)
            estimate.done += sum(
                result is not None and result.is_good for result in standing.results[step]
            )
            for request in chain.requests(standing, jobs):
                _add_request(estimate, request, options, budget)
    return estimate


def _add_request(
    estimate: Estimate, request: Request, options: TranslationOptions, budget: Budget
) -> None:
    texts = options.variants if request.step == "vary" else 1
    letters = texts * sum(len(job.utterance.text_ko) for job in request.jobs)
    prompt, completion = estimate_usage(
        request.to_body(options), letters=letters, targets=len(request.jobs)
    )
    estimate.requests += 1
    estimate.prompt_tokens += prompt
    estimate.completion_tokens += completion
    estimate.cost += budget.cost(prompt, completion)
