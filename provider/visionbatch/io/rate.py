"""The rate that all who share a plane keep to together."""

from __future__ import annotations

import asyncio

LONGEST_CLOSED_S = 300.0
"""The longest that one ``Retry-After`` keeps everybody away; each watch obeys longer ones by itself."""


class Rate:
    """Gives out places, evenly spaced and in order; may be closed for a while.

    :param per_s: greatest number of places in a second.
    """

    def __init__(self, per_s: float) -> None:
        self._gap = 1 / per_s
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next place."""
        now = asyncio.get_running_loop().time()
        place = max(now, self._next)
        self._next = place + self._gap
        if place > now:
            await asyncio.sleep(place - now)

    def close_for(self, seconds: float) -> None:
        """Give out no place for so long, at most `LONGEST_CLOSED_S`."""
        until = asyncio.get_running_loop().time() + min(seconds, LONGEST_CLOSED_S)
        self._next = max(self._next, until)
