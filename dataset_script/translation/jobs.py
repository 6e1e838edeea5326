"""What the model is asked for: one job an utterance and step, several jobs a request.

A job's key is made of all that its answer depends on: model, prompt, source, speakers and the
dialogue around it. So a job that was answered once is never asked again, and when a transcript, the
prompt or the width of the context changes, exactly the jobs that see the change get another key.
Jobs of neighbouring turns go into one request, so that the context is not paid for with each line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .dialogues import Dialogue, Utterance
from .options import TranslationOptions
from .prompts import PROMPTS, build_messages, describe_format

# Tokens that an answer may have, generously: English is two to three letters a Korean syllable.
TOKENS_PER_CHARACTER = 4
TOKENS_PER_TARGET = 100  # its id and the braces around it


@dataclass(frozen=True)
class Job:
    """One utterance at one step.

    Attributes:
        key: 32 hexadecimal digits, made of everything that the answer depends on.
        step: name of one of `prompts.PROMPTS`.
        index: place of the utterance among the spoken ones of its dialogue.
        utterance: what is said.
        given: what stands beside it: `draft` or `text_en`.
    """

    key: str
    step: str
    index: int
    utterance: Utterance
    given: dict[str, str]

    def to_message(self) -> dict[str, str]:
        """Return the utterance as the message has it."""
        return _to_message(self.utterance, self.given)


@dataclass(frozen=True)
class Request:
    """Jobs of consecutive turns of one dialogue, asked for at once.

    Attributes:
        step: name of one of `prompts.PROMPTS`.
        jobs: the targets, in turn order.
        content: what the user's message holds.
    """

    step: str
    jobs: tuple[Job, ...]
    content: dict[str, Any]

    @property
    def key(self) -> str:
        """32 hexadecimal digits: the same request always has the same."""
        return key_of_request(self.step, self.jobs)

    def to_body(self, options: TranslationOptions, *, fault: str | None = None) -> dict[str, Any]:
        """Return the arguments of the chat completion.

        Args:
            options: model and form of the answer.
            fault: what was wrong with an earlier answer; None for the first try.
        """
        texts = 1 if self.step != "vary" else options.variants
        characters = sum(len(job.utterance.text_ko) for job in self.jobs)
        limit = texts * TOKENS_PER_CHARACTER * characters + TOKENS_PER_TARGET * len(self.jobs)
        temperature = {} if options.temperature is None else {"temperature": options.temperature}
        return {
            "model": options.model,
            "messages": build_messages(self.step, self.content, fault=fault),
            "max_completion_tokens": limit,
            **temperature,
            **describe_format(self.step, options.response_format),
        }


def make_job(
    step: str,
    dialogue: Dialogue,
    index: int,
    options: TranslationOptions,
    *,
    given: Sequence[dict[str, str]],
    own: dict[str, str],
) -> Job:
    """Describe what is asked for one utterance.

    Args:
        step: name of one of `prompts.PROMPTS`.
        dialogue: the dialogue.
        index: place of the utterance among the spoken ones.
        options: model, prompt and context.
        given: by spoken utterance, what stands beside it where it is context.
        own: what stands beside the utterance itself: `draft`, `text_en` or nothing.
    """
    spoken = dialogue.spoken
    first = max(0, index - options.context.before)
    around = range(first, min(len(spoken), index + options.context.after + 1))
    seen = [[spoken[n].speaker, spoken[n].text_ko, given[n], n - index] for n in around]
    asked = [step, PROMPTS[step].version, options.model, options.temperature]
    asked += [options.variants] if step == "vary" else []
    return Job(_hash([*asked, own, seen]), step, index, spoken[index], own)


def key_of_draft(text_ko: str, options: TranslationOptions) -> str:
    """Return the key of a draft by a checkpoint on this machine, which sees the line alone."""
    return _hash(["checkpoint", options.draft, options.draft_languages, text_ko])


def key_of_request(step: str, jobs: Sequence[Job]) -> str:
    """Return the key of the request for these jobs."""
    return _hash([step, [job.key for job in jobs]])


def make_request(
    dialogue: Dialogue,
    jobs: Sequence[Job],
    options: TranslationOptions,
    *,
    given: Sequence[dict[str, str]],
) -> Request:
    """Ask for consecutive jobs of one dialogue at once.

    Args:
        dialogue: the dialogue.
        jobs: one or more, whose places follow each other.
        options: width of the context.
        given: as for `make_job`.
    """
    spoken = dialogue.spoken
    first, last = jobs[0].index, jobs[-1].index

    def describe(places: range) -> list[dict[str, str]]:
        return [_to_message(spoken[place], given[place]) for place in places]

    content: dict[str, Any] = {
        "context_before": describe(range(max(0, first - options.context.before), first)),
        "targets": [job.to_message() for job in jobs],
        "context_after": describe(
            range(last + 1, min(len(spoken), last + 1 + options.context.after))
        ),
    }
    if jobs[0].step == "vary":
        content["variants"] = options.variants
    return Request(jobs[0].step, tuple(jobs), content)


def join_jobs(jobs: Sequence[Job], *, targets: int) -> list[tuple[Job, ...]]:
    """Divide jobs into those that one request asks for.

    A dialogue is cut at the same turns however many of its jobs are left, so that a run that goes
    on asks in the same words as one that was never interrupted.

    Args:
        jobs: jobs of one dialogue, by place.
        targets: jobs of one request at most.

    Returns:
        Runs of jobs whose places follow each other.

    Example:
        >>> jobs = [Job("", "", index, None, {}) for index in (0, 1, 3, 4)]
        >>> [[job.index for job in run] for run in join_jobs(jobs, targets=4)]
        [[0, 1], [3], [4]]
    """
    runs: list[list[Job]] = []
    for job in jobs:
        last = runs[-1][-1] if runs else None
        follows = last is not None and last.index + 1 == job.index
        if follows and last.index // targets == job.index // targets:
            runs[-1].append(job)
        else:
            runs.append([job])
    return [tuple(run) for run in runs]


def _to_message(utterance: Utterance, given: dict[str, str]) -> dict[str, str]:
    return {
        "id": utterance.id,
        "speaker": utterance.speaker,
        "text_ko": utterance.text_ko,
        **given,
    }


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
