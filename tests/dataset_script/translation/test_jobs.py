from dataclasses import replace

import pytest

from dataset_script.translation import jobs as jobs_module
from dataset_script.translation.jobs import join_jobs, key_of_draft, make_job, make_request
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.prompts import PROMPTS

from .invented import make_dialogue

OPTIONS = TranslationOptions()


def _jobs(dialogue, options=OPTIONS, step="translate"):
    given = [{} for _ in dialogue.spoken]
    return [
        make_job(step, dialogue, index, options, given=given, own={})
        for index in range(len(dialogue.spoken))
    ]


def _request(dialogue, first, last, options=OPTIONS):
    jobs = _jobs(dialogue, options)[first : last + 1]
    return make_request(dialogue, jobs, options, given=[{} for _ in dialogue.spoken])


def _change(dialogue, turn, **changes):
    turns = list(dialogue.utterances)
    turns[turn] = replace(turns[turn], **changes)
    return replace(dialogue, utterances=tuple(turns))


def test_the_message_has_the_targets_and_three_turns_around_them():
    dialogue = make_dialogue(turns=12)
    content = _request(dialogue, 4, 5).content
    turns = [
        {"id": turn.id, "speaker": turn.speaker, "text_ko": turn.text_ko}
        for turn in dialogue.utterances
    ]
    assert content == {
        "context_before": turns[1:4],
        "targets": turns[4:6],
        "context_after": turns[6:9],
    }


@pytest.mark.parametrize(("first", "last", "before", "after"), [(0, 0, 0, 3), (11, 11, 3, 0)])
def test_the_context_ends_with_the_dialogue(first, last, before, after):
    content = _request(make_dialogue(turns=12), first, last).content
    assert (len(content["context_before"]), len(content["context_after"])) == (before, after)


def test_turns_without_words_are_no_context():
    dialogue = make_dialogue(turns=8, empty=(3, 5))
    content = _request(dialogue, 3, 3).content  # the fourth that is spoken, turn 4
    assert content["targets"][0]["id"] == dialogue.utterances[4].id
    assert [turn["id"] for turn in content["context_before"]] == [
        dialogue.utterances[turn].id for turn in (0, 1, 2)
    ]
    assert [turn["id"] for turn in content["context_after"]] == [
        dialogue.utterances[turn].id for turn in (6, 7)
    ]


def test_widths_are_options_and_nothing_later_is_seen_in_the_causal_form():
    options = TranslationOptions(context=ContextOptions(before=1, after=0, targets=1))
    content = _request(make_dialogue(turns=9), 4, 4, options).content
    assert len(content["context_before"]) == 1 and content["context_after"] == []


def test_a_key_changes_with_what_the_answer_depends_on_and_only_with_that():
    dialogue = make_dialogue(turns=12)
    before = [job.key for job in _jobs(dialogue)]
    assert len(set(before)) == 12
    # Seen from turn 5: turns 2 to 8.
    for changed, seen in ((1, False), (2, True), (5, True), (8, True), (9, False)):
        after = _jobs(_change(dialogue, changed, text_ko="다른 말"))[5].key
        assert (after != before[5]) == seen
        after = _jobs(_change(dialogue, changed, speaker="User009M"))[5].key
        assert (after != before[5]) == seen
    assert _jobs(_change(dialogue, 5, id="kemdy20/other"))[5].key == before[5]
    for options in (
        replace(OPTIONS, model="other"),
        replace(OPTIONS, temperature=1.0),
        replace(OPTIONS, context=ContextOptions(before=2)),
        replace(OPTIONS, context=ContextOptions(after=4)),
    ):
        assert _jobs(dialogue, options)[5].key != before[5]
    for options in (
        replace(OPTIONS, concurrency=3, timeout=9, max_cost=1.0),
        replace(OPTIONS, context=ContextOptions(targets=4)),
    ):
        assert [job.key for job in _jobs(dialogue, options)] == before


def test_a_wider_context_translates_again_only_what_sees_more():
    dialogue = make_dialogue(turns=4)
    wider = replace(OPTIONS, context=ContextOptions(before=9, after=9))
    before, after = _jobs(dialogue), _jobs(dialogue, wider)
    assert [job.key for job in before] == [job.key for job in after]


def test_a_changed_prompt_changes_the_keys(monkeypatch):
    dialogue = make_dialogue()
    before = {job.key for job in _jobs(dialogue)}
    other = replace(PROMPTS["translate"], instructions="Translate.")
    monkeypatch.setitem(jobs_module.PROMPTS, "translate", other)
    assert not before & {job.key for job in _jobs(dialogue)}


def test_drafts_are_part_of_the_key_where_they_are_seen():
    dialogue = make_dialogue()
    given = [{"draft": f"d{n}"} for n in range(12)]
    keys = []
    for changed in (None, 0, 4, 5):
        drafts = [{"draft": "new"} if n == changed else d for n, d in enumerate(given)]
        job = make_job("refine", dialogue, 5, OPTIONS, given=drafts, own=drafts[5])
        keys.append(job.key)
    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert make_request(dialogue, [job], OPTIONS, given=given).content["targets"][0]["draft"] == (
        "new"
    )


def test_a_dialogue_is_cut_at_the_same_turns_whatever_is_left_of_it():
    jobs = _jobs(make_dialogue(turns=12))
    assert [[j.index for j in run] for run in join_jobs(jobs, targets=5)] == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8, 9],
        [10, 11],
    ]
    left = [job for job in jobs if job.index not in (1, 6)]
    assert [[j.index for j in run] for run in join_jobs(left, targets=5)] == [
        [0],
        [2, 3, 4],
        [5],
        [7, 8, 9],
        [10, 11],
    ]


def test_the_body_says_it_all():
    options = replace(OPTIONS, temperature=None, response_format="none")
    request = _request(make_dialogue(), 0, 1)
    body = request.to_body(options)
    assert sorted(body) == ["max_completion_tokens", "messages", "model"]
    assert body["model"] == "gpt-4.1" and request.to_body(OPTIONS)["temperature"] == 0.0
    letters = sum(len(job.utterance.text_ko) for job in request.jobs)
    assert body["max_completion_tokens"] == 4 * letters + 200
    assert request.key == _request(make_dialogue(), 0, 1).key != _request(make_dialogue(), 0, 2).key


def test_a_draft_of_this_machine_depends_on_checkpoint_languages_and_line():
    options = TranslationOptions(draft="a/b", draft_languages=("ko", "en"))
    keys = {
        key_of_draft("가", options),
        key_of_draft("나", options),
        key_of_draft("가", replace(options, draft="a/c")),
        key_of_draft("가", replace(options, draft_languages=None)),
    }
    assert len(keys) == 4 and key_of_draft("가", options) in keys
