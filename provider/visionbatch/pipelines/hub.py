"""All who wait on one connection in one event loop: one session, one credential, and where possible one poll.

Ten thousand waiting batches then cost a hundred requests a round instead of ten thousand, and each of them a few
hundred bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from visionbatch.errors import BulkUnsupported
from visionbatch.flow.watch import Observer, Pace, Roster, Vigil, patrol, watch
from visionbatch.io.clock import AsyncClock, LoopClock
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.drive import adrive
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.site import Site

log = logging.getLogger(__name__)

SiteOpener = Callable[[], Awaitable[Site]]
"""Looks a connection up; called once for all who share a hub."""


class Hub:
    """One connection on one loop; see `hub`."""

    def __init__(self, site: Site, plane: AsyncControlPlane, clock: AsyncClock) -> None:
        self.site = site
        self.plane = plane
        self.clock = clock
        self._bulk = True
        self._rounds: dict[Pace, _Round] = {}

    async def await_end(
        self, ref: str, *, pace: Pace, deadline: float | None, observe: Observer | None = None
    ) -> Snapshot:
        """Wait until a batch or job has ended; see `visionbatch.flow.watch.watch`."""
        if self._bulk:
            try:
                return await self._in_round(ref, pace, deadline, observe)
            except BulkUnsupported as error:
                if self._bulk:
                    log.info("%s: asking for each one alone: %s", self.site.api.name, error.what)
                self._bulk = False
        flow = watch(
            lambda: self.site.api.look(ref),
            subject=self._subject(ref),
            pace=pace,
            deadline=deadline,
            observe=observe,
        )
        return await adrive(flow, self.plane, self.clock)

    async def cancel(self, ref: str) -> None:
        """Cancel a batch or job; one that is gone counts as cancelled."""
        await adrive(self.site.api.cancel(ref), self.plane)

    async def _in_round(self, ref: str, pace: Pace, deadline: float | None, observe: Observer | None) -> Snapshot:
        group = self._rounds.setdefault(pace, _Round(self, pace))
        over = asyncio.get_running_loop().create_future()

        def settled() -> None:
            if not over.done():
                over.set_result(None)

        vigil = Vigil(
            self._subject(ref),
            pace,
            began=self.clock.now(),
            deadline=deadline,
            observe=observe,
            settled=settled,
        )
        group.join(ref, vigil)
        try:
            await over
        finally:
            group.leave(ref, vigil)
        return vigil.result()

    def _subject(self, ref: str) -> str:
        return f"{self.site.api.name} batch {ref}"

    async def close(self) -> None:
        """End the rounds that still go."""
        for group in self._rounds.values():
            await group.stop()


class _Round:
    """The vigils of one hub that keep the same pace, and the task that goes round."""

    def __init__(self, hub: Hub, pace: Pace) -> None:
        self._hub = hub
        self._pace = pace
        self._roster = Roster()
        self._task: asyncio.Task[None] | None = None

    def join(self, ref: str, vigil: Vigil) -> None:
        self._roster.add(ref, vigil)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._go())

    def leave(self, ref: str, vigil: Vigil) -> None:
        self._roster.remove(ref, vigil)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _go(self) -> None:
        try:
            await adrive(
                patrol(self._roster, self._hub.site.api.look_all, self._pace), self._hub.plane, self._hub.clock
            )
        except Exception as error:
            # Whoever waits must hear of it: a wait without a poll would never end.
            self._roster.abandon(error)
            raise


@dataclass
class _Lease:
    opening: asyncio.Task[tuple[Hub, AsyncExitStack]]
    holders: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lease]] = WeakKeyDictionary()


@asynccontextmanager
async def hub(connection: str, open_site: SiteOpener, clock: AsyncClock | None = None) -> AsyncIterator[Hub]:
    """The one hub of a connection on the running loop: made for its first holder, closed behind its last.

    :param connection: what the holders have in common, such as service and connection id.
    :param open_site: called once, for the first of them.
    """
    leases = _leases.setdefault(asyncio.get_running_loop(), {})
    lease = leases.get(connection)
    if lease is None:
        lease = leases[connection] = _Lease(asyncio.create_task(_open(open_site, clock or LoopClock())))
    lease.holders += 1
    try:
        # Shielded, for one holder that is cancelled must not take the connection from the others.
        opened, _ = await asyncio.shield(lease.opening)
        yield opened
    finally:
        lease.holders -= 1
        if lease.holders == 0:
            leases.pop(connection, None)
            await _close(lease)


async def _open(open_site: SiteOpener, clock: AsyncClock) -> tuple[Hub, AsyncExitStack]:
    async with AsyncExitStack() as stack:
        site = await open_site()
        session = await stack.enter_async_context(shared_session())
        opened = Hub(site, AsyncControlPlane(site.origin, site.credentials, session), clock)
        stack.push_async_callback(opened.close)
        return opened, stack.pop_all()


async def _close(lease: _Lease) -> None:
    lease.opening.cancel()
    with suppress(asyncio.CancelledError, Exception):
        _, stack = await lease.opening
        await stack.aclose()


async def await_end(
    site: Site,
    ref: str,
    *,
    pace: Pace | None = None,
    deadline: float | None = None,
    observe: Observer | None = None,
    clock: AsyncClock | None = None,
) -> Snapshot:
    """Wait until a batch or job of a site has ended, together with all who wait on that site in this loop.

    :param deadline: Unix seconds; ``None`` waits for ever.
    """

    async def same() -> Site:
        return site

    async with hub(f"{site.api.name} {site.origin.url} {id(site)}", same, clock) as shared:
        return await shared.await_end(ref, pace=pace or Pace(), deadline=deadline, observe=observe)
