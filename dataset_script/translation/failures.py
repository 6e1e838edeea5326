"""What can come of a request: an answer, a failure to wait out, or a reason to stop.

Apart from the client, which takes a second to import, so that everything else does without it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer, as the server counted them."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        content: the text; "" if there is none.
        fault: why the text cannot be used; None if it can.
        usage: what the server counted; None if it does not say.
    """

    content: str
    fault: str | None
    usage: Usage | None


class TransientError(Exception):
    """A failure that may pass.

    Attributes:
        wait: seconds that the server asked for; None if it did not.
        is_refusal: whether the server said that it was too much.
        may_be_paid: whether the server may have worked for it all the same.
        is_silent: whether no server was there at all.
    """

    def __init__(
        self,
        message: str,
        *,
        wait: float | None = None,
        is_refusal: bool = False,
        may_be_paid: bool = False,
        is_silent: bool = False,
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.is_refusal = is_refusal
        self.may_be_paid = may_be_paid
        self.is_silent = is_silent


class RejectedError(Exception):
    """Why the server rejects one request; others may succeed."""


class StopError(RuntimeError):
    """Why no request can succeed any more, in one sentence."""


class UnknownError(StopError):
    """The server does not know what was asked for."""
