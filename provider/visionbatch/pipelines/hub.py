"""All who wait on one connection in one event loop: one session, one credential, and where possible one poll.

Ten thousand waiting batches then cost a hundred requests a round instead of ten thousand, and each of them a few
hundred bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

from visionbatch.errors import BulkUnsupported, NotFound, VisionBatchError
from visionbatch.flow.effects import Flow, Pause
from visionbatch.flow.gathering import Gathering
from visionbatch.flow.listing import Listing
from visionbatch.flow.looking import Looking
from visionbatch.flow.pace import Pace
from visionbatch.flow.vigil import Observer
from visionbatch.flow.watch import watch
from visionbatch.io.clock import AsyncClock, LoopClock
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.drive import adrive
from visionbatch.model.listed import Listed
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Snapshot
from visionbatch.model.tally import Tally
from visionbatch.pipelines.lease import held
from visionbatch.pipelines.rounds import Awaited, Punctual, Round
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
        self.kind = f"{site.api.name} {site.api.noun}"
        self._many = f"{self.kind}{'es' if self.kind.endswith('ch') else 's'}"
        self._look = Looking(site.api.look_all, site.api.look, subject=self._many)
        self._bulk = True
        self._rounds: dict[tuple[Pace, bool], Round] = {}

    async def await_end(
        self, ref: str, *, pace: Pace, deadline: float | None, observe: Observer | None = None
    ) -> Snapshot:
        """Wait until a batch or job has ended; see `visionbatch.flow.watch.watch`."""
        if self._bulk:
            group = self._round(pace)
            vigil = Awaited(self.kind, ref, pace, began=self.clock.now(), deadline=deadline, observe=observe)
            group.join(ref, vigil)
            try:
                await vigil.over
            finally:
                group.leave(ref, vigil)
            try:
                return vigil.result()
            except BulkUnsupported as error:
                self._go_alone(error)
        return await self._alone(ref, pace, deadline, observe)

    async def await_all(
        self,
        refs: Sequence[str],
        *,
        pace: Pace,
        deadline: float | None,
        on_partial: OnPartial,
        observe: Callable[[Tally], None] | None = None,
    ) -> Tally:
        """Wait until all of them have ended or the deadline has passed, and tell what became of each.

        They are looked at together with all else that is waited for here. At a site without a list they are asked for
        one by one, as fast as the plane allows.

        :param refs: ids, each once.
        :param deadline: Unix seconds; who has not ended by then counts as waiting.
        :param observe: called after each look that changed something, and at the end.
        :raises VisionBatchError: what ends the wait for all of them, such as a refused key.
        """
        while True:
            bulk, news = self._bulk, asyncio.Event()
            gathering = Gathering(
                refs,
                kind=self.kind,
                pace=pace,
                began=self.clock.now(),
                deadline=deadline,
                on_partial=on_partial,
                changed=news.set,
            )
            await self._gathered(gathering, self._round(pace), news, observe)
            try:
                return gathering.tally()
            except BulkUnsupported as error:
                if not bulk:
                    raise
                self._go_alone(error)

    async def _gathered(
        self, gathering: Gathering, group: Round, news: asyncio.Event, observe: Callable[[Tally], None] | None
    ) -> None:
        for ref, member in gathering.members():
            group.join(ref, member)
        try:
            while not gathering.over:
                await news.wait()
                news.clear()
                if observe is not None and gathering.failure is None:
                    observe(gathering.tally())
        finally:
            group.leave_all(gathering.owns)

    def _round(self, pace: Pace) -> Round:
        """Those who keep a pace; who began when there still was a list ends with it."""
        found = self._rounds.get((pace, self._bulk))
        if found is None:
            look = self._look if self._bulk else self._look.without_list()
            found = self._rounds[pace, self._bulk] = Round(look, pace, plane=self.plane, clock=self.clock)
        return found

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
        plane = self.plane if deadline is None else Punctual(self.plane, self.clock, deadline)
        return adrive(flow, plane, self.clock)

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
        listing = Listing(self.site.api.newest, subject=self._many, pace=pace)
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


def hub(connection: str, open_site: SiteOpener, clock: AsyncClock | None = None) -> AbstractAsyncContextManager[Hub]:
    """The one hub of a connection on the running loop: made for its first holder, closed behind its last.

    :param connection: what the holders have in common, such as service and connection id.
    :param open_site: called once, for the first of them.
    """

    async def opened(stack: AsyncExitStack) -> Hub:
        site = await open_site()
        session = await stack.enter_async_context(shared_session())
        time = clock or LoopClock()
        made = Hub(site, AsyncControlPlane(site.origin, site.credentials, session, now=time.now), time)
        stack.push_async_callback(made.close)
        return made

    return held(connection, opened)


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
