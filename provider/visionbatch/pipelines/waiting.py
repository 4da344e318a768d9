"""Waiting on an event loop, for any service: what a triggerer and a notebook call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from visionbatch.flow.watch import Pace, watch
from visionbatch.io.clock import AsyncClock
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.drive import adrive
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.site import Site


async def await_end(
    site: Site,
    ref: str,
    *,
    pace: Pace,
    deadline: float | None = None,
    observe: Callable[[Snapshot], None] | None = None,
    clock: AsyncClock | None = None,
) -> Snapshot:
    """Wait until a batch or job has ended; see `visionbatch.flow.watch.watch`."""
    flow = watch(
        lambda: site.api.look(ref),
        subject=f"{site.api.name} batch {ref}",
        pace=pace,
        deadline=deadline,
        observe=observe,
    )
    async with _plane(site) as plane:
        return await adrive(flow, plane, clock)


async def acancel(site: Site, ref: str) -> None:
    """Cancel a batch or job from the loop; one that is gone counts as cancelled."""
    async with _plane(site) as plane:
        await adrive(site.api.cancel(ref), plane)


@asynccontextmanager
async def _plane(site: Site) -> AsyncIterator[AsyncControlPlane]:
    async with shared_session() as session:
        yield AsyncControlPlane(site.origin, site.credentials, session)
