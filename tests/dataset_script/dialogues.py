"""Invented dialogues, some of which play scripts as actors do."""

import numpy as np

SCRIPTS, SESSIONS, SINGLES = 6, 20, 4


def _make_speaker(rng):
    """Draw an invented language of which a few words are common; return what says some of it."""
    chances = 1 / np.arange(1, 4001)
    vocabulary = [
        "".join(chr(0xAC00 + 28 * syllable) for syllable in rng.integers(0, 399, length))
        for length in rng.integers(2, 5, len(chances))
    ]
    chances /= chances.sum()
    return lambda count: list(rng.choice(vocabulary, count, p=chances))


def make_dialogues(*, replaced, scripts=SCRIPTS, sessions=SESSIONS, singles=SINGLES, seed=0):
    """Texts of invented dialogues, and the script of each; the numbers in their names lie.

    `replaced` is the share of a script's words that an actor says otherwise; 5 to 15 % of its lines
    are skipped as well.
    """
    rng = np.random.default_rng(seed)
    words = _make_speaker(rng)
    written = [[words(rng.integers(3, 9)) for _ in range(45)] for _ in range(scripts)]
    texts, truth = {}, {}
    for session in range(1, sessions + 1):
        for number, script in enumerate(rng.permutation(scripts), 1):
            skipped = rng.uniform(0.05, 0.15)
            said = [
                word if rng.random() >= replaced else words(1)[0]
                for line in written[script]
                if rng.random() >= skipped
                for word in line
            ]
            texts[session, f"script{number:02d}"] = " ".join(said)
            truth[session, f"script{number:02d}"] = int(script)
        for number in range(1, singles + 1):
            texts[session, f"impro{number:02d}"] = " ".join(words(250))
            truth[session, f"impro{number:02d}"] = 100 * session + number
    return texts, truth
