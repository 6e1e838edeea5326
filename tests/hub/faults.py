"""Faults that the tests' Hub makes on demand: wrong answers, and connections that break off."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """A fault.

    Attributes:
        method: of the requests that it strikes.
        path: a pattern that is looked for in their path.
        times: how many it strikes, in their order.
        status: what they are answered with; 0 breaks the connection off.
        after: requests that are let through before.
        bytes_sent: with status 0, how much of the true answer is sent first.
        headers: of the answer.
        held: what the request waits for before anything is answered.
        is_done: with status 0, whether what was asked is done before the connection breaks.
    """

    method: str
    path: str
    times: int = 1
    status: int = 500
    after: int = 0
    bytes_sent: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    held: threading.Event | None = None
    is_done: bool = True


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.struck = 0

    def add(self, fault: Fault) -> None:
        """Make requests fail from now on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Let every request through from now on."""
        with self._lock:
            self._faults.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes a request, if one does."""
        with self._lock:
            for fault in self._faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    if fault.after > 0:
                        fault.after -= 1
                        return None
                    fault.times -= 1
                    self.struck += 1
                    return fault
        return None
