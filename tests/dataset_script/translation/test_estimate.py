import asyncio

import pytest

from dataset_script.translation.chain import Chain
from dataset_script.translation.estimate import estimate_run
from dataset_script.translation.live import LiveRun
from dataset_script.translation.options import TranslationOptions
from dataset_script.translation.prices import Budget, Price
from dataset_script.translation.store import Store

from .invented import good_answer, make_dialogue, make_dialogues

PRICE = Price(2.0, 0.5, 8.0)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def _estimate(store, dialogues, options):
    budget = Budget(options, PRICE, spent=0.0)
    chain = Chain(options, store, run="", guesses=True)
    return estimate_run(dialogues, chain, options, budget)


def _translate(store, dialogues, options):
    bodies = []

    async def ask(body):
        bodies.append(body)
        return good_answer(body)

    budget = Budget(options, PRICE, spent=0.0)
    live = LiveRun(options, store, Chain(options, store, run="r"), budget=budget, run="r")
    asyncio.run(live.translate(lambda: dialogues, ask=ask))
    return bodies


@pytest.mark.parametrize(
    "options", [TranslationOptions(), TranslationOptions(draft="llm", variants=2)]
)
def test_the_requests_that_are_counted_are_those_that_are_made(store, options):
    dialogues = make_dialogues(4, turns=23)
    expected = _estimate(store, dialogues, options)
    assert expected.utterances == 92 and expected.jobs == 92 * len(options.steps)
    assert expected.done == 0
    bodies = _translate(store, dialogues, options)
    assert len(bodies) == expected.requests == 12 * len(options.steps)
    after = _estimate(store, dialogues, options)
    assert (after.jobs, after.requests, after.cost) == (0, 0, 0.0)
    assert after.done == expected.jobs


def test_what_is_there_is_not_counted_again(store):
    dialogues = make_dialogues(4)
    _translate(store, dialogues[:3], TranslationOptions())
    expected = _estimate(store, dialogues, TranslationOptions())
    assert (expected.jobs, expected.done, expected.requests) == (12, 36, 2)


def test_cost_follows_from_tokens_and_grows_with_the_context(store):
    dialogues = [make_dialogue(turns=20, empty=(3,))]
    expected = _estimate(store, dialogues, TranslationOptions())
    cost = PRICE.cost(expected.prompt_tokens, expected.completion_tokens)
    assert expected.cost == pytest.approx(cost) and expected.cost > 0
    assert (expected.utterances, expected.empty) == (19, 1)
    letters = sum(len(turn.text_ko) for turn in dialogues[0].spoken)
    assert expected.letters == letters
