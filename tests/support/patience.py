"""Waiting on a loop for what happens in the mock's threads, which have no event to wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Let the loop go on until the condition holds.

    :raises TimeoutError: when it does not in time.
    """
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """The same for a thread.

    :raises TimeoutError: when it does not hold in time.
    """
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)
