import asyncio
import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from dataset_script.translation import live as live_module
from dataset_script.translation.chain import Chain
from dataset_script.translation.failures import Answer, StopError, TransientError, Usage
from dataset_script.translation.live import LiveRun
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.prices import Budget, Price
from dataset_script.translation.store import Store

from .invented import answer_to, content_of, english_of, good_answer, make_dialogue, make_dialogues

PRICE = Price(2.0, 0.5, 8.0)
OPTIONS = TranslationOptions(concurrency=4)


class Model:
    """Answers flawlessly but where `faults` say otherwise; keeps what it was asked."""

    def __init__(self, *faults, delay=0.0):
        self.bodies = []
        self.most = 0
        self._faults = list(faults)
        self._delay = delay
        self._now = 0

    async def __call__(self, body):
        self.bodies.append(body)
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(self._delay)
        self._now -= 1
        for fault in self._faults:
            answer = fault(body)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return answer
        return good_answer(body)

    def asked(self):
        """How often each id was a target."""
        return Counter(t["id"] for body in self.bodies for t in content_of(body)["targets"])


def first(count, make):
    """Let the first requests come to something else."""
    left = [count]

    def fault(body):
        if left[0] == 0:
            return None
        left[0] -= 1
        return make(body)

    return fault


def about(row_id, make):
    """Let every request with a target come to something else."""

    def fault(body):
        ids = [target["id"] for target in content_of(body)["targets"]]
        return make(body) if row_id in ids else None

    return fault


def without_hangul_check(row_id):
    """Leave Korean in the translation of one utterance."""

    def make(body):
        answer = json.loads(answer_to(body))
        for entry in answer["translations"]:
            if entry["id"] == row_id:
                entry["text_en"] += " 바다"
        return Answer(json.dumps(answer), None, Usage(100, 0, 20))

    return about(row_id, make)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def run(store, model, dialogues, options=OPTIONS, *, name="r1", spent=0.0):
    settled = []
    live = LiveRun(
        options,
        store,
        Chain(options, store, run=name),
        budget=Budget(options, PRICE, spent=spent),
        run=name,
        on_settled=lambda good, bad: settled.append((good, bad)),
        backoff=0.001,
    )
    asyncio.run(live.translate(lambda: dialogues, ask=model))
    live.settled = (sum(good for good, _ in settled), sum(bad for _, bad in settled))
    return live


def look_up(store, dialogue, options=OPTIONS):
    return Chain(options, store, run="look").look_up(dialogue)


def test_every_utterance_is_translated_once_by_as_few_requests_as_can_be(store):
    dialogues = make_dialogues(5, turns=24)
    model = Model(delay=0.002)
    live = run(store, model, dialogues)
    assert live.stopped is None and live.settled == (120, 0)
    assert set(model.asked().values()) == {1} and len(model.asked()) == 120
    assert len(model.bodies) == 15 and model.most == 4
    for dialogue in dialogues:
        results = look_up(store, dialogue).results["translate"]
        assert [r.texts[0] for r in results] == [english_of(t.text_ko) for t in dialogue.spoken]
    assert store.total_cost() == pytest.approx(15 * PRICE.cost(100, 20))


def test_nothing_is_asked_that_was_answered(store):
    dialogues = make_dialogues(3)
    run(store, Model(), dialogues)
    again = Model()
    run(store, again, dialogues, name="r2")
    assert again.bodies == []
    changed = replace(
        dialogues[1],
        utterances=tuple(
            replace(turn, text_ko="다른 말을 했다고 하더라") if place == 11 else turn
            for place, turn in enumerate(dialogues[1].utterances)
        ),
    )
    run(store, again, [dialogues[0], changed, dialogues[2]], name="r3")
    assert sorted(again.asked()) == [dialogues[1].utterances[n].id for n in (8, 10, 9, 11)]


def test_a_line_that_fails_is_asked_again_alone_and_then_marked(store):
    dialogue = make_dialogue()
    bad = dialogue.utterances[4].id
    model = Model(without_hangul_check(bad))
    live = run(store, model, [dialogue])
    assert model.asked() == Counter({t.id: 1 for t in dialogue.utterances} | {bad: 4})
    alone = model.bodies[2:]
    assert [len(content_of(body)["targets"]) for body in alone] == [1, 1, 1]
    assert len(content_of(alone[0])["context_before"]) == 3
    assert "Korean letters were left" in alone[0]["messages"][1]["content"]
    results = look_up(store, dialogue).results["translate"]
    assert [result.is_good for result in results] == [n != 4 for n in range(12)]
    assert results[4].fault == "hangul: Korean letters are left"
    assert live.settled == (11, 1) and live.stopped is None
    # The next run asks for it, and for nothing else.
    after = Model()
    run(store, after, [dialogue], name="r2")
    assert after.asked() == Counter([bad])
    assert all(result.is_good for result in look_up(store, dialogue).results["translate"])


