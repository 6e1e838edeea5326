import base64
import configparser
import doctest
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dataset_script.translation import page as page_module
from dataset_script.translation.audit import Audit, Pair
from dataset_script.translation.dialogues import Utterance
from dataset_script.translation.page import Block, Row, draw_histogram, render_page

HOSTILE = "<script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\"</td></table>{{ 7*7 }}"
VOID = {"meta", "input", "img"}

SUMMARY = {
    "synthetic": False,
    "corpus": "KEMDy20",
    "translations": "t.jsonl",
    "model": "gpt-4.1",
    "prompt_version": "translate-1a2b3c4d",
    "draft": "none",
    "temperature": 0.0,
    "context": {"in_words": "3 before and 3 after. It sees the future."},
    "lines": 4,
    "statuses": {"ok": 2, "failed": 1, "pending": 1, "empty": 0},
    "reasons": {"hangul": 1},
    "flags": {"length": 1},
    "marked_or_flagged": 2,
    "length_ratio": {
        "quantiles": {"0.0": 1.0, "0.5": 2.0, "1.0": 3.0},
        "bins": [{"from": 0.5 * n, "lines": n} for n in range(16)],
    },
    "store": {
        "answers": 3,
        "prompt_tokens": 1200,
        "cached_tokens": 30,
        "completion_tokens": 90,
        "cost": 0.0125,
    },
    "audit": None,
    "sample": {"seed": 0, "dialogues": []},
}


class Reader(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.rows, self.scripts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif "tr" in self.open and self.rows[-1]:
            self.rows[-1][-1] += data

    def find(self, text):
        """Cells of the rows that hold a text."""
        rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]
        return [row for row in rows if any(text in cell for cell in row)]


def say(n=0, text_ko="네.", **line):
    utterance = Utterance(f"kemdy20/Sess01_script01_User001F_{n:03d}", "User001F", text_ko)
    return Row(utterance, {"id": utterance.id, "text_en": "", "status": "ok", "flags": [], **line})


def render(*, marked=(), sampled=(), pairs=(), most_marked=5000, **changes):
    return "".join(
        render_page(
            {**SUMMARY, **changes},
            marked=marked,
            most_marked=most_marked,
            sampled=sampled,
            pairs=pairs,
        )
    )


def test_a_real_corpus_says_first_that_its_licence_covers_the_page():
    page = render()
    body = page[page.index("<body>") :]
    assert body.index("Not to be passed on.") < body.index("<h1>")
    assert "holds transcripts; the licence of the corpus covers it" in page
    assert "SYNTHETIC" not in page


def test_a_synthetic_corpus_says_so_first():
    page = render(synthetic=True)
    body = page[page.index("<body>") :]
    assert body.index("SYNTHETIC.") < body.index("<h1>") and "licence" not in body
    assert re.search("<title>SYNTHETIC KEMDy20", page)


@pytest.mark.parametrize("where", ["source", "draft", "text", "variant", "reason", "flag", "name"])
def test_what_was_said_is_text_and_never_runs(where):
    row = {
        "source": lambda: say(text_ko=HOSTILE, text_en="Yes."),
        "draft": lambda: say(text_en="Yes.", draft=HOSTILE),
        "text": lambda: say(text_en=HOSTILE),
        "variant": lambda: say(text_en="Yes.", text_en_variants=[HOSTILE]),
        "reason": lambda: say(status="failed", reason=HOSTILE),
        "flag": lambda: say(text_en="Yes.", flags=[HOSTILE]),
        "name": lambda: say(text_en="Yes."),
    }[where]()
    block = Block(HOSTILE if where == "name" else "kemdy20/a", [row])
    read = Reader(render(marked=[block], sampled=[block], draft="llm"))
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert not [tag for tag, _ in read.elements if tag == "img"]
    assert not [name for _, attrs in read.elements for name in attrs if name.startswith("on")]
    if where != "name":
        assert len(read.find(HOSTILE)) == 2


def test_pairs_and_facts_are_text_too():
    pair = Pair(Utterance("kemdy20/a", HOSTILE, HOSTILE), HOSTILE, HOSTILE)
    page = render(pairs=[pair], model=HOSTILE, draft=HOSTILE, reasons={HOSTILE: 1}, corpus=HOSTILE)
    read = Reader(page)
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert [row for row in read.find(HOSTILE) if row.count(HOSTILE) == 3]


