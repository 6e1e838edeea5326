from dataclasses import replace

import pytest

from dataset_script.translation.chain import Chain
from dataset_script.translation.jobs import key_of_draft
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.store import Result, Store

from .invented import make_dialogue

DIALOGUE = make_dialogue(turns=8)
TWO_STEPS = TranslationOptions(draft="llm", context=ContextOptions(1, 1, 10))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def _keep(store, jobs, *, fault=None, run="r1", text="An English line of it."):
    store.add(
        [
            Result(j.key, j.step, j.utterance.id, () if fault else (text,), fault, "m", run, "t")
            for j in jobs
        ]
    )


def _places(jobs):
    return [job.index for job in jobs]


def test_what_the_store_has_is_not_asked_again(store):
    options = TranslationOptions()
    chain = Chain(options, store, run="r1")
    pending = chain.pending(chain.look_up(DIALOGUE), "translate")
    assert _places(pending) == list(range(8))
    _keep(store, pending[2:5])
    assert _places(chain.pending(chain.look_up(DIALOGUE), "translate")) == [0, 1, 5, 6, 7]


def test_what_failed_is_asked_again_by_the_next_run_and_not_by_this_one(store):
    options = TranslationOptions()
    chain = Chain(options, store, run="r1")
    _keep(store, chain.pending(chain.look_up(DIALOGUE), "translate"), fault="hangul: …")
    assert chain.pending(chain.look_up(DIALOGUE), "translate") == []
    after = Chain(options, store, run="r2")
    assert _places(after.pending(after.look_up(DIALOGUE), "translate")) == list(range(8))


def test_a_refinement_waits_for_the_drafts_around_it(store):
    chain = Chain(TWO_STEPS, store, run="r1")
    drafts = chain.pending(chain.look_up(DIALOGUE), "draft")
    assert chain.pending(chain.look_up(DIALOGUE), "refine") == []
    _keep(store, drafts[:4])
    assert _places(chain.pending(chain.look_up(DIALOGUE), "refine")) == [0, 1, 2]
    _keep(store, [drafts[4]], fault="empty: …")  # settled, without a draft
    standing = chain.look_up(DIALOGUE)
    jobs = chain.pending(standing, "refine")
    assert _places(jobs) == [0, 1, 2, 3]
    (request,) = chain.requests(standing, jobs)
    assert all(target["draft"] == "An English line of it." for target in request.content["targets"])
    assert "draft" not in request.content["context_after"][0]


def test_variants_are_of_the_translation(store):
    options = TranslationOptions(variants=2)
    chain = Chain(options, store, run="r1")
    jobs = chain.pending(chain.look_up(DIALOGUE), "translate")
    assert chain.pending(chain.look_up(DIALOGUE), "vary") == []
    _keep(store, jobs[:3])
    standing = chain.look_up(DIALOGUE)
    varied = chain.pending(standing, "vary")
    assert _places(varied) == [0, 1, 2]
    (request,) = chain.requests(standing, varied)
    assert request.content["variants"] == 2
    assert request.content["targets"][0]["text_en"] == "An English line of it."
    assert "text_en" not in request.content["context_after"][0]


def test_drafts_of_this_machine_come_out_of_the_store(store):
    options = TranslationOptions(draft="a/b", context=ContextOptions(0, 1, 10))
    chain = Chain(options, store, run="r1")
    turn = DIALOGUE.spoken[7]
    key = key_of_draft(turn.text_ko, options)
    store.add([Result(key, "draft", turn.id, ("A draft.",), None, "a/b", "r1", "t")])
    (job,) = chain.pending(chain.look_up(DIALOGUE), "refine")
    assert (job.index, job.given) == (7, {"draft": "A draft."})


def test_equal_jobs_are_asked_once(store):
    dialogue = replace(
        DIALOGUE,
        utterances=tuple(replace(t, text_ko="네.", speaker="F") for t in DIALOGUE.utterances),
    )
    chain = Chain(TranslationOptions(context=ContextOptions(0, 0, 1)), store, run="r1")
    (job,) = chain.pending(chain.look_up(dialogue), "translate")
    _keep(store, [job])
    standing = chain.look_up(dialogue)
    assert [result.texts for result in standing.results["translate"]] == [
        ("An English line of it.",)
    ] * 8


def test_a_chain_that_guesses_counts_the_steps_that_are_not_there_yet(store):
    options = replace(TWO_STEPS, variants=1)
    chain = Chain(options, store, run="r1", guesses=True)
    standing = chain.look_up(DIALOGUE)
    assert {step: len(chain.pending(standing, step)) for step in options.steps} == {
        "draft": 8,
        "refine": 8,
        "vary": 8,
    }


def test_a_checkpoint_that_fails_on_a_line_is_not_waited_for_in_any_run(store):
    options = TranslationOptions(draft="a/b", context=ContextOptions(1, 1, 10))
    for place, turn in enumerate(DIALOGUE.spoken):
        texts, fault = ((), "empty: …") if place == 4 else (("A draft.",), None)
        key = key_of_draft(turn.text_ko, options)
        store.add([Result(key, "draft", turn.id, texts, fault, "a/b", "r1", "t")])
    later = Chain(options, store, run="r2")
    assert _places(later.pending(later.look_up(DIALOGUE), "refine")) == list(range(8))


def test_what_was_translated_stays_in_the_file_where_a_draft_failed(store):
    first = Chain(TWO_STEPS, store, run="r1")
    drafts = first.pending(first.look_up(DIALOGUE), "draft")
    _keep(store, drafts[:4])
    _keep(store, drafts[4:5], fault="empty: …")
    _keep(store, drafts[5:])
    _keep(store, first.pending(first.look_up(DIALOGUE), "refine"))
    over = Chain(TWO_STEPS, store, run="r2", is_over=True)
    results = over.look_up(DIALOGUE).results["refine"]
    assert all(result is not None and result.is_good for result in results)
