"""How much a receiver takes from whom."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A steady rate, and what may come at once."""

    per_s: float
    burst: int


class RateLimit:
    """One token bucket for each key, as many as there is room for.

    :param clock: monotonic seconds.
    """

    def __init__(self, rate: Rate, *, most: int = 1024, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = most
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> bool:
        """Whether one more is in order."""
        now = self._clock()
        left, at = self._left.pop(key, (float(self._rate.burst), now))
        left = min(left + (now - at) * self._rate.per_s, float(self._rate.burst))
        allowed = left >= 1
        self._left[key] = (left - allowed, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return allowed

    def forget(self, key: Hashable) -> None:
        """Let a key begin anew."""
        self._left.pop(key, None)
