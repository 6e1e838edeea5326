import json
from dataclasses import replace

import pytest

from dataset_script.translation import batch as batch_module
from dataset_script.translation.options import ContextOptions
from dataset_script.translation.store import Store

from .batch_runs import OPTIONS, interrupt, leave_korean, lines_of, run
from .batch_server import (
    FaultyBatchServer,
)
from .invented import make_dialogue, make_dialogues


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def test_custom_ids_are_unique_and_tell_the_attempt(store):
    dialogue = make_dialogue(turns=1)
    with FaultyBatchServer(leave_korean(dialogue.utterances[0].id)) as server:
        run(store, server, [dialogue])
    ids = [batch.bodies[0][0] for batch in server.batches.values()]
    assert [i.rpartition("-")[2] for i in ids] == ["0", "1", "2", "3"] and len(set(ids)) == 4
    hint = server.requests[1]["messages"][1]["content"]
    assert "Korean letters were left" in hint
    (result,) = store.results()
    assert result.fault == "hangul: Korean letters are left"


def test_equal_lines_without_context_are_asked_once(store):
    options = replace(OPTIONS, context=ContextOptions(0, 0, 1))
    dialogues = [make_dialogue(f"Sess{n:02d}_script01", turns=4) for n in range(6)]
    with FaultyBatchServer() as server:
        run(store, server, dialogues, options)
        assert len(server.requests) == 4  # the six dialogues say the same
    assert {line["status"] for line in lines_of(store, dialogues, options)} == {"ok"}


def test_what_an_adopted_batch_did_not_give_is_asked_alone_and_told(store):
    dialogue = make_dialogue(turns=10)
    bad = dialogue.utterances[3].id
    with FaultyBatchServer(leave_korean(bad), polls=2) as server:
        interrupt(store, server, [dialogue], rounds=2)  # while the first lone attempt is there
        assert len(server.batches) == 2
        batches = run(store, server, [dialogue], name="r2")
        ids = [batch.bodies[0][0].rpartition("-")[2] for batch in server.batches.values()]
    assert ids == ["0", "1", "2", "3"] and batches.settled == (0, 1)


def test_a_refinement_is_adopted_although_a_draft_around_it_had_failed(store):
    options = replace(OPTIONS, draft="llm", attempts=0)
    dialogue = make_dialogue(turns=10)
    with FaultyBatchServer(leave_korean(dialogue.utterances[0].id), polls=2) as server:
        interrupt(store, server, [dialogue], options, rounds=2)
        assert len(server.batches) == 2
        batches = run(store, server, [dialogue], options, name="r2")
    assert batches.notes == []
    assert sum(r.step == "refine" and r.is_good for r in store.results()) >= 9


def test_answers_to_what_nobody_asks_any_more_are_counted_and_paid(store):
    dialogues = make_dialogues(3, turns=10)
    with FaultyBatchServer(polls=2) as server:
        interrupt(store, server, dialogues)
        batches = run(store, server, dialogues[:1], name="r2")
        assert batches.settled == (10, 0) and len(server.batches) == 1
    assert "batch batch_1 has 2 answers to requests that are not known any more" in batches.notes[0]
    assert len(list(store.answers())) == 3 and store.total_cost() > 0


def test_an_adopted_batch_is_known_with_other_windows(store):
    dialogue = make_dialogue(turns=20)
    with FaultyBatchServer(polls=2) as server:
        interrupt(store, server, [dialogue])
        narrow = replace(OPTIONS, context=replace(OPTIONS.context, targets=3))
        batches = run(store, server, [dialogue], narrow, name="r2")
    assert batches.settled == (20, 0) and batches.notes == []


def test_input_files_keep_to_their_size(store):
    with FaultyBatchServer() as server:
        run(store, server, make_dialogues(6, turns=10), most_bytes=20_000)
        sizes = [len(server.files[b.facts["input_file_id"]]) for b in server.batches.values()]
    assert max(sizes) <= 20_000 and len(sizes) > 1
    line = json.loads(server.files["file-1"].split(b"\n")[0])
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert batch_module.MOST_REQUESTS <= 50_000 and batch_module.MOST_BYTES <= 200_000_000
