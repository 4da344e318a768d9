"""One thing for all who hold it: what becomes of a holder that is cancelled while it is closed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from visionbatch.pipelines.lease import held


async def test_who_is_cancelled_while_it_closes_closes_to_the_end_and_is_cancelled() -> None:
    closing, may_close, closed = asyncio.Event(), asyncio.Event(), []

    async def opener(stack: AsyncExitStack) -> str:
        async def close() -> None:
            closing.set()
            await may_close.wait()
            closed.append(True)

        stack.push_async_callback(close)
        return "it"

    async def hold() -> None:
        async with held("a key", opener):
            pass

    async with asyncio.timeout(10):
        holder = asyncio.create_task(hold())
        await closing.wait()
        for _ in range(2):
            holder.cancel()
            await asyncio.sleep(0)
            assert not holder.done()
        may_close.set()
        with pytest.raises(asyncio.CancelledError):
            await holder
    assert closed == [True]
    assert holder.cancelled()
