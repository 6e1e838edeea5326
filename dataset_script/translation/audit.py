"""What the context is worth: a sample of utterances, translated once more without any of it.

The sample goes through the same store under keys of its own, so that it is paid for once. What
changes is counted on letters and digits alone; the interval is Wilson's (Wilson, "Probable
inference, the law of succession, and statistical inference", 1927).
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from .chain import Chain
from .dialogues import Dialogue, Utterance
from .options import ContextOptions, TranslationOptions
from .store import Store

Z = 1.959964  # standard normal quantile of a two-sided 95 % interval


@dataclass(frozen=True)
class Sampled:
    """An utterance that is drawn.

    Attributes:
        utterance: the utterance.
        text_en: its translation in the dialogue; "" where it is not known yet.
    """

    utterance: Utterance
    text_en: str = ""

    def alone(self) -> Dialogue:
        """Return a dialogue in which nothing else is said."""
        return Dialogue(self.utterance.id, (self.utterance,))


@dataclass(frozen=True)
class Pair:
    """Two translations of one utterance.

    Attributes:
        utterance: the utterance.
        in_context: its translation in the dialogue.
        alone: its translation without it.
    """

    utterance: Utterance
    in_context: str
    alone: str

    @property
    def is_changed(self) -> bool:
        """Whether they differ in a letter or a digit."""
        return fold(self.in_context) != fold(self.alone)

    @property
    def similarity(self) -> float:
        """Ratio of what they share, in letters and digits, `[0, 1]`."""
        parts = SequenceMatcher(None, fold(self.in_context), fold(self.alone), autojunk=False)
        return parts.ratio()


@dataclass(frozen=True)
class Audit:
    """What came of the sample.

    Attributes:
        pairs: both translations of each, in the order of the corpus.
        unanswered: how many of the sample have no translation without context.
    """

    pairs: tuple[Pair, ...]
    unanswered: int

    @property
    def changed(self) -> int:
        """Number of pairs that differ."""
        return sum(pair.is_changed for pair in self.pairs)

    @property
    def share(self) -> float:
        """Share of pairs that differ, `[0, 1]`; NaN if there is none."""
        return self.changed / len(self.pairs) if self.pairs else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        return wilson_interval(self.changed, len(self.pairs))

    @property
    def similarity(self) -> float:
        """Mean similarity of the pairs, `[0, 1]`; NaN if there is none."""
        total = math.fsum(pair.similarity for pair in self.pairs)
        return total / len(self.pairs) if self.pairs else math.nan


def fold(text: str) -> str:
    """Return the letters and digits of a text, without case.

    Example:
        >>> fold("It's 5 o'clock!")
        'its5oclock'
    """
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Args:
        successes: from 0 to `trials`.
        trials: number of them; without any, everything is possible.

    Example:
        >>> tuple(round(limit, 4) for limit in wilson_interval(5, 10))
        (0.2366, 0.7634)
    """
    if trials == 0:
        return 0.0, 1.0
    share, weight = successes / trials, Z * Z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def rank(seed: int, name: str) -> str:
    """Return by what things are ordered to draw them: the same for a seed and a name, always."""
    return hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()


def without_context(options: TranslationOptions) -> TranslationOptions:
    """Return how the sample is translated.

    Raises:
        ValueError: if the run has no context itself.
    """
    if options.context.before == options.context.after == 0:
        raise ValueError(
            "`audit` compares with a translation without context, and this run has none "
            "(`context_before` 0, `context_after` 0); leave `--audit` out, or give it a context."
        )
    return replace(options, context=ContextOptions(before=0, after=0, targets=1), variants=0)


def spoken(dialogues: Iterable[Dialogue]) -> Iterator[Sampled]:
    """Yield every utterance with words, translated or not."""
    for dialogue in dialogues:
        yield from map(Sampled, dialogue.spoken)


def translated(
    dialogues: Iterable[Dialogue], store: Store, options: TranslationOptions
) -> Iterator[Sampled]:
    """Yield every utterance that has a translation, with it."""
    chain = Chain(options, store, run="")
    for dialogue in dialogues:
        results = chain.look_up(dialogue).translation(options)
        for utterance, result in zip(dialogue.spoken, results, strict=True):
            if result is not None and result.is_good:
                yield Sampled(utterance, result.texts[0])


def draw(candidates: Iterable[Sampled], count: int, *, seed: int) -> list[Sampled]:
    """Draw a sample; every candidate has the same chance, and none is kept that is not drawn.

    Args:
        candidates: any number.
        count: how many to draw.
        seed: of the sample.

    Returns:
        At most `count` of them, in their order.
    """
    drawn = heapq.nsmallest(
        count, enumerate(candidates), key=lambda one: (rank(seed, one[1].utterance.id), one[0])
    )
    return [sampled for _, sampled in sorted(drawn, key=lambda one: one[0])]


def compare(sample: Sequence[Sampled], store: Store, options: TranslationOptions) -> Audit:
    """Look up what the sample was translated to without context.

    Args:
        sample: drawn from what is `translated`.
        store: what was answered.
        options: of the run itself.
    """
    alone = without_context(options)
    chain = Chain(alone, store, run="")
    pairs = []
    for sampled in sample:
        result = chain.look_up(sampled.alone()).translation(alone)[0]
        if result is not None and result.is_good:
            pairs.append(Pair(sampled.utterance, sampled.text_en, result.texts[0]))
    return Audit(tuple(pairs), len(sample) - len(pairs))
