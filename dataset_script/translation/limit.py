"""How many requests are in flight: as many as allowed, fewer for as long as the server refuses.

When a server says that it is too much (429), the number is halved and nothing new starts before the
time that it named; every answer after that lets it grow again, by one for each round of answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK = 0.2  # seconds; how long a wait goes on that has lost its reason


class AdaptiveLimit:
    """A bound on what happens at the same time.

    Args:
        most: requests in flight at most.

    Attributes:
        allowed: requests in flight that are allowed now; not whole while it grows.
        in_flight: requests in flight.
    """

    def __init__(self, most: int) -> None:
        self.allowed = float(most)
        self.in_flight = 0
        self._most = most
        self._quiet_until = 0.0  # of `time.monotonic`
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for one's turn, and count as in flight inside the `async with`."""
        async with self._changed:
            while True:
                quiet = self._quiet_until - time.monotonic()
                if quiet <= 0 and self.in_flight < max(1, int(self.allowed)):
                    break
                if quiet > 0:
                    # Released while waiting, so that others may end and be counted.
                    self._changed.release()
                    try:
                        await asyncio.sleep(min(quiet, TICK))
                    finally:
                        await self._changed.acquire()
                else:
                    await self._changed.wait()
            self.in_flight += 1
        try:
            yield
        finally:
            async with self._changed:
                self.in_flight -= 1
                self._changed.notify_all()

    def slow_down(self, seconds: float) -> None:
        """Halve what is allowed, once for all refusals of one moment, and be quiet for a while.

        Args:
            seconds: how long nothing new may start.
        """
        moment = time.monotonic()
        if moment >= self._quiet_until:
            self.allowed = max(1.0, self.allowed / 2)
        self._quiet_until = max(self._quiet_until, moment + seconds)

    def break_silence(self) -> None:
        """Let those that wait for a time that was named go on: nothing is to be asked any more."""
        self._quiet_until = 0.0

    def speed_up(self) -> None:
        """Count an answer: after as many as are allowed, one more is."""
        self.allowed = min(float(self._most), self.allowed + 1 / max(1.0, self.allowed))
