"""All who wait on one connection in one event loop: one session, one credential, and where possible one poll.

Ten thousand waiting batches then cost a hundred requests a round instead of ten thousand, and each of them a few
hundred bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

from visionbatch.errors import BulkUnsupported, NotFound, VisionBatchError
from visionbatch.flow.effects import Flow, Pause
from visionbatch.flow.listing import Listing
from visionbatch.flow.watch import Observer, Pace, Roster, Vigil, patrol, watch
from visionbatch.io.clock import AsyncClock, LoopClock
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.drive import adrive
from visionbatch.model.listed import Listed
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.site import Site

log = logging.getLogger(__name__)

T = TypeVar("T")

SiteOpener = Callable[[], Awaitable[Site]]
"""Looks a connection up; called once for all who share a hub."""


class Hub:
    """One connection on one loop; see `hub`."""

    def __init__(self, site: Site, plane: AsyncControlPlane, clock: AsyncClock) -> None:
        self.site = site
        self.plane = plane
        self.clock = clock
        self.kind = f"{site.api.name} batch"
        self._bulk = True
        self._rounds: dict[Pace, _Round] = {}

    async def await_end(
        self, ref: str, *, pace: Pace, deadline: float | None, observe: Observer | None = None
    ) -> Snapshot:
        """Wait until a batch or job has ended; see `visionbatch.flow.watch.watch`."""
        if self._bulk:
            group = self._rounds.setdefault(pace, _Round(self, pace))
            vigil = group.join(ref, deadline, observe)
            try:
                await vigil.over
            finally:
                group.leave(ref, vigil)
            try:
                return vigil.result()
            except BulkUnsupported as error:
                self._go_alone(error)
        return await self._alone(ref, pace, deadline, observe)

    def _go_alone(self, error: BulkUnsupported) -> None:
        if self._bulk:
            log.info("%s: asking for each one alone: %s", self.site.api.name, error.what)
        self._bulk = False

    def _alone(self, ref: str, pace: Pace, deadline: float | None, observe: Observer | None) -> Awaitable[Snapshot]:
        flow = watch(
            lambda: self.site.api.look(ref),
            subject=f"{self.kind} {ref}",
            pace=pace,
            deadline=deadline,
            observe=observe,
        )
        return adrive(flow, self.plane, self.clock)

    async def perform(self, flow: Flow[T]) -> T:
        """Run a flow of the site's operations."""
        return await adrive(flow, self.plane, self.clock)

    async def has_ended(self, ref: str) -> bool:
        """Whether a batch or job has ended or is gone; one that cannot be asked about counts as going on."""
        try:
            snapshot = await adrive(self.site.api.look(ref), self.plane)
        except NotFound:
            return True
        except VisionBatchError:
            return False
        return snapshot.phase.is_terminal

    async def cancel(self, ref: str) -> None:
        """Cancel a batch or job; one that is gone counts as cancelled."""
        await adrive(self.site.api.cancel(ref), self.plane)

    async def listings(self, pace: Pace) -> AsyncGenerator[tuple[Listed, ...]]:
        """The newest batches or jobs, looked at again and again; see `visionbatch.flow.listing.Listing`.

        :raises VisionBatchError: what patience does not mend, logged at once and raised ``pace.longest_s`` later.
        """
        listing = Listing(self.site.api.newest, subject=f"{self.site.api.name} batches", pace=pace)
        while True:
            try:
                listed = await adrive(listing.next(), self.plane, self.clock)
            except VisionBatchError as error:
                log.warning("%s", error)
                # Airflow starts a failed watcher again within a second, and a refused key must not be tried so often.
                await self.clock.pause(Pause(pace.longest_s, pace.longest_s))
                raise
            yield listed

    async def close(self) -> None:
        """End the rounds that still go."""
        for group in self._rounds.values():
            await group.stop()


class _Awaited(Vigil):
    """A vigil that a task of this loop waits for."""

    __slots__ = ("_kind", "over")

    def __init__(
        self, kind: str, ref: str, pace: Pace, *, began: float, deadline: float | None, observe: Observer | None
    ) -> None:
        super().__init__(ref, pace, began=began, deadline=deadline, observe=observe)
        self._kind = kind
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def subject(self) -> str:
        """Put together when it is asked for: thousands of these texts would be kept for nothing."""
        return f"{self._kind} {self._subject}"

    def settled(self) -> None:
        """Wake who waits, if it still does."""
        if not self.over.done():
            self.over.set_result(None)


