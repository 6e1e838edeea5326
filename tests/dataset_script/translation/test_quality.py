import asyncio
import doctest
import json
import re
import tracemalloc
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dataset_script.translation import quality as quality_module
from dataset_script.translation.audit import Audit, Pair
from dataset_script.translation.chain import Chain
from dataset_script.translation.failures import Answer, Usage
from dataset_script.translation.live import LiveRun
from dataset_script.translation.options import ContextOptions, ReportOptions, TranslationOptions
from dataset_script.translation.output import write_translations
from dataset_script.translation.prices import Budget, Price
from dataset_script.translation.quality import (
    choose_dialogues,
    describe_context,
    kind_of,
    write_report,
)
from dataset_script.translation.store import Store

from .invented import SOURCE, answer_to, make_dialogue, make_dialogues

OPTIONS = TranslationOptions()
PRICE = Price(2.0, 0.5, 8.0)


@pytest.fixture
def store():
    with Store(":memory:") as opened:
        yield opened


def write_lines(path, dialogues, change=lambda n, line: line):
    """A file as a run writes it, without a run; every line is two letters to one of Korean."""
    n = 0
    with open(path, "w", encoding="utf-8") as file:
        for dialogue in dialogues:
            for turn in dialogue.utterances:
                line = {"id": turn.id, "text_en": "", "status": "empty"}
                if turn.text_ko:
                    text = "e" * (2 * len(turn.text_ko))
                    line.update(text_en=text, status="ok", flags=[])
                file.write(json.dumps(change(n, line)) + "\n")
                n += 1


def report_on(path, dialogues, store, *, options=OPTIONS, synthetic=True, audit=None, **report):
    page, numbers = write_report(
        path,
        lambda: dialogues,
        store,
        options,
        ReportOptions(**report),
        title="KEMDy20",
        synthetic=synthetic,
        audit=audit,
    )
    return page.read_text(encoding="utf-8"), json.loads(numbers.read_text(encoding="utf-8"))


def shown_ids(page, part):
    """Numbers of the turns in a part of the page, by dialogue, with how each is shown."""
    section = page[page.index(f">{part}<") :]
    section = section[: section.index('<h2 class="part">', 10)] if "<h2" in section[9:] else section
    rows = re.findall(
        r'<tr class="(\w+)(?: gap)?">.*?<code>kemdy20/(\w+?)_User.*?_(\d+)<', section, re.S
    )
    return [(name, int(turn), kind) for kind, name, turn in rows]


def mark(*places, flag=()):
    def change(n, line):
        if n in places:
            return {"id": line["id"], "text_en": "", "status": "failed", "reason": f"empty: {n}"}
        return {**line, "flags": ["length"]} if n in flag else line

    return change


def test_a_run_is_told_as_it_was(store, tmp_path):
    dialogues = [make_dialogue(turns=12, empty=(4,))]
    marked = dialogues[0].utterances[7].id

    async def ask(body):
        answer = json.loads(answer_to(body))
        for entry in answer["translations"]:
            if entry["id"] == marked:
                entry["text_en"] = "남은 말"
        return Answer(json.dumps(answer), None, Usage(100, 10, 20))

    options = replace(OPTIONS, attempts=1)
    chain = Chain(options, store, run="r")
    live = LiveRun(
        options, store, chain, budget=Budget(options, PRICE, spent=0.0), run="r", backoff=0.0
    )
    asyncio.run(live.translate(lambda: dialogues, ask=ask))
    path = tmp_path / "t.jsonl"
    write_translations(path, dialogues, chain, options)
    page, numbers = report_on(path, dialogues, store, options=options)
    assert numbers["statuses"] == {"ok": 10, "failed": 1, "pending": 0, "empty": 1}
    assert numbers["reasons"] == {"hangul": 1} and numbers["lines"] == 12
    assert numbers["store"] == {
        "answers": 3,
        "prompt_tokens": 300,
        "cached_tokens": 30,
        "completion_tokens": 60,
        "cost": pytest.approx(3 * PRICE.cost(100, 20, cached=10)),
    }
    assert numbers["prompt_version"].startswith("translate-") and numbers["model"] == "gpt-4.1"
    assert "hangul: Korean letters are left" in page
    assert {file.name for file in tmp_path.iterdir()} == {
        "t.jsonl",
        "t.report.html",
        "t.report.json",
    }


