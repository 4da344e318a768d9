"""A tenant's clock: real time that a test may shift, stop or speed up."""

import math
import threading
import time
from datetime import UTC, datetime

LATEST = 32_503_680_000.0
"""Ours: a clock stops at the beginning of the year 3000, so that what follows from it can still be written."""


class TenantClock:
    """Seconds since the epoch, moved by tests. Everything that has a time asks it.

    It runs from an anchor: `now = anchor + (real - real anchor) * speed`; frozen is speed 0.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._anchor = self._real = time.time()
        self._speed = speed
        self._frozen = False

    def now(self) -> float:
        """Seconds since the epoch on this clock."""
        with self._lock:
            return self._now()

    def iso(self) -> str:
        """Now as ISO 8601 with microseconds and `Z`, the vendor's form."""
        return iso(self.now())

    def advance(self, seconds: float) -> None:
        """Jump by `seconds`; also moves a frozen clock. Negative jumps back. Raises `ValueError` as `set` does."""
        with self._lock:
            self._set(self._now() + seconds)

    def set(self, epoch: float) -> None:
        """Jump to a moment; raises `ValueError` for one before 1970 or after 2999."""
        with self._lock:
            self._set(epoch)

    def freeze(self) -> None:
        """Stand still until `run` or `speed_up`."""
        with self._lock:
            self._set(self._now())
            self._frozen = True

    def run(self) -> None:
        """Go on from where the clock stands."""
        with self._lock:
            self._set(self._now())
            self._frozen = False

    def speed_up(self, factor: float) -> None:
        """Run `factor` times as fast as real time from now on."""
        if not 0 <= factor < math.inf:
            raise ValueError(f"a clock cannot run {factor} times as fast")
        with self._lock:
            self._set(self._now())
            self._speed = factor
            self._frozen = False

    def as_json(self) -> dict[str, float | bool]:
        """What the control endpoint shows."""
        with self._lock:
            return {"now": self._now(), "speed": self._speed, "frozen": self._frozen}

    def _now(self) -> float:
        rate = 0.0 if self._frozen else self._speed
        return min(LATEST, self._anchor + (time.time() - self._real) * rate)

    def _set(self, epoch: float) -> None:
        if not 0 <= epoch <= LATEST:
            raise ValueError(f"a clock shows moments from 1970 to 2999, not {epoch:g} s")
        self._anchor, self._real = epoch, time.time()


def iso(epoch: float) -> str:
    """A moment as ISO 8601 with microseconds and `Z`."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