def test_what_the_second_try_gives_is_kept(store):
    dialogue = make_dialogue(turns=5)
    bad = dialogue.utterances[2].id
    model = Model(first(1, without_hangul_check(bad)))
    run(store, model, [dialogue])
    assert model.asked()[bad] == 2 and len(model.bodies) == 2
    assert all(result.is_good for result in look_up(store, dialogue).results["translate"])


@pytest.mark.parametrize(
    "fault",
    ["length: the answer was cut off", "content_filter: the server withheld the answer"]
    + ["refusal: no \ud83d", "rejected: too long"],
)
def test_an_answer_that_is_none_costs_its_window_and_not_its_lines(store, fault):
    dialogue = make_dialogue(turns=10)
    model = Model(
        lambda body: Answer("", fault, Usage(9, 0, 1)) if len(model.bodies) == 1 else None
    )
    live = run(store, model, [dialogue], replace(OPTIONS, attempts=1))
    assert live.settled == (10, 0) and len(model.bodies) == 11
    assert len(list(store.answers())) == 11


def test_a_fault_in_odd_letters_is_kept_too(store):
    dialogue = make_dialogue(turns=1)
    model = Model(lambda body: Answer("", "refusal: no \ud83d", Usage(9, 0, 1)))
    run(store, model, [dialogue])
    assert look_up(store, dialogue).results["translate"][0].fault == "refusal: no ?"


def test_ids_that_do_not_agree_are_all_asked_again(store):
    dialogue = make_dialogue(turns=10)

    def shift(body):
        entries = json.loads(answer_to(body))["translations"]
        shifted = [
            {"id": e["id"], "text_en": n["text_en"]}
            for e, n in zip(entries, entries[1:], strict=False)
        ]
        return Answer(json.dumps({"translations": shifted}), None, Usage(1, 0, 1))

    model = Model(first(1, shift))
    run(store, model, [dialogue])
    results = look_up(store, dialogue).results["translate"]
    assert [r.texts[0] for r in results] == [english_of(t.text_ko) for t in dialogue.spoken]


@pytest.mark.parametrize(
    "error",
    [
        TransientError("too much", wait=0.01, is_refusal=True),
        TransientError("HTTP 500"),
        TransientError("no answer in time", may_be_paid=True),
        TransientError("the answer is broken", may_be_paid=True),
    ],
)
def test_a_failure_that_passes_is_waited_out(store, error):
    dialogues = make_dialogues(2)
    model = Model(first(2, lambda body: error))
    live = run(store, model, dialogues)
    assert live.settled == (24, 0) and live.stopped is None
    assert live.lost_money == (2 if error.may_be_paid else 0)


def test_refusals_make_it_slower_and_lose_nothing(store):
    dialogues = make_dialogues(8, turns=20)
    model = Model(delay=0.003)
    refusing = [0]

    def refuse(body):
        if model._now >= 2:
            refusing[0] += 1
            return TransientError("too much", wait=0.01, is_refusal=True)
        return None

    model._faults.append(refuse)
    live = run(store, model, dialogues, replace(OPTIONS, concurrency=8))
    assert live.settled == (160, 0) and refusing[0] < 30


def test_a_server_that_is_not_there_is_said_at_once(store):
    model = Model(lambda body: TransientError("no connection (refused)", is_silent=True))
    live = run(store, model, make_dialogues(20))
    assert "The server does not answer: no connection (refused); check `--base-url`" in live.stopped
    assert len(model.bodies) <= 3 * 4 and list(store.results()) == []


def test_requests_that_all_come_to_nothing_stop_the_run(store, monkeypatch):
    monkeypatch.setattr(live_module, "TRIES", 2)
    model = Model(
        lambda body: TransientError("HTTP 500: broken") if len(model.bodies) > 3 else None
    )
    live = run(store, model, make_dialogues(40, turns=10))
    assert "5 requests in a row came to nothing, the last by: HTTP 500: broken" in live.stopped
    assert 10 <= len(model.bodies) <= 3 + 2 * (5 + 4) + 4
    faults = {r.fault for r in store.results() if r.fault}
    assert faults == {"server: HTTP 500: broken"}


def test_a_single_request_that_comes_to_nothing_is_marked_and_the_rest_goes_on(store, monkeypatch):
    monkeypatch.setattr(live_module, "TRIES", 2)
    dialogues = make_dialogues(6, turns=10)
    bad = dialogues[2].utterances[0].id
    model = Model(about(bad, lambda body: TransientError("HTTP 500: broken")))
    live = run(store, model, dialogues)
    assert live.stopped is None and live.settled == (50, 10)
    assert model.asked()[bad] <= 3  # and not three times alone on top


