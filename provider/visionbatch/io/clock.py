"""Time and chance, behind one small interface so that tests can own both."""

from __future__ import annotations

import random
import time
from typing import Protocol

from visionbatch.flow.effects import Pause


class Clock(Protocol):
    """What performs the effects ``Now`` and ``Pause`` for synchronous code."""

    def now(self) -> float:
        """Unix seconds."""

    def pause(self, pause: Pause) -> None:
        """Go on at a moment drawn from the range."""


class AsyncClock(Protocol):
    """The same on an event loop."""

    def now(self) -> float:
        """Unix seconds."""

    async def pause(self, pause: Pause) -> None:
        """Go on at a moment drawn from the range."""


class SystemClock:
    """The machine's clock; the draw needs no seed, for nothing but politeness depends on it."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def pause(self, pause: Pause) -> None:
        """Sleep the thread."""
        time.sleep(drawn(pause))


class LoopClock:
    """The machine's clock on an event loop."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    async def pause(self, pause: Pause) -> None:
        """Let the loop go on with others."""
        import asyncio  # noqa: PLC0415  # who waits in threads spares its 4 MiB

        await asyncio.sleep(drawn(pause))


async def pause_until(moment: float) -> None:
    """Let the loop go on with others until a moment.

    :param moment: seconds of ``time.monotonic()``; one that has passed is now.
    """
    import asyncio  # noqa: PLC0415  # as above

    await asyncio.sleep(max(moment - time.monotonic(), 0.0))


_CHANCE = random.Random()  # noqa: S311  # jitter, not a secret
"""Our own, so that a program that seeds the module's for its own ends is left alone."""


def drawn(pause: Pause) -> float:
    """Seconds drawn evenly from the range."""
    return _CHANCE.uniform(pause.at_least, pause.at_most)
