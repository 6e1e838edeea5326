import json

import pytest

from dataset_script.translation.chain import Chain
from dataset_script.translation.jobs import key_of_draft
from dataset_script.translation.options import TranslationOptions
from dataset_script.translation.output import write_translations
from dataset_script.translation.prompts import prompt_version
from dataset_script.translation.store import Result, Store

from .invented import make_dialogue

DIALOGUE = make_dialogue(turns=6, empty=(5,))
ENGLISH = "You said let's go to the sea, really."


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def _keep(store, job, texts, *, fault=None):
    store.add([Result(job.key, job.step, job.utterance.id, texts, fault, "m", "r1", "2026-02-03T")])


def _write(store, path, options):
    counts = write_translations(path, [DIALOGUE], Chain(options, store, run="r1"), options)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()], counts


def test_every_utterance_has_its_line_with_what_came_of_it(store, tmp_path):
    options = TranslationOptions()
    chain = Chain(options, store, run="r1")
    jobs = chain.pending(chain.look_up(DIALOGUE), "translate")
    _keep(store, jobs[0], (ENGLISH,))
    _keep(store, jobs[1], (), fault="hangul: Korean letters are left")
    _keep(store, jobs[2], ("Sea, really, you",))
    lines, counts = _write(store, tmp_path / "t.jsonl", options)
    assert [line["id"] for line in lines] == [turn.id for turn in DIALOGUE.utterances]
    assert counts == {"ok": 2, "failed": 1, "pending": 2, "empty": 1}
    assert lines[0] == {
        "id": DIALOGUE.utterances[0].id,
        "text_en": ENGLISH,
        "status": "ok",
        "flags": [],
        "date": "2026-02-03",
        "model": "gpt-4.1",
        "prompt_version": prompt_version(("translate",)),
        "draft_model": "none",
        "context_before": 3,
        "context_after": 3,
        "targets_per_request": 10,
    }
    assert (lines[1]["status"], lines[1]["reason"], lines[1]["text_en"]) == (
        *("failed", "hangul: Korean letters are left"),
        "",
    )
    assert lines[2]["flags"] == ["length"]
    assert (lines[3]["status"], lines[3]["text_en"]) == ("pending", "")
    assert lines[5] == {"id": DIALOGUE.utterances[5].id, "text_en": "", "status": "empty"}


def test_drafts_and_variants_stand_beside_the_translation(store, tmp_path):
    options = TranslationOptions(draft="a/b", variants=2)
    draft_of = {turn.id: key_of_draft(turn.text_ko, options) for turn in DIALOGUE.spoken}
    for number, (row_id, key) in enumerate(draft_of.items()):
        fault = "empty: the checkpoint wrote nothing" if number == 1 else None
        texts = () if fault else (f"Draft {number}.",)
        store.add([Result(key, "draft", row_id, texts, fault, "a/b", "r1", "t")])
    chain = Chain(options, store, run="r1")
    for job in chain.pending(chain.look_up(DIALOGUE), "refine")[:2]:
        _keep(store, job, (ENGLISH,))
    varied = chain.pending(chain.look_up(DIALOGUE), "vary")
    _keep(store, varied[0], ("One.", "Two."))
    lines, counts = _write(store, tmp_path / "t.jsonl", options)
    assert counts == {"ok": 2, "failed": 1, "pending": 2, "empty": 1}
    assert (lines[0]["draft"], lines[0]["text_en"]) == ("Draft 0.", ENGLISH)
    assert lines[0]["text_en_variants"] == ["One.", "Two."] and lines[0]["flags"] == []
    assert lines[1]["reason"] == "draft: empty: the checkpoint wrote nothing"
    assert lines[2]["text_en_variants"] == [] and lines[2]["flags"] == ["no_variants"]


def test_the_file_is_written_whole_or_not_at_all(store, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("what was there\n")
    options = TranslationOptions()

    def breaking():
        yield DIALOGUE
        raise OSError("the corpus is gone")

    with pytest.raises(OSError, match="the corpus is gone"):
        write_translations(path, breaking(), Chain(options, store, run="x"), options)
    assert path.read_text() == "what was there\n"
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("t.store")) == [
        "t.jsonl"
    ]
    _write(store, path, options)
    assert path.stat().st_mode & 0o777 == (tmp_path / "t.store").stat().st_mode & 0o777