def test_a_reason_to_stop_lets_those_in_flight_end_and_nothing_start(store):
    dialogues = make_dialogues(40, turns=10)
    model = Model(delay=0.01)
    model._faults.append(
        lambda body: StopError("The account has no quota left") if len(model.bodies) > 8 else None
    )
    live = run(store, model, dialogues)
    assert live.stopped == "The account has no quota left"
    assert len(model.bodies) <= 8 + 4
    assert all(result.is_good for result in store.results())  # nothing is marked for it
    done = len(list(store.results()))
    after = Model()
    live = run(store, after, dialogues, name="r2")
    assert sum(after.asked().values()) == 400 - done


@pytest.mark.parametrize("is_refusal", [True, False])
def test_a_run_that_is_stopped_does_not_wait_for_a_time_far_away(store, is_refusal):
    dialogues = make_dialogues(40, turns=10)
    late = TransientError("later", wait=300.0, is_refusal=is_refusal)
    model = Model(lambda body: late if len(model.bodies) > 4 else None)
    options = replace(OPTIONS, concurrency=2)
    live = LiveRun(
        options,
        store,
        Chain(options, store, run="r1"),
        budget=Budget(options, PRICE, spent=0.0),
        run="r1",
    )

    async def main():
        asyncio.get_running_loop().call_later(0.3, live.stop, "Interrupted")
        await live.translate(lambda: dialogues, ask=model)

    began = time.monotonic()
    asyncio.run(main())
    assert live.stopped == "Interrupted" and time.monotonic() - began < 3


def test_the_limit_of_money_is_never_passed_and_the_next_run_goes_on(store):
    dialogues = make_dialogues(30, turns=10)
    # One request may cost up to .02 and costs .0004, so that the promise matters.
    costs = replace(OPTIONS, max_cost=0.03)
    model = Model(delay=0.002)
    live = run(store, model, dialogues, costs)
    assert "`max_cost` 0.03 would be passed by the next request" in live.stopped
    assert 0 < store.total_cost() <= 0.03 and len(model.bodies) > 5
    before = len(model.bodies)
    live = run(store, model, dialogues, costs, name="r2", spent=store.total_cost())
    # Of the store, not of a run; with nothing in flight, one or two more may fit.
    assert len(model.bodies) <= before + 3 and store.total_cost() <= 0.03
    live = run(store, model, dialogues, name="r3", spent=store.total_cost())
    assert live.stopped is None and len(list(store.results())) == 300


def test_refusals_under_a_limit_of_money_do_not_end_the_run(store):
    dialogues = make_dialogues(6, turns=10)
    model = Model(first(4, lambda body: TransientError("x", wait=0.05, is_refusal=True)))
    live = run(store, model, dialogues, replace(OPTIONS, max_cost=0.06))
    assert live.stopped is None and len(list(store.results())) == 60


def test_many_refusals_are_waited_out_and_are_no_failures(store):
    model = Model(first(40, lambda body: TransientError("x", wait=0.0, is_refusal=True)))
    live = run(store, model, make_dialogues(1))
    assert live.stopped is None and live.settled == (12, 0)


def test_an_error_of_ours_ends_the_run_and_is_seen(store, monkeypatch):
    def full(results, paid=None):
        raise OSError("the disk is full")

    monkeypatch.setattr(store, "add", full)
    with pytest.raises(OSError, match="the disk is full"):
        run(store, Model(delay=0.001), make_dialogues(50))


def test_steps_follow_each_other(store):
    options = replace(OPTIONS, draft="llm", variants=2)
    dialogues = make_dialogues(2)
    model = Model()
    live = run(store, model, dialogues, options)
    assert live.settled == (72, 0)
    standing = look_up(store, dialogues[0], options)
    drafts = [english_of(turn.text_ko) for turn in dialogues[0].spoken]
    refined = [
        english_of(turn.text_ko + draft)
        for turn, draft in zip(dialogues[0].spoken, drafts, strict=True)
    ]
    assert [r.texts[0] for r in standing.results["draft"]] == drafts
    assert [r.texts[0] for r in standing.results["refine"]] == refined
    assert standing.results["vary"][0].texts == (f"{refined[0]} v0", f"{refined[0]} v1")
    kinds = [body["messages"][0]["content"][:10] for body in model.bodies]
    assert kinds == sorted(kinds, key=["You draft ", "You refine", "You reword"].index)


def test_equal_lines_without_context_are_asked_once(store):
    options = replace(OPTIONS, context=ContextOptions(0, 0, 1))
    dialogues = [make_dialogue(f"Sess{n:02d}_script01", turns=4) for n in range(6)]
    model = Model(delay=0.003)
    run(store, model, dialogues, options)
    assert len(model.bodies) == 4  # the six dialogues say the same
    assert all(
        r.is_good for d in dialogues for r in look_up(store, d, options).results["translate"]
    )


def test_a_server_that_does_not_count_is_counted_for(store):
    model = Model(lambda body: Answer(answer_to(body), None, None))
    run(store, model, make_dialogues(1))
    (first_paid, *_) = store.answers()
    assert first_paid.prompt_tokens > 500 and first_paid.completion_tokens > 50
