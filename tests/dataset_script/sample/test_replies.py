import pytest

from dataset_script.sample.replies import Reply, complete, fail

BODY = {"model": "m", "messages": [{"role": "user", "content": "x" * 40}, {"role": "user"}]}


def test_an_answer_has_invented_usage_of_each_text():
    body = complete("y" * 8, BODY).body
    assert body["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    assert complete(None, BODY).body["usage"]["completion_tokens"] == 1
    (choice,) = body["choices"]
    assert choice["message"]["content"] == "y" * 8 and choice["finish_reason"] == "stop"
    assert choice["message"]["refusal"] is None and body["model"] == "m"


def test_an_answer_is_spoilt_as_asked_for():
    body = complete(None, BODY, finish_reason="length", refusal="No.", usage={"a": 1}).body
    (choice,) = body["choices"]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == ("length", "No.")
    assert choice["message"]["content"] is None and body["usage"] == {"a": 1}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "insufficient_quota", "insufficient_quota"),
        (429, None, "requests"),
        (503, None, "server_error"),
        (400, "context_length_exceeded", "invalid_request_error"),
    ],
)
def test_an_error_has_the_four_fields(status, code, kind):
    reply = fail(status, "why", code=code, retry_after_ms="20")
    error = {"message": "why", "type": kind, "param": None, "code": code}
    assert reply == Reply({"error": error}, status, {"retry-after-ms": "20"})
