"""Clocks that pass time without taking any: a pause advances the mock's clock for this test's customer."""

from __future__ import annotations

import asyncio

from visionbatch.flow.effects import Pause
from visionbatch_mock.tenant import Tenant


class TenantClock:
    """The customer's frozen clock as the client's own: both sides always agree on the time."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self.began = tenant.clock.now()
        self.pauses: list[Pause] = []

    @property
    def elapsed(self) -> float:
        return self.now() - self.began

    def now(self) -> float:
        return self._tenant.clock.now()

    def pause(self, pause: Pause) -> None:
        self.pauses.append(pause)
        self._tenant.clock.advance((pause.at_least + pause.at_most) / 2)


class AsyncTenantClock(TenantClock):
    """The same on an event loop, where every pause lets the others run."""

    async def pause(self, pause: Pause) -> None:  # type: ignore[override]  # the asynchronous protocol
        super().pause(pause)
        await asyncio.sleep(0)


class HandClock:
    """A clock of its own, for flows that are driven without a server."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.time = now
        self.pauses: list[Pause] = []

    def now(self) -> float:
        return self.time

    def pause(self, pause: Pause) -> None:
        self.pauses.append(pause)
        self.time += pause.at_least


class AsyncHandClock(HandClock):
    async def pause(self, pause: Pause) -> None:  # type: ignore[override]  # the asynchronous protocol
        super().pause(pause)
        await asyncio.sleep(0)
