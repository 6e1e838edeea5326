"""How well a perfect model could score on the sample corpus: Bayes exact match by modality.

The best answer to an observation is the label set with the largest posterior probability. Hidden
states are drawn from the generative model as particles; those that explain an observation, weighted
by how well, give the posterior; each particle brings its consensus distribution (`consensus`). A
listener knows the prosody but not the speaker's habits; a reader knows the turn's line alone, in
literal or contextual English.
"""

from __future__ import annotations

import numpy as np

from .consensus import calibrate_neutral, label_sets, tabulate_consensus
from .generative import LINE_KINDS, Turns, draw_prosody, draw_turns, expected_prosody
from .lexicon import EVENTS
from .parameters import PROSODY, Parameters

ORACLE_ROWS = (
    "nothing",
    "speech",
    "text (literal)",
    "text (contextual)",
    "both (literal)",
    "both (contextual)",
    "hidden state",
)
TURNS_PER_DIALOGUE = 20
PARTICLES_PER_OBSERVATION = 8_000
OBSERVATIONS_AT_ONCE = 200  # bounds memory: 200 * 8,000 weights are 13 MB


def bayes_exact_match(
    parameters: Parameters, *, particles: int = 60_000, observations: int = 2_000, seed: int = 0
) -> dict[str, float]:
    """Compute the exact match of the best possible answers.

    Args:
        parameters: the generative model.
        particles: hidden states drawn to integrate over.
        observations: turns scored; the standard error is about `0.45 / sqrt(observations)`.
        seed: of the draws.

    Returns:
        Exact match in `[0, 1]` for each of `ORACLE_ROWS`: what is observed.

    Raises:
        ValueError: if `particles` or `observations` are too few.
    """
    for name, value in (("particles", particles), ("observations", observations)):
        if value < TURNS_PER_DIALOGUE:
            raise ValueError(f"`{name}` is {value}; it must be {TURNS_PER_DIALOGUE} or more.")
    rng = np.random.default_rng(seed)
    table = tabulate_consensus(parameters)
    bias = calibrate_neutral(parameters, table)
    sizes = {"turns_per_dialogue": TURNS_PER_DIALOGUE, "neutral_bias": bias}
    pool = draw_turns(parameters, rng, dialogues=particles // TURNS_PER_DIALOGUE, **sizes)
    seen = draw_turns(parameters, rng, dialogues=observations // TURNS_PER_DIALOGUE, **sizes)
    speaker = rng.normal(0, parameters.speaker_sd, (len(seen), len(PROSODY)))
    prosody = draw_prosody(parameters, rng, seen, speaker_offsets=speaker)

    pool_sets, truth = table.of_turns(pool), table.of_turns(seen)  # (turns, sets)
    weigh = _SpeechLikelihood(parameters, pool)
    nothing = np.zeros(len(pool), dtype=int), np.zeros(len(seen), dtype=int)
    literal = _literal_symbol(pool), _literal_symbol(seen)
    contextual = _contextual_symbol(parameters, pool), _contextual_symbol(parameters, seen)
    scores = [
        _exact_match(pool_sets, truth, symbols, prosody=heard, weigh=weigh, rng=rng)
        for symbols, heard in (
            (nothing, None),
            (nothing, prosody),
            (literal, None),
            (contextual, None),
            (literal, prosody),
            (contextual, prosody),
        )
    ]
    scores.append(float(truth.max(1).mean()))
    return dict(zip(ORACLE_ROWS, scores, strict=True))


def format_oracle(scores: dict[str, float], parameters: Parameters) -> str:
    """Return the table that `sample --oracle` prints."""
    signals = (
        f"speech signal {parameters.speech_signal:g}, text signal {parameters.text_signal:g}, "
        f"context signal {parameters.context_signal:g}, neutral {parameters.neutral:g}"
    )
    lines = ["Bayes exact match on the synthetic sample corpus", f"({signals})", ""]
    lines += [f"  {name:<18} {score:.3f}" for name, score in scores.items()]
    return "\n".join(
        [*lines, "", f"Label sets that can occur: {len(label_sets(parameters))}. Synthetic."]
    )


class _SpeechLikelihood:
    """How likely each particle makes an observed prosody; the speaker's habits integrated out."""

    def __init__(self, parameters: Parameters, pool: Turns) -> None:
        self._sd = np.hypot(parameters.speaker_sd, parameters.prosody_noise_sd)
        self._expected = expected_prosody(parameters, pool) / self._sd

    def __call__(self, prosody: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return weights of the chosen particles, each row up to a factor.

        Args:
            prosody: what is heard of some turns, `(turns, 4)`.
            chosen: indices of particles, `(particles,)`.

        Returns:
            `(turns, particles)`, the largest of each row 1.
        """
        expected = self._expected[chosen]
        logs = (prosody / self._sd) @ expected.T - np.square(expected).sum(1) / 2
        return np.exp(logs - logs.max(1, keepdims=True))


def _exact_match(
    pool_sets: np.ndarray,
    truth: np.ndarray,
    symbols: tuple[np.ndarray, np.ndarray],
    *,
    prosody: np.ndarray | None,
    weigh: _SpeechLikelihood,
    rng: np.random.Generator,
) -> float:
    """Score the best answers for turns of which a symbol and perhaps the prosody are observed.

    Args:
        pool_sets: consensus distributions of the particles, `(particles, sets)`.
        truth: consensus distributions of the observed turns, `(observations, sets)`.
        symbols: what the text shows of each particle and of each observed turn.
        prosody: `(observations, 4)`, or None if nothing is heard.
        weigh: likelihood of a prosody under particles.
        rng: chooses the particles where there are more than needed.
    """
    hits = []
    for symbol in np.unique(symbols[1]):
        candidates = np.flatnonzero(symbols[0] == symbol)
        if len(candidates) == 0:
            raise ValueError(
                f"None of the {len(symbols[0])} `particles` shows a text that an observed turn "
                "shows; give more."
            )
        if len(candidates) > PARTICLES_PER_OBSERVATION:
            candidates = rng.choice(candidates, PARTICLES_PER_OBSERVATION, replace=False)
        sets = pool_sets[candidates]  # (candidates, sets)
        turns = np.flatnonzero(symbols[1] == symbol)
        for some in np.array_split(turns, -(-len(turns) // OBSERVATIONS_AT_ONCE)):
            weights = np.ones((len(some), len(candidates)))
            if prosody is not None:
                weights = weigh(prosody[some], candidates)
            hits.append(truth[some, (weights @ sets).argmax(1)])
    return float(np.concatenate(hits).mean())


def _literal_symbol(turns: Turns) -> np.ndarray:
    """Number what a reader of one literal line learns: its kind and what it names."""
    return turns.line_kind * 16 + turns.line_topic + 1


def _contextual_symbol(parameters: Parameters, turns: Turns) -> np.ndarray:
    """Number what a reader of one contextual line learns: the cue too, where it is in sight."""
    in_sight = (turns.position > 0) & (turns.position <= parameters.cue_window)
    resolved = (turns.line_kind == LINE_KINDS.index("ambiguous")) & in_sight
    sense = np.where(resolved, turns.stated_event, len(EVENTS))
    return _literal_symbol(turns) * 16 + sense