def test_counts_are_those_of_the_file(store, tmp_path):
    dialogues = [make_dialogue(turns=20, empty=(19,))]
    reasons = {0: "short: 1 letter", 1: "short: 2 letters", 2: "draft: empty: none", 3: "long"}

    def change(n, line):
        if n in reasons:
            return {"id": line["id"], "text_en": "", "status": "failed", "reason": reasons[n]}
        if n == 4:
            return {"id": line["id"], "text_en": "", "status": "pending"}
        return {**line, "flags": {5: ["length"], 6: ["length", "instruction_like"]}.get(n, [])}

    write_lines(tmp_path / "t", dialogues, change)
    _, numbers = report_on(tmp_path / "t", dialogues, store)
    assert numbers["statuses"] == {"ok": 14, "failed": 4, "pending": 1, "empty": 1}
    assert numbers["reasons"] == {"short": 2, "draft: empty": 1, "long": 1}
    assert numbers["flags"] == {"length": 2, "instruction_like": 1}
    assert numbers["marked_or_flagged"] == 6


def test_length_ratios_are_those_of_translated_lines(store, tmp_path):
    dialogues = [make_dialogue(turns=9)]
    letters = [len(turn.text_ko) for turn in dialogues[0].utterances]
    ratios = [0.5, 0.5, 1.0, 2.0, 2.0, 3.0, 7.5, 40.0]

    def change(n, line):
        if n == 8:
            return {"id": line["id"], "text_en": "", "status": "failed", "reason": "empty: x"}
        return {**line, "text_en": "e" * int(ratios[n] * letters[n])}

    assert set(letters) == {18}
    write_lines(tmp_path / "t", dialogues, change)
    found = report_on(tmp_path / "t", dialogues, store)[1]["length_ratio"]
    for share, value in found["quantiles"].items():
        assert value == pytest.approx(np.quantile(ratios, float(share)))
    assert found["quantiles"]["0.5"] == 2.0
    counts = {one["from"]: one["lines"] for one in found["bins"]}
    assert counts.pop(7.5) == 2  # and all above
    assert {edge: count for edge, count in counts.items() if count} == {
        0.5: 2,
        1.0: 1,
        2.0: 2,
        3.0: 1,
    }


def test_marked_and_flagged_lines_come_first_with_the_turns_around_them(store, tmp_path):
    dialogues = make_dialogues(3, turns=8)
    # The first dialogue's turns 0, 4 and 5; nothing of the second; the last turn of the third.
    write_lines(tmp_path / "t", dialogues, mark(0, 4, 23, flag=(5,)))
    page, _ = report_on(tmp_path / "t", dialogues, store, lines=0)
    assert shown_ids(page, "Marked and flagged lines") == [
        ("Sess00_script01", 0, "failed"),
        ("Sess00_script01", 1, "context"),
        ("Sess00_script01", 3, "context"),
        ("Sess00_script01", 4, "failed"),
        ("Sess00_script01", 5, "ok"),
        ("Sess00_script01", 6, "context"),
        ("Sess02_script01", 6, "context"),
        ("Sess02_script01", 7, "failed"),
    ]
    assert len(re.findall('class="context gap"', page)) == 1  # before turn 3
    assert page.index("Marked and flagged lines") < page.index("A sample of whole dialogues")


def test_a_page_has_a_limited_number_of_marked_lines_and_says_so(store, tmp_path, monkeypatch):
    monkeypatch.setattr(quality_module, "MOST_MARKED", 5)
    dialogues = make_dialogues(3, turns=4)
    write_lines(tmp_path / "t", dialogues, mark(*range(12)))
    page, numbers = report_on(tmp_path / "t", dialogues, store, lines=0)
    kinds = Counter(kind for _, _, kind in shown_ids(page, "Marked and flagged lines"))
    assert kinds == {"failed": 5, "context": 1} and numbers["marked_or_flagged"] == 12
    assert "the first 5 are shown" in page


def test_the_sample_is_of_whole_dialogues_and_of_its_seed(store, tmp_path):
    dialogues = make_dialogues(20, turns=6)
    write_lines(tmp_path / "t", dialogues)
    samples = []
    for seed in (0, 0, 1):
        page, numbers = report_on(tmp_path / "t", dialogues, store, lines=20, seed=seed)
        turns = shown_ids(page, "A sample of whole dialogues")
        names = sorted({name for name, _, _ in turns})
        assert turns == [(name, turn, "ok") for name in names for turn in range(6)]
        assert numbers["sample"] == {
            "seed": seed,
            "dialogues": [f"kemdy20/{name}" for name in names],
        }
        samples.append(names)
    assert len(samples[0]) == 3 and samples[0] == samples[1] != samples[2]


