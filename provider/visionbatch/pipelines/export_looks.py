"""Looking at an export's prefix again and again on an event loop, once for all who watch it.

google-cloud-storage waits for its answers, so each prefix has a thread of its own in which it is listed: a slow one
holds up neither the loop nor another prefix. An asynchronous client would be a second one, with another way to its
credentials, for one request a minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress

from visionbatch.deepomatic.export_layout import ExportLayout
from visionbatch.errors import ConfigError, VisionBatchError
from visionbatch.flow.effects import Pause
from visionbatch.flow.retry import transient
from visionbatch.io.clock import AsyncClock, LoopClock
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch.pipelines.export_arrival import Looked, looked
from visionbatch.pipelines.lease import held

log = logging.getLogger(__name__)

BucketOpener = Callable[[], Awaitable[GcsBucket]]
"""Looks a connection up; called once for all who share a look."""


async def export_looks(
    connection: str,
    open_bucket: BucketOpener,
    layout: ExportLayout,
    every_s: float,
    clock: AsyncClock | None = None,
) -> AsyncGenerator[Looked]:
    """What lies below a prefix, look by look; who asks later begins with the last one. Outages are lived through.

    :param connection: what those have in common who read the bucket with the same account.
    :param every_s: seconds between two looks.
    :raises ConfigError: for an interval that is none.
    :raises VisionBatchError: what patience does not mend, logged at once and raised ``every_s`` later.
    """
    if not every_s > 0:
        raise ConfigError(f"the interval between two looks is {every_s:g} seconds: it must be greater than 0")
    key = f"export looks {connection} {layout} {float(every_s)}"

    async def opened(stack: AsyncExitStack) -> _Looks:
        looks = _Looks(await open_bucket(), layout, every_s, clock or LoopClock())
        stack.push_async_callback(looks.close)
        looks.begin()
        return looks

    async with held(key, opened) as shared:
        number = 0
        while True:
            look, number = await shared.after(number)
            yield look


class _Looks:
    """The one who looks, and the last look."""

    def __init__(self, bucket: GcsBucket, layout: ExportLayout, every_s: float, clock: AsyncClock) -> None:
        self._bucket = bucket
        self._layout = layout
        self._every = Pause(every_s, every_s)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="visionbatch-look")
        self._changed = asyncio.Condition()
        self._last: Looked | None = None
        self._number = 0
        self._trouble = ""
        self._failed = False
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._go())

    async def after(self, number: int) -> tuple[Looked, int]:
        """A look that comes after that number, with its own."""
        assert self._task is not None  # noqa: S101  # it has begun
        async with self._changed:
            await self._changed.wait_for(lambda: self._number > number or self._failed)
        if self._failed or self._last is None:
            # What it raises says why; shielded, for one who gives up waiting must not end it for the others.
            await asyncio.shield(self._task)
            raise AssertionError
        return self._last, self._number

    async def close(self) -> None:
        """Stop looking; a look that is under way ends in its thread, and closes the connections behind it."""
        if self._task is not None:
            self._task.cancel()
            # What it raises is told to those who ask for the next look.
            with suppress(asyncio.CancelledError, Exception):
                await self._task
        self._thread.submit(self._bucket.close)
        self._thread.shutdown(wait=False)

    async def _go(self) -> None:
        try:
            while True:
                await self._once()
                await self._clock.pause(self._every)
        except Exception:
            # Whoever waits must hear of it: a wait without a look would never end.
            self._failed = True
            await self._tell()
            raise

    async def _once(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            look = await loop.run_in_executor(self._thread, self._look)
        except VisionBatchError as error:
            if error.what != self._trouble:
                log.warning("%s: %s", self._bucket.place(self._layout.prefix), error)
            self._trouble = error.what
            if transient(error):
                return
            # Airflow starts a failed watcher again within a second, and a refused key must not be tried so often.
            await self._clock.pause(self._every)
            raise
        self._trouble = ""
        self._last, self._number = look, self._number + 1
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _look(self) -> Looked:
        return looked(self._bucket.files(self._layout.prefix), self._layout)
