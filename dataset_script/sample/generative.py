"""What is felt, said and heard in the sample corpus: its generative model.

Second step of the sample corpus. A dialogue is a row of five-turn segments; each segment is about
an event, which its first turn states. Event, valence and arousal decide an emotion; ten simulated
raters name emotions, valence and arousal; prosody follows arousal and emotion, wording follows
event and emotion, each only in part. Every number is in `parameters`; `oracle` computes what a
perfect listener or reader could score under them. All of it is invented: nothing here describes
people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layout import EMOTIONS
from .lexicon import EVENTS, MIXED_PAIRS
from .parameters import NEUTRAL, PROSODY, Parameters

LINE_KINDS = ("cue", "filler", "ambiguous", "emotion", "mixed")


@dataclass(frozen=True)
class Turns:
    """Hidden and visible variables of many turns, one array entry a turn.

    Attributes:
        position: place in the segment, from 0; place 0 is the cue.
        stated_event: the event that the segment's cue states, index into `EVENTS`.
        event: the event that the turn is about.
        valence: hidden valence, about -1 to 1.
        arousal: hidden arousal, about -1.5 to 1.5.
        emotion: felt emotion, index into `EMOTIONS`.
        mixed: index into `MIXED_PAIRS` of what the raters hear, -1 where they hear the emotion.
        line_kind: index into `LINE_KINDS`.
        line_topic: what the line's wording names: event (cue), emotion (emotion), pair (mixed).
    """

    position: np.ndarray
    stated_event: np.ndarray
    event: np.ndarray
    valence: np.ndarray
    arousal: np.ndarray
    emotion: np.ndarray
    mixed: np.ndarray
    line_kind: np.ndarray
    line_topic: np.ndarray

    def __len__(self) -> int:
        return len(self.position)


def draw_turns(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    dialogues: int,
    turns_per_dialogue: int,
    neutral_bias: float,
) -> Turns:
    """Draw the hidden state and the kind of line of every turn.

    Args:
        parameters: the generative model.
        rng: source of randomness.
        dialogues: number of dialogues.
        turns_per_dialogue: turns of each.
        neutral_bias: log-odds added to the emotion neutral (see `calibrate_neutral`).

    Returns:
        `dialogues * turns_per_dialogue` turns, dialogue after dialogue.
    """
    shape = (dialogues, turns_per_dialogue)
    size = dialogues * turns_per_dialogue
    position = np.broadcast_to(np.arange(turns_per_dialogue) % parameters.turns_per_segment, shape)
    stated, event = _draw_events(parameters, rng, shape=shape)
    valence = np.take(parameters.event_valence, event) + _two_level_noise(
        rng, shape, parameters.valence_sd
    )
    arousal = np.take(parameters.event_arousal, event) + _two_level_noise(
        rng, shape, parameters.arousal_sd
    )
    position, stated, event, valence, arousal = (
        array.reshape(size) for array in (position, stated, event, valence, arousal)
    )
    chances = emotion_probabilities(parameters, event, valence, arousal, neutral_bias=neutral_bias)
    emotion = draw_categories(rng, chances)
    emotion, mixed = _draw_mixed(parameters, rng, emotion=emotion, position=position)
    kind, topic = _draw_lines(
        parameters, rng, position=position, stated=stated, emotion=emotion, mixed=mixed
    )
    return Turns(
        position=position,
        stated_event=stated,
        event=event,
        valence=valence,
        arousal=arousal,
        emotion=emotion,
        mixed=mixed,
        line_kind=kind,
        line_topic=topic,
    )


def _two_level_noise(
    rng: np.random.Generator, shape: tuple[int, int], sd: tuple[float, float]
) -> np.ndarray:
    return rng.normal(0, sd[0], (shape[0], 1)) + rng.normal(0, sd[1], shape)


def _draw_events(
    parameters: Parameters, rng: np.random.Generator, *, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the stated event of each segment and the event of each turn, `shape` each."""
    segments = -(-shape[1] // parameters.turns_per_segment)
    prior = np.asarray(parameters.event_prior)
    first = rng.choice(len(EVENTS), size=(shape[0], segments), p=prior)
    # A cue that misstates its segment's event, and a segment that leaves its cue's event: the two
    # negative controls, never happening at signal 1.
    misstated = rng.random(first.shape) >= parameters.text_signal
    stated = np.where(misstated, rng.choice(len(EVENTS), size=first.shape, p=prior), first)
    left = rng.random(first.shape) >= parameters.context_signal
    later = np.where(left, rng.choice(len(EVENTS), size=first.shape, p=prior), first)
    segment = np.arange(shape[1]) // parameters.turns_per_segment
    is_cue = np.arange(shape[1]) % parameters.turns_per_segment == 0
    event = np.where(is_cue[None, :], first[:, segment], later[:, segment])
    return stated[:, segment], event


def emotion_probabilities(
    parameters: Parameters,
    event: np.ndarray,
    valence: np.ndarray,
    arousal: np.ndarray,
    *,
    neutral_bias: float,
) -> np.ndarray:
    """Return the chance of each emotion given what happened.

    Args:
        parameters: the generative model.
        event: index into `EVENTS`, `(turns,)`.
        valence: hidden valence, `(turns,)`.
        arousal: hidden arousal, `(turns,)`.
        neutral_bias: log-odds added to neutral.

    Returns:
        `(turns, 7)`, rows summing to 1.
    """
    place = np.stack([valence, arousal], axis=-1)[:, None, :]
    distance = ((place - parameters.prototypes[None]) ** 2).sum(-1)
    logits = parameters.compatibility.T[event] - distance / (2 * parameters.prototype_sd**2)
    logits[:, NEUTRAL] += neutral_bias
    logits -= logits.max(1, keepdims=True)
    chances = np.exp(logits)
    return chances / chances.sum(1, keepdims=True)


def draw_categories(rng: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    """Draw one category a row.

    Args:
        rng: source of randomness.
        chances: `(rows, categories)`, rows summing to 1.

    Returns:
        `(rows,)`, indices of categories.
    """
    drawn = (rng.random((len(chances), 1)) > chances.cumsum(1)).sum(1)
    return np.minimum(drawn, chances.shape[1] - 1)


def _draw_mixed(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    emotion: np.ndarray,
    position: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Make some turns mixed; their felt emotion is the one that expressive raters hear."""
    is_mixed = (rng.random(len(emotion)) < parameters.mixed_share) & (position > 0)
    drawn = rng.choice(len(MIXED_PAIRS), size=len(emotion), p=parameters.mixed_prior)
    mixed = np.where(is_mixed, drawn, -1)
    second = np.array([EMOTIONS.index(pair[1]) for pair in MIXED_PAIRS])
    return np.where(is_mixed, second[drawn], emotion), mixed


def _draw_lines(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    position: np.ndarray,
    stated: np.ndarray,
    emotion: np.ndarray,
    mixed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw each turn's kind of line and what its wording names."""
    size = len(position)
    kind = 1 + rng.choice(3, size=size, p=parameters.line_shares)
    told = rng.random(size) < parameters.text_signal
    kind = np.where((mixed >= 0) & told, LINE_KINDS.index("mixed"), kind)
    kind = np.where(position == 0, LINE_KINDS.index("cue"), kind)
    # A wrong emotion line names one of the six others; without signal, any of the seven.
    wrong = (emotion + rng.integers(1, len(EMOTIONS), size)) % len(EMOTIONS)
    right = rng.random(size) < parameters.emotion_line_accuracy
    named = np.where(right, emotion, wrong)
    named = np.where(told, named, rng.integers(0, len(EMOTIONS), size))
    topic = np.where(kind == LINE_KINDS.index("emotion"), named, -1)
    topic = np.where(kind == LINE_KINDS.index("mixed"), mixed, topic)
    return kind, np.where(kind == LINE_KINDS.index("cue"), stated, topic)


def rater_probabilities(parameters: Parameters, turns: Turns) -> np.ndarray:
    """Return the chance that a rater names each emotion, `(groups, turns, 7)`.

    The groups are the reserved and the expressive raters.
    """
    strength = np.hypot(turns.valence, turns.arousal)
    emotional, neutral = parameters.rater_confusion
    identity = np.eye(len(EMOTIONS))
    others = (1 - identity) / (len(EMOTIONS) - 1)
    confusion = np.where(identity[NEUTRAL][:, None] > 0, neutral, emotional)
    says = (1 - confusion) * identity + confusion * others  # intended -> said, (7, 7)
    pair_says = parameters.mixed_agreement * identity + (1 - parameters.mixed_agreement) * others
    pairs = np.array([[EMOTIONS.index(name) for name in pair] for pair in MIXED_PAIRS])
    groups = []
    for group, threshold in enumerate(parameters.rater_thresholds):
        notices = 1 / (1 + np.exp(-(strength - threshold) / parameters.rater_softness))
        chances = notices[:, None] * says[turns.emotion] + (1 - notices)[:, None] * says[NEUTRAL]
        mixed = pair_says[pairs[turns.mixed, group]]  # anything where `turns.mixed` is -1
        groups.append(np.where(turns.mixed[:, None] >= 0, mixed, chances))
    return np.stack(groups)


def draw_votes(
    parameters: Parameters, rng: np.random.Generator, turns: Turns
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the raters' answers.

    Args:
        parameters: the generative model.
        rng: source of randomness.
        turns: the turns.

    Returns:
        emotions `(turns, raters)` as indices, and valence and arousal `(turns, raters, 2)`,
        integers from 1 to 5. Raters alternate between reserved and expressive.
    """
    chances = rater_probabilities(parameters, turns)  # (groups, turns, 7)
    raters = parameters.raters_per_group * len(chances)
    votes = np.stack(
        [draw_categories(rng, chances[rater % len(chances)]) for rater in range(raters)], axis=1
    )
    place = np.stack([turns.valence, turns.arousal], axis=-1)[:, None, :]
    noise = rng.normal(0, parameters.rating_sd, (len(turns), raters, 2))
    ratings = np.rint(3 + np.asarray(parameters.rating_scale) * place + noise)
    return votes, np.clip(ratings, 1, 5).astype(int)


def draw_prosody(
    parameters: Parameters,
    rng: np.random.Generator,
    turns: Turns,
    *,
    speaker_offsets: np.ndarray,
) -> np.ndarray:
    """Draw pitch, rate, range and loudness of every turn, `(turns, 4)`.

    Args:
        parameters: the generative model.
        rng: source of randomness.
        turns: the turns.
        speaker_offsets: the habits of each turn's speaker, `(turns, 4)`.
    """
    noise = rng.normal(0, parameters.prosody_noise_sd, (len(turns), len(PROSODY)))
    return expected_prosody(parameters, turns) + speaker_offsets + noise


def expected_prosody(parameters: Parameters, turns: Turns) -> np.ndarray:
    """Return the prosody that arousal and emotion ask for, `(turns, 4)`, without the speaker."""
    driven = turns.arousal[:, None] * np.asarray(parameters.prosody_loading)
    return parameters.speech_signal * (driven + parameters.prosody_offset[turns.emotion])