def test_dialogues_are_drawn_for_as_long_as_they_fit():
    lengths = {f"d{n}": 10 for n in range(9)} | {"long": 500}
    assert len(choose_dialogues(lengths, ReportOptions(lines=35))) == 3
    assert choose_dialogues(lengths, ReportOptions(lines=9)) == set()
    assert choose_dialogues(lengths, ReportOptions(lines=9999)) == set(lengths)


def test_the_context_is_told_in_words():
    assert describe_context(ContextOptions(2, 0, 1)) == (
        "2 utterance(s) before and 0 after. Causal: nothing that is said later was seen."
    )
    sees = describe_context(ContextOptions(3, 2, 4))
    # The first of four targets sees the three others and the two turns after them.
    assert "sees the future: a request shows up to 5 later turn(s)" in sees
    assert "others of the 4 that share it" in sees
    assert "up to 2 later turn(s) of an utterance (its context)." in describe_context(
        ContextOptions(3, 2, 1)
    )


def test_the_json_has_no_word_that_was_said(store, tmp_path):
    dialogues = make_dialogues(2)
    write_lines(tmp_path / "t", dialogues, mark(3, flag=(5,)))
    pair = Pair(dialogues[0].utterances[0], "So there.", "Not there.")
    page, numbers = report_on(tmp_path / "t", dialogues, store, audit=Audit((pair,), 1))
    text = json.dumps(numbers, ensure_ascii=False)
    assert SOURCE in page and "So there." in page and "Not there." in page
    for said in (SOURCE, "So there.", "Not there.", "eeee"):
        assert said not in text
    assert numbers["audit"]["pairs"] == 1 and numbers["audit"]["unanswered"] == 1
    assert numbers["audit"]["share_changed"] == 1.0


def test_an_audit_without_an_answer_is_valid_json(store, tmp_path):
    dialogues = make_dialogues(1)
    write_lines(tmp_path / "t", dialogues)
    _, numbers = report_on(tmp_path / "t", dialogues, store, audit=Audit((), 4))
    assert numbers["audit"]["share_changed"] is None and numbers["audit"]["unanswered"] == 4
    assert "NaN" not in (tmp_path / "t.report.json").read_text()


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_is_said_first(store, tmp_path, synthetic):
    dialogues = make_dialogues(1)
    write_lines(tmp_path / "t", dialogues)
    page, numbers = report_on(tmp_path / "t", dialogues, store, synthetic=synthetic)
    assert next(iter(numbers.items())) == ("synthetic", synthetic)
    assert ("SYNTHETIC" in page) == synthetic


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (make_dialogues(2)[::-1], "has 'kemdy20/Sess00_script01_User001F_000' where the corpus"),
        (make_dialogues(3), "has None where the corpus has 'kemdy20/Sess02_script01"),
        (make_dialogues(1), "has more lines than the corpus"),
    ],
)
def test_a_file_of_another_corpus_is_refused_and_what_was_there_stays(
    store, tmp_path, others, message
):
    write_lines(tmp_path / "t.jsonl", make_dialogues(2))
    (tmp_path / "t.report.html").write_text("old")
    with pytest.raises(ValueError, match=re.escape(message)):
        report_on(tmp_path / "t.jsonl", others, store)
    assert (tmp_path / "t.report.html").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failure_half_way_leaves_the_old_page(store, tmp_path, monkeypatch):
    dialogues = make_dialogues(2)
    write_lines(tmp_path / "t.jsonl", dialogues, mark(1))
    (tmp_path / "t.report.html").write_text("old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(quality_module, "_show_around", fail)
    with pytest.raises(OSError, match="no space left"):
        report_on(tmp_path / "t.jsonl", dialogues, store)
    assert (tmp_path / "t.report.html").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_a_reason_has_a_kind():
    assert kind_of("server: HTTP 503: overloaded") == "server"
    assert kind_of("draft: hangul: Korean letters are left") == "draft: hangul"


def test_memory_does_not_grow_with_the_corpus(store, tmp_path):
    def dialogues(count):
        for number in range(count):
            yield make_dialogue(f"Sess{number:04d}_script01", turns=40)

    peaks = []
    for count in (25, 250):
        write_lines(tmp_path / "t", dialogues(count), mark(*range(0, 40 * count, 7)))
        tracemalloc.start()
        write_report(
            tmp_path / "t",
            lambda count=count: dialogues(count),
            store,
            OPTIONS,
            ReportOptions(),
            title="KEMDy20",
            synthetic=True,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Eight bytes a line for the quantiles, and a name a dialogue to draw from.
    assert peaks[1] - peaks[0] < 1_000_000


def test_examples_are_true():
    assert doctest.testmod(quality_module).failed == 0
