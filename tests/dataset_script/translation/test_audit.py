import asyncio
import doctest
import json
import re
import threading
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dataset_script.__main__ import main
from dataset_script.translation import audit as audit_module
from dataset_script.translation.audit import (
    Audit,
    Pair,
    Sampled,
    compare,
    draw,
    fold,
    spoken,
    translated,
    wilson_interval,
    without_context,
)
from dataset_script.translation.chain import Chain
from dataset_script.translation.dialogues import Utterance
from dataset_script.translation.failures import Answer, Usage
from dataset_script.translation.live import LiveRun
from dataset_script.translation.options import ContextOptions, ReportOptions, TranslationOptions
from dataset_script.translation.prices import Budget, Price
from dataset_script.translation.run import Server, audit, estimate_audit, translate
from dataset_script.translation.store import Store

from ..corpus_files import make_segments, write_corpus
from .invented import content_of, make_dialogues

OPTIONS = TranslationOptions()
PRICE = Price(2.0, 0.5, 8.0)


class Model:
    """Words every line whose number is even otherwise when it sees no context."""

    def __init__(self):
        self.bodies = []
        self.tokens_read = 100

    def content(self, body):
        self.bodies.append(body)
        content = content_of(body)
        alone = not content["context_before"] and not content["context_after"]
        return json.dumps(
            {
                "translations": [
                    {"id": turn["id"], "text_en": self._word(turn["text_ko"], alone)}
                    for turn in content["targets"]
                ]
            }
        )

    def _word(self, text_ko, alone):
        number = int(text_ko.rpartition("-")[2])
        if alone and number == 11:
            return "남은 말"
        start = "They want" if alone and number % 2 == 0 else "We want"
        # Marks and case are no change.
        return f"{start} to go to the sea {number}{'!' if alone else '.'}"

    async def __call__(self, body):
        return Answer(self.content(body), None, Usage(100, 0, 20))


@pytest.fixture
def store():
    with Store(":memory:") as opened:
        yield opened


@pytest.fixture
def server(monkeypatch):
    """A model behind a server on this machine; `server.model` keeps what it was asked."""
    model = Model()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):  # noqa: N802 (the library's name)
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            message = {"role": "assistant", "content": model.content(body)}
            answer = {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {
                    "prompt_tokens": model.tokens_read,
                    "completion_tokens": 20,
                    "total_tokens": model.tokens_read + 20,
                },
            }
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    found = Server(f"http://127.0.0.1:{listening.server_port}/v1")
    object.__setattr__(found, "model", model)
    yield found
    listening.shutdown()
    listening.server_close()


def ask(dialogues, store, options, model, *, run="r"):
    chain = Chain(options, store, run=run)
    budget = Budget(options, PRICE, spent=store.total_cost())
    live = LiveRun(options, store, chain, budget=budget, run=run, backoff=0.0)
    asyncio.run(live.translate(lambda: dialogues, ask=model))


def test_a_change_is_one_of_letters_or_digits():
    turn = Utterance("a", "b", "가")
    assert not Pair(turn, "It's five, isn't it?", "its FIVE isn’t it!").is_changed
    assert Pair(turn, "He is 5.", "He is 6.").is_changed
    assert fold("Straße — Ⅷ") == fold("STRASSE ⅷ")


def test_similarity_is_the_shared_part():
    turn = Utterance("a", "b", "가")
    assert Pair(turn, "abcd", "A b c e").similarity == 2 * 3 / 8
    assert Pair(turn, "abc", "xyz").similarity == 0.0
    # Of long texts difflib would call frequent letters junk.
    assert Pair(turn, "x" + "ab" * 200, "ab" * 200).similarity == pytest.approx(800 / 801)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(successes, trials, low, high):
    found = wilson_interval(successes, trials)
    assert found == pytest.approx((low, high), abs=5e-5)
    assert wilson_interval(trials - successes, trials) == pytest.approx(
        (1 - high, 1 - low), abs=5e-5
    )


def test_nothing_audited_has_no_share():
    audited = Audit((), 3)
    assert audited.share != audited.share and audited.similarity != audited.similarity
    assert audited.interval == (0.0, 1.0)