def test_only_the_pages_own_script_may_run_and_nothing_is_loaded():
    page = render(marked=[Block("a", [say(text_en="Yes.")])])
    read = Reader(page)
    policy = next(a["content"] for _, a in read.elements if "http-equiv" in a)
    digest = hashlib.sha256("".join(read.scripts).encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    loading = {"src", "href", "action", "srcset", "data", "poster"}
    assert not [a for _, attrs in read.elements for a in attrs if a in loading]
    assert "url(" not in page and "@import" not in page and "://" not in page


def test_signs_that_html_cannot_hold_become_visible():
    page = render(marked=[Block("a", [say(text_ko="가\x00나\x1b\x85\ufffe", text_en="a\x08b")])])
    assert "가\ufffd나\ufffd\ufffd\ufffd" in page and "a\ufffdb" in page


def test_a_row_has_all_that_the_file_has():
    row = say(
        7,
        "그래 알았어.",
        text_en="All right.",
        draft="Yes I knew.",
        text_en_variants=["Fine.", "OK."],
        flags=["length", "no_variants"],
    )
    cells = Reader(render(sampled=[Block("a", [row])], draft="llm")).find("All right.")
    assert cells == [
        [
            "User001Fkemdy20/Sess01_script01_User001F_007",
            "그래 알았어.",
            "Yes I knew.",
            "All right. Fine.OK.",
            "length no_variants",
        ]
    ]


def test_without_drafts_there_is_no_column_for_them():
    read = Reader(render(sampled=[Block("a", [say(text_en="Yes.")])]))
    assert [len(row) for row in read.find("Yes.")] == [4]
    assert not read.find("Draft")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ({"status": "pending"}, "not asked yet"),
        ({"status": "empty"}, "nothing was said that is known"),
        ({"status": "failed", "reason": "hangul: left"}, "no translation"),
    ],
)
def test_a_line_without_translation_says_why(line, shown):
    row = say(3)
    row = Row(row.utterance, {"id": row.utterance.id, "text_en": "", **line})
    cells = Reader(render(sampled=[Block("a", [row])])).find("_003")[0]
    assert cells[2] == shown and cells[3] == line.get("reason", "")


def test_context_and_gaps_are_told_apart():
    rows = [
        say(1, status="failed", reason="short: x"),
        Row(say(2).utterance, say(text_en="Hm.").line, is_context=True),
        Row(say(9).utterance, say(text_en="Hm.").line, is_context=True, follows_gap=True),
    ]
    classes = [
        attrs.get("class", "").split()
        for tag, attrs in Reader(render(marked=[Block("a", rows)])).elements
        if tag == "tr" and "class" in attrs
    ]
    assert classes == [["failed"], ["context"], ["context", "gap"]]


def test_numbers_are_shown():
    pairs = (Pair(Utterance("kemdy20/a", "User001F", "네."), "Yes.", "No."),)
    audited = Audit(pairs, 2)
    audit = {
        "pairs": 1,
        "unanswered": 2,
        "share_changed": audited.share,
        "mean_similarity": audited.similarity,
        "interval": audited.interval,
    }
    page = render(pairs=pairs, audit=audit)
    text = " ".join(re.sub("<[^>]+>", " ", page).split())
    for shown in (
        "ok 2 50.0 %",
        "hangul 1 100.0 %",
        "length 1 50.0 %",
        "1,200 read (30 from the server's cache), 90 written".replace("'", "&#39;"),
        "0.0125 dollars",
        "least 1.00 , 50 % 2.00 , most 3.00",
        "100.0 % of 1 utterances are translated otherwise",
        "95 % interval 20.7 to 100.0 %",
        "2 of the sample have no such translation",
        "It sees the future.",
        "beyond that a line of 10 Korean letters or more is flagged",
    ):
        assert shown in text or shown.replace("&#39;", "'") in text, shown
    assert Reader(page).find("No.")[-1][-1] == "0.00, changed"


def test_what_is_left_out_is_said():
    assert "the first 5,000 are shown, the others are in t.jsonl" in render(marked_or_flagged=5001)
    assert "are shown" not in render(marked_or_flagged=5000)


def test_nothing_translated_is_a_page_too():
    empty = {"quantiles": {}, "bins": [{"from": 0.5 * n, "lines": 0} for n in range(16)]}
    audit = {"pairs": 0, "unanswered": 3}
    statuses = {"ok": 0, "failed": 0, "pending": 0, "empty": 0}
    page = render(lines=0, statuses=statuses, reasons={}, flags={}, length_ratio=empty, audit=audit)
    Reader(page)
    assert "Nothing is translated." in page and "No line is marked." in page
    assert "No utterance of the sample was translated without context." in page


def test_columns_are_as_high_as_their_counts_and_show_what_is_unusual():
    columns = draw_histogram([{"from": 0.5 * n, "lines": n % 5} for n in range(16)])
    assert [column.height for column in columns[:5]] == [0.0, 30.0, 60.0, 90.0, 120.0]
    assert [column.label for column in columns[:3]] == ["0", "0.5", "1"]
    assert columns[-1].label == "7.5+"
    assert [column.is_unusual for column in columns] == [*2 * [True], *6 * [False], *8 * [True]]


def test_blocks_are_taken_one_at_a_time():
    taken = []

    def blocks():
        for n in range(50):
            taken.append(n)
            yield Block(f"block {n}", [say(n, text_en="Yes.")])

    pieces = render_page(SUMMARY, marked=blocks(), most_marked=9, sampled=(), pairs=())
    for piece in pieces:
        if "block 3" in piece:
            break
    assert taken[-1] == 3


def test_the_page_travels_with_the_package():
    setup = configparser.ConfigParser()
    setup.read(Path(page_module.FOLDER).parents[1] / "setup.cfg")
    patterns = setup["options.package_data"]["dataset_script.translation"].split(", ")
    for file in page_module.FOLDER.iterdir():
        if file.suffix not in (".py", ".pyc") and file.is_file():
            assert any(file.match(pattern) for pattern in patterns), file.name
    assert "jinja2" in setup["options"]["install_requires"]


def test_examples_are_true():
    assert doctest.testmod(page_module).failed == 0
