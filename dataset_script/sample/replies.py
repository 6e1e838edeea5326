"""What an OpenAI-compatible server sends: an answer, an error, or something else on purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LETTERS_PER_TOKEN = 4  # invented: what usage is made of, of any language


@dataclass(frozen=True)
class Reply:
    """What the server sends.

    Attributes:
        body: an object, sent as JSON, or bytes as they are.
        status: HTTP status.
        headers: further ones.
        delay: seconds before it.
        cut: close the connection in place of an answer.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


def complete(
    content: str | None,
    body: dict[str, Any],
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: dict[str, Any] | None = None,
) -> Reply:
    """Make a chat completion.

    Args:
        content: text of the answer.
        body: the request, for model and usage.
        finish_reason: why the answer ends.
        refusal: what the model says in place of an answer.
        usage: tokens; None invents them from the lengths of the texts, at least 1 each.
    """
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return Reply(
        {
            "id": "chatcmpl-sample",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": usage or _invent_usage(body["messages"], content or refusal or ""),
        }
    )


def fail(status: int, message: str, *, code: str | None = None, **headers: str) -> Reply:
    """Make an error as OpenAI's servers do.

    Args:
        status: HTTP status.
        message: what is wrong.
        code: a word for it.
        headers: `_` in a name stands for `-`.
    """
    if status == 429:
        kind = code or "requests"
    else:
        kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": error}, status, names)


def _invent_usage(messages: list[dict[str, Any]], written: str) -> dict[str, int]:
    contents = [message.get("content") for message in messages]
    letters = sum(len(content) for content in contents if isinstance(content, str))
    prompt, completion = letters // LETTERS_PER_TOKEN + 1, len(written) // LETTERS_PER_TOKEN + 1
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