class _Round:
    """The vigils of one hub that keep the same pace, and the task that goes round.

    It is the clock of its own flow, for a pause ends sooner when a newcomer would be late at its end.
    """

    def __init__(self, hub: Hub, pace: Pace) -> None:
        self.pace = pace
        self._hub = hub
        self._roster = Roster()
        self._task: asyncio.Task[None] | None = None
        self._sleep: asyncio.Task[None] | None = None
        self._wakes = 0.0
        self._sooner: Pause | None = None

    def join(self, ref: str, deadline: float | None, observe: Observer | None) -> _Awaited:
        vigil = _Awaited(self._hub.kind, ref, self.pace, began=self.now(), deadline=deadline, observe=observe)
        self._roster.add(ref, vigil)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._go())
        elif self._sleep is not None and not self._sleep.done():
            now = self.now()
            wish = vigil.first_pause(now)
            if now + wish.at_most < self._wakes:
                self._wakes, self._sooner = now + wish.at_most, wish
                self._sleep.cancel()
        return vigil

    def leave(self, ref: str, vigil: Vigil) -> None:
        self._roster.remove(ref, vigil)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def now(self) -> float:
        return self._hub.clock.now()

    async def pause(self, pause: Pause) -> None:
        self._sooner = pause
        self._wakes = self.now() + pause.at_most
        while self._sooner is not None:
            self._sleep = sleep = asyncio.ensure_future(self._hub.clock.pause(self._sooner))
            self._sooner = None
            try:
                await asyncio.wait([sleep])
            finally:
                sleep.cancel()
                self._sleep = None
            if not sleep.cancelled():
                sleep.result()

    async def _go(self) -> None:
        try:
            await adrive(patrol(self._roster, self._hub.site.api.look_all, self.pace), self._hub.plane, self)
        except Exception as error:  # noqa: BLE001  # it is raised where somebody waits for it
            # Whoever waits must hear of it: a wait without a poll would never end.
            self._roster.abandon(error)


@dataclass
class _Lease:
    connection: str
    opening: asyncio.Task[tuple[Hub, AsyncExitStack]]
    holders: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lease]] = WeakKeyDictionary()


def hub(connection: str, open_site: SiteOpener, clock: AsyncClock | None = None) -> AbstractAsyncContextManager[Hub]:
    """The one hub of a connection on the running loop: made for its first holder, closed behind its last.

    :param connection: what the holders have in common, such as service and connection id.
    :param open_site: called once, for the first of them.
    """
    return _Hold(connection, open_site, clock)


class _Hold:
    """One holder's part in a lease. Thousands are held at once, so it is no generator and keeps only the lease."""

    __slots__ = ("_lease", "_wanted")

    def __init__(self, connection: str, open_site: SiteOpener, clock: AsyncClock | None) -> None:
        self._wanted: tuple[str, SiteOpener, AsyncClock | None] | None = (connection, open_site, clock)
        self._lease: _Lease | None = None

    async def __aenter__(self) -> Hub:
        assert self._wanted is not None, "held once"  # noqa: S101
        connection, open_site, clock = self._wanted
        self._wanted = None
        leases = _leases.setdefault(asyncio.get_running_loop(), {})
        lease = leases.get(connection)
        if lease is None:
            opening = asyncio.create_task(_open(open_site, clock or LoopClock()))
            lease = leases[connection] = _Lease(connection, opening)
        lease.holders += 1
        try:
            # Shielded, for one holder that is cancelled must not take the connection from the others.
            opened, _ = await asyncio.shield(lease.opening)
        except BaseException:
            await _give_back(lease)
            raise
        self._lease = lease
        return opened

    async def __aexit__(self, *_: object) -> None:
        if self._lease is not None:
            await _give_back(self._lease)


async def _give_back(lease: _Lease) -> None:
    lease.holders -= 1
    if lease.holders == 0:
        _leases[asyncio.get_running_loop()].pop(lease.connection, None)
        await _close(lease)


async def _open(open_site: SiteOpener, clock: AsyncClock) -> tuple[Hub, AsyncExitStack]:
    async with AsyncExitStack() as stack:
        site = await open_site()
        session = await stack.enter_async_context(shared_session())
        opened = Hub(site, AsyncControlPlane(site.origin, site.credentials, session), clock)
        stack.push_async_callback(opened.close)
        return opened, stack.pop_all()


async def _close(lease: _Lease) -> None:
    closing = asyncio.create_task(_closed(lease.opening))
    while not closing.done():
        # Who is cancelled while it closes, and again and again as Airflow does it, closes to the end.
        with suppress(asyncio.CancelledError):
            await asyncio.shield(closing)


async def _closed(opening: asyncio.Task[tuple[Hub, AsyncExitStack]]) -> None:
    opening.cancel()
    # A failure to open was told to those who asked for it.
    with suppress(asyncio.CancelledError, Exception):
        _, stack = await opening
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
