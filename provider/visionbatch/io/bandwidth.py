"""A limit on the bytes that all transfers of a process send in a second, together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from visionbatch.config import KIB
from visionbatch.flow.effects import Pause
from visionbatch.io.clock import Clock

SLICE_S = 0.05
"""A limited transfer takes what it may send in this time: little enough for an even flow, enough to cost nothing."""


class Bandwidth:
    """Gives out bytes, as many as the limit allows; may be shared by threads.

    :param bytes_per_s: the limit.
    """

    def __init__(self, bytes_per_s: int, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, wanted: int) -> int:
        """Wait for a turn; gives the bytes that may be sent in it, at least one and at most ``wanted``."""
        count = min(wanted, max(int(self._bytes_per_s * SLICE_S), KIB))
        with self._lock:
            now = self._monotonic()
            # What was not used before now is gone: a limit is not an average.
            turn = max(now, self._free_at)
            self._free_at = turn + count / self._bytes_per_s
        if turn > now:
            self._clock.pause(Pause(turn - now, turn - now))
        return count

    def give_back(self, count: int) -> None:
        """Return what was taken and could not be sent."""
        with self._lock:
            self._free_at -= count / self._bytes_per_s
