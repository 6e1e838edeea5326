from collections import Counter, defaultdict

import numpy as np
import pytest

from dataset_script.layout import EMOTIONS
from dataset_script.sample import oracle
from dataset_script.sample.consensus import calibrate_neutral, tabulate_consensus
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.oracle import ORACLE_ROWS, bayes_exact_match, format_oracle
from dataset_script.sample.parameters import Parameters
from dataset_script.sample.session import SampleOptions, draw_session

TOLERANCE = 0.03
NOISE = 0.015  # of finite particles, on the same observations


@pytest.fixture(scope="module")
def score():
    """Score parameters by fewer particles for each observation; each setting once."""
    known = {}

    def scored(**settings):
        key = tuple(settings.items())
        if key not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(oracle, "PARTICLES_PER_OBSERVATION", 2000)
                known[key] = bayes_exact_match(Parameters(**settings), observations=6000)
        return known[key]

    return scored


def test_the_default_has_the_documented_scores(score):
    documented = (0.42, 0.67, 0.52, 0.65, 0.73, 0.79, 0.94)
    scores = score()
    assert tuple(scores) == ORACLE_ROWS
    assert list(scores.values()) == pytest.approx(documented, abs=TOLERANCE)


def test_each_modality_has_its_own_to_say(score):
    scores = score()
    assert scores["both (contextual)"] > scores["speech"] + 0.10
    assert scores["both (contextual)"] > scores["text (contextual)"] + 0.10
    assert scores["text (contextual)"] > scores["text (literal)"] + 0.10
    assert scores["both (contextual)"] > scores["both (literal)"] + 0.05


def test_without_text_signal_the_text_is_worth_nothing(score):
    scores = score(text_signal=0.0)
    for style in ("literal", "contextual"):
        assert scores[f"text ({style})"] == pytest.approx(scores["nothing"], abs=NOISE)
        assert scores[f"both ({style})"] == pytest.approx(scores["speech"], abs=NOISE)
    assert scores["speech"] == pytest.approx(score()["speech"], abs=TOLERANCE)


def test_without_speech_signal_the_voice_is_worth_nothing(score):
    scores = score(speech_signal=0.0)
    assert scores["speech"] == pytest.approx(scores["nothing"], abs=NOISE)
    for style in ("literal", "contextual"):
        assert scores[f"both ({style})"] == pytest.approx(scores[f"text ({style})"], abs=NOISE)
    assert scores["text (contextual)"] == pytest.approx(score()["text (contextual)"], abs=TOLERANCE)


def test_without_context_signal_the_dialogue_is_worth_nothing(score):
    scores = score(context_signal=0.0)
    assert scores["text (contextual)"] == pytest.approx(scores["text (literal)"], abs=NOISE)
    assert scores["both (contextual)"] == pytest.approx(scores["both (literal)"], abs=NOISE)
    assert scores["text (literal)"] > scores["nothing"] + 0.05


def test_the_share_of_neutral_is_what_the_majority_answer_scores(score):
    assert score(neutral=0.83)["nothing"] == pytest.approx(0.83, abs=0.02)
    assert score(neutral=0.83)["hidden state"] > 0.95


def test_the_text_scores_are_those_of_counting_in_a_drawn_corpus():
    """The best constant answer to each English line, counted over 150 sessions."""
    options = SampleOptions(sessions=150, seed=9)
    bias = calibrate_neutral(options.parameters, tabulate_consensus(options.parameters))
    lexicon = load_lexicon()
    answers = {style: defaultdict(Counter) for style in ("nothing", "literal", "contextual")}
    turns = 0
    for number in range(1, options.sessions + 1):
        session = draw_session(number, options, lexicon, neutral_bias=bias)
        turns += len(session.lines)
        for votes, english in zip(session.votes, session.renderings, strict=True):
            counts = np.bincount(votes, minlength=len(EMOTIONS))
            consensus = tuple(counts == counts.max())
            answers["nothing"][""][consensus] += 1
            answers["literal"][english.literal][consensus] += 1
            answers["contextual"][english.contextual][consensus] += 1
    counted = {
        style: sum(max(sets.values()) for sets in by_text.values()) / turns
        for style, by_text in answers.items()
    }
    documented = {"nothing": 0.42, "literal": 0.52, "contextual": 0.65}
    assert counted == pytest.approx(documented, abs=TOLERANCE)


def test_the_seed_decides_the_draws():
    sizes = {"particles": 4000, "observations": 100}
    first = bayes_exact_match(Parameters(), **sizes, seed=1)
    assert first == bayes_exact_match(Parameters(), **sizes, seed=1)
    assert first != bayes_exact_match(Parameters(), **sizes, seed=2)


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="`observations` is 19; it must be 20 or more"):
        bayes_exact_match(Parameters(), observations=19)
    with pytest.raises(ValueError, match="None of the 20 `particles`"):
        bayes_exact_match(Parameters(), particles=20, observations=400)


def test_the_table_says_what_it_is_of():
    scores = dict(zip(ORACLE_ROWS, np.linspace(0.1, 0.7, 7), strict=True))
    printed = format_oracle(scores, Parameters(text_signal=0.25, neutral=0.83))
    assert "synthetic" in printed.splitlines()[0]
    assert "text signal 0.25" in printed and "neutral 0.83" in printed
    assert "speech signal 1," in printed and "context signal 1," in printed
    for name, value in scores.items():
        assert f"{name} " in printed and f" {value:.3f}" in printed
