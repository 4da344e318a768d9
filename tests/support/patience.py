"""Waiting on a loop for what happens in the mock's threads, which have no event to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Let the loop go on until the condition holds.

    :raises TimeoutError: when it does not in time.
    """
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