def test_the_sample_is_that_of_its_seed_and_in_order():
    candidates = list(spoken(make_dialogues(20)))
    drawn = draw(candidates, 30, seed=1)
    assert len(set(drawn)) == 30 and drawn == [one for one in candidates if one in drawn]
    assert drawn == draw(iter(candidates), 30, seed=1) != draw(candidates, 30, seed=2)
    # One candidate less does not draw the others anew.
    fewer = [one for one in candidates if one != drawn[0]]
    assert set(drawn[1:]) < set(draw(fewer, 30, seed=1))
    assert draw(candidates, 0, seed=1) == [] and len(draw(candidates, 999, seed=1)) == 240


def test_every_utterance_has_the_same_chance():
    candidates = [Sampled(Utterance(f"kemdy20/{n}", "a", "가")) for n in range(40)]
    drawn = [one for seed in range(400) for one in draw(candidates, 10, seed=seed)]
    counts = [drawn.count(one) for one in candidates]
    assert 70 < min(counts) and max(counts) < 135  # 100 on average, three and a half deviations


def test_a_run_without_context_has_nothing_to_compare():
    options = replace(OPTIONS, context=ContextOptions(0, 0, 1))
    with pytest.raises(ValueError, match=r"`audit` compares with .* leave `--audit` out"):
        without_context(options)


def test_the_sample_sees_nothing_but_itself_and_is_asked_for_once(store):
    dialogues, model = make_dialogues(3), Model()
    ask(dialogues, store, OPTIONS, model)
    paid = len(list(store.answers()))
    sample = draw(translated(dialogues, store, OPTIONS), 9, seed=0)
    alone = without_context(replace(OPTIONS, variants=2))
    for run in ("a", "b"):
        ask([one.alone() for one in sample], store, alone, model, run=run)
    asked = [content_of(body) for body in model.bodies[paid:]]
    for content in asked:
        assert len(content["targets"]) == 1
        assert content["context_before"] == content["context_after"] == []
    ids = Counter(content["targets"][0]["id"] for content in asked)
    assert set(ids) == {one.utterance.id for one in sample}
    assert {row_id for row_id, count in ids.items() if count > 1} == {
        one.utterance.id for one in sample if one.utterance.text_ko.endswith("-11")
    }


@pytest.mark.parametrize("draft", ["none", "llm"])
def test_the_share_is_that_of_what_changed(store, draft):
    options = replace(OPTIONS, draft=draft)
    dialogues, model = make_dialogues(1), Model()
    ask(dialogues, store, options, model)
    sample = draw(translated(dialogues, store, options), 99, seed=0)
    assert len(sample) == 12
    nothing = compare(sample, store, options)
    assert (nothing.pairs, nothing.unanswered) == ((), 12)
    ask([one.alone() for one in sample], store, without_context(options), model)
    audited = compare(sample, store, options)
    assert (len(audited.pairs), audited.unanswered, audited.changed) == (11, 1, 6)
    assert audited.share == 6 / 11 and audited.interval == wilson_interval(6, 11)
    changed = Pair(dialogues[0].utterances[0], "We want to go to the sea 0.", "").similarity
    assert changed == 0.0 < audited.similarity < 1.0
    first = audited.pairs[0]
    assert (first.in_context, first.alone) == (
        "We want to go to the sea 0.",
        "They want to go to the sea 0!",
    )


def test_only_what_is_translated_is_drawn(store):
    dialogues = make_dialogues(2)
    ask(dialogues[:1], store, OPTIONS, Model())
    assert {one.utterance for one in translated(dialogues, store, OPTIONS)} == set(
        dialogues[0].utterances
    )
    assert len(list(spoken(dialogues))) == 24


def run_with_audit(dialogues, store, path, server, *, options=OPTIONS, report=None):
    report = report or ReportOptions(audit=6)
    expected = estimate_audit(lambda: dialogues, store, options, report, PRICE)
    outcome = translate(lambda: dialogues, store, path, options, server=server, price=PRICE, jobs=0)
    before = len(server.model.bodies)
    outcome, audited = audit(
        lambda: dialogues, store, options, report, outcome, server=server, price=PRICE
    )
    return expected, outcome, audited, server.model.bodies[before:]


def test_an_audit_is_counted_before_it_is_asked_and_paid_once(store, server, tmp_path):
    dialogues = [*make_dialogues(1, turns=10)]
    path = tmp_path / "t.jsonl"
    expected, outcome, audited, asked = run_with_audit(dialogues, store, path, server)
    assert expected.requests == expected.jobs == len(asked) == 6
    assert len(audited.pairs) == 6 and outcome.stopped is None
    assert 0 < expected.cost
    assert outcome.cost == store.total_cost() == pytest.approx(PRICE.cost(100, 20) * 7)
    assert outcome.cost_of_run == outcome.cost
    expected, again, audited_again, asked = run_with_audit(dialogues, store, path, server)
    assert (expected.requests, asked, audited_again) == (0, [], audited)
    assert again.cost == outcome.cost and again.cost_of_run == 0


