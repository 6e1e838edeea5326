import json

import pytest

from dataset_script.sample.batch_jobs import ENDPOINT, BatchDesk, read_batch_file
from dataset_script.sample.replies import Reply, fail

ORDER = {"endpoint": ENDPOINT, "completion_window": "24h"}


class Desk(BatchDesk):
    """Answers a request with the reply that stands in it."""

    def answer_line(self, body):
        return body["reply"] if isinstance(body["reply"], Reply) else Reply(body["reply"])


def _line(name, body=None, **changes):
    line = {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": body or {"reply": name}}
    return json.dumps({**line, **changes})


def _submit(desk, lines, **order):
    file = desk.add_file("\n".join(lines).encode())
    return desk.batches[desk.add_batch({"input_file_id": file["id"], **ORDER, **order})["id"]]


def _read(desk, name):
    return [json.loads(line) for line in desk.files[name].splitlines()]


def test_a_batch_is_done_by_the_first_poll_and_stays_so():
    desk = Desk()
    batch = _submit(desk, [_line("a"), _line("b")], metadata={"name": "n"})
    assert batch.facts["status"] == "validating"
    facts = desk.poll(batch)
    assert desk.poll(batch) == facts and batch.polls == 2
    assert (facts["status"], facts["metadata"]) == ("completed", {"name": "n"})
    assert facts["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    rows = _read(desk, facts["output_file_id"])
    assert [(row["custom_id"], row["response"]["body"]) for row in rows] == [("a", "a"), ("b", "b")]
    assert facts["error_file_id"] is None and len(desk.files) == 2


def test_what_fails_stands_in_the_error_file():
    desk = Desk()
    batch = _submit(desk, [_line(name) for name in "abcd"])
    replies = [fail(400, "too long"), Reply(None, cut=True), Reply(b"<p>"), Reply({})]
    batch.bodies = [(name, {"reply": one}) for name, one in zip("abcd", replies, strict=True)]
    facts = desk.poll(batch)
    assert facts["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
    good, bad = _read(desk, facts["output_file_id"]), _read(desk, facts["error_file_id"])
    assert [row["response"]["body"] for row in good] == ["<p>", {}]
    assert bad[0]["response"]["status_code"] == 400 and bad[0]["error"] is None
    assert bad[1]["response"] is None and bad[1]["error"]["code"] == "server_error"


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ([], ["empty_file"]),
        ([_line("a"), "{"], ["invalid_json_line"]),
        ([_line("a"), _line("a")], ["duplicate_custom_id"]),
        ([_line("a", url="/v1/embeddings")], ["invalid_json_line"]),
        ([_line("a", method="GET")], ["invalid_json_line"]),
        ([_line("a", body=[1])], ["invalid_json_line"]),
        (["[]", '{"custom_id": "a"}', _line("b")], ["invalid_json_line"] * 2),
    ],
)
def test_a_malformed_input_fails_the_whole_batch(lines, codes):
    desk = Desk()
    batch = _submit(desk, lines)
    facts = desk.poll(batch)
    assert facts["status"] == "failed" and "output_file_id" not in facts and len(desk.files) == 1
    assert [problem["code"] for problem in facts["errors"]["data"]] == codes


def test_a_problem_names_its_line():
    bodies, problems = read_batch_file("\n".join([_line("a"), "{", _line("b")]).encode())
    assert [name for name, _ in bodies] == ["a", "b"] and problems[0]["line"] == 2


def test_a_batch_is_cancelled_while_it_is_open_and_not_after():
    desk = Desk()
    batch, done = _submit(desk, [_line("a")]), _submit(desk, [_line("a")])
    assert desk.cancel(batch)["status"] == "cancelling"
    facts = desk.poll(batch)
    assert (facts["status"], facts["output_file_id"]) == ("cancelled", None)
    desk.poll(done)
    for ended in (batch, done):
        with pytest.raises(ValueError, match="cannot be cancelled"):
            desk.cancel(ended)


def test_pages_are_the_newest_first_and_every_batch_is_on_one():
    desk = Desk()
    names = [_submit(desk, [_line("a")]).facts["id"] for _ in range(5)][::-1]
    pages, after = [], None
    while True:
        page = desk.list_batches(after=after, limit=2)
        pages.append([batch["id"] for batch in page["data"]])
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert pages == [names[:2], names[2:4], names[4:]]
    assert desk.list_batches(after=names[-1])["data"] == []
    assert not desk.list_batches(limit=5)["has_more"]
    with pytest.raises(ValueError, match="`after` is 'x'"):
        desk.list_batches(after="x")


def test_a_batch_of_nothing_or_for_another_use_is_refused():
    desk = Desk()
    with pytest.raises(ValueError, match="`input_file_id` is 'x', which is no file"):
        desk.add_batch({"input_file_id": "x", **ORDER})
    with pytest.raises(ValueError, match="`endpoint` is '/v1/embeddings'"):
        _submit(desk, [_line("a")], endpoint="/v1/embeddings")
    with pytest.raises(NotImplementedError):
        BatchDesk().answer_line({})
