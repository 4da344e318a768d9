"""The rate that all who share a plane keep to together."""

from __future__ import annotations

import asyncio
from math import ceil

LONGEST_CLOSED_S = 300.0
"""The longest that one ``Retry-After`` keeps everybody away; each watch obeys longer ones by itself."""


TICK_S = 0.05
"""Who has to wait goes on at a multiple of this, together with others: a loop that wakes for each of them alone spends
as much on waking as on their requests."""


class Rate:
    """Gives out places in order, as many as the rate allows; may be closed, which moves every place still to come.

    :param per_s: greatest number of places in a second.
    """

    def __init__(self, per_s: float) -> None:
        self._gap = 1 / per_s
        self._next = 0.0
        self._open_at = 0.0
        self._moved = 0.0

    async def turn(self) -> None:
        """Wait for the next place."""
        clock = asyncio.get_running_loop().time
        place = max(clock(), self._next)
        self._next = place + self._gap
        before = self._moved
        while (left := place + self._moved - before - clock()) > 0:
            moment = clock() + left
            await asyncio.sleep(ceil(moment / TICK_S) * TICK_S - clock())

    def close_for(self, seconds: float) -> None:
        """Give out no place for so long, at most `LONGEST_CLOSED_S`; who waits already waits so much longer."""
        now = asyncio.get_running_loop().time()
        until = now + min(seconds, LONGEST_CLOSED_S)
        longer = until - max(now, self._open_at)
        if longer > 0:
            self._open_at = until
            self._moved += longer
            self._next = max(self._next, now) + longer