def test_an_audit_keeps_to_the_limit_of_the_run(store, server, tmp_path):
    dialogues = make_dialogues(1, turns=10)
    path = tmp_path / "t.jsonl"
    options = replace(OPTIONS, max_cost=0.02)  # room for the run, not for all of the audit
    server.model.tokens_read = 2000
    _, outcome, audited, _ = run_with_audit(
        dialogues, store, path, server, options=options, report=ReportOptions(audit=10)
    )
    assert outcome.counts["ok"] == 10
    assert re.match(r"`max_cost` 0.02 would be passed", outcome.stopped or "none")
    assert outcome.cost == store.total_cost() <= 0.02
    assert len(audited.pairs) + audited.unanswered == 10 and audited.unanswered > 0


def test_a_run_that_stopped_is_not_audited_further(store, server, tmp_path):
    dialogues = make_dialogues(1, turns=10)
    outcome = translate(
        lambda: dialogues, store, tmp_path / "t", OPTIONS, server=server, price=PRICE, jobs=0
    )
    stopped = replace(outcome, stopped="Interrupted")
    before = len(server.model.bodies)
    found, audited = audit(
        lambda: dialogues, store, OPTIONS, ReportOptions(audit=4), stopped, server=server,
        price=PRICE,
    )  # fmt: skip
    assert found == stopped and audited.unanswered == 4
    assert len(server.model.bodies) == before


def test_examples_are_true():
    assert doctest.testmod(audit_module).failed == 0


@pytest.mark.parametrize("options", [(), ("--batch",)])
def test_the_command_counts_the_audit_before_it_asks(
    tmp_path, server, capsys, monkeypatch, options
):
    segments = make_segments(1, turns=6)
    for place, segment in enumerate(segments):
        segment.samples, segment.text = None, f"바다에 가자고 했잖아 정말 {place}-{2 * place}"
    corpus = write_corpus(tmp_path / "KEMDy20", segments)
    arguments = ["translate", str(corpus.root), "--config", "kemdy20", "--output"]
    arguments += [str(tmp_path / "t.jsonl"), "--base-url", server.base_url, "--audit", "5"]
    assert main([*arguments, "--dry-run", *options]) == 0
    told = capsys.readouterr().out
    assert "audit        5 of them again without context: 5 more requests" in told
    assert server.model.bodies == [] and not (tmp_path / "t.report.html").exists()
    if options:
        return
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert told.index("again without context") < told.index("The transcripts go to")
    assert f"Read what to distrust: {tmp_path / 't.report.html'}" in told
    audited = json.loads((tmp_path / "t.report.json").read_text())["audit"]
    # Turns of the same words are one question; the model words all even numbers otherwise.
    assert (audited["pairs"], audited["changed"]) == (5, 5)
    assert main(arguments) == 0
    assert "0 more requests" in capsys.readouterr().out
    assert main([*arguments, "--context-before", "0", "--context-after", "0"]) == 2
    assert "leave `--audit` out" in capsys.readouterr().err


def test_an_audit_beside_a_batch_is_priced_without_its_discount(tmp_path, capsys):
    segments = make_segments(1, turns=6)
    corpus = write_corpus(tmp_path / "KEMDy20", segments)
    arguments = ["translate", str(corpus.root), "--config", "kemdy20", "--dry-run", "--output"]
    arguments += [str(tmp_path / "t.jsonl"), "--audit", "12", "--prices", str(tmp_path / "p.json")]
    entry = {"input": 10000.0, "cached_input": 1.0, "output": 10000.0}
    prices = {"batch_discount": 0.5, "models": {"gpt-4.1": entry}}
    (tmp_path / "p.json").write_text(json.dumps(prices))
    costs = []
    for options in ((), ("--batch",)):
        assert main([*arguments, *options]) == 0
        told = capsys.readouterr().out
        costs.append(
            (
                float(re.search(r"about ([\d.]+) dollars \(", told)[1]),
                float(re.search(r"about ([\d.]+) dollars more", told)[1]),
            )
        )
    assert costs[1][0] == pytest.approx(costs[0][0] / 2, abs=0.01)
    assert costs[1][1] == costs[0][1] > 0
