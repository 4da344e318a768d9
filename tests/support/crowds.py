"""Those who wait on one connection, on a clock that costs no time."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from support.clocks import AsyncTenantClock
from visionbatch import (
    DeepomaticSettings,
    Hub,
    OnPartial,
    Pace,
    Secret,
    Site,
    Snapshot,
    Tally,
    deepomatic_site,
    hub,
    token_header,
)
from visionbatch.flow.effects import Pause
from visionbatch.io.clock import AsyncClock
from visionbatch_mock import MockServer
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

LIST = "deepomatic.batches.list"
PACE = Pace(first_s=5, longest_s=5, spread=0)
QUICK = Pace(first_s=0.02, longest_s=0.02, confirm_s=0.01, spread=0)
WITHIN_S = 20.0
WHO = contextvars.ContextVar("WHO", default="nobody")


class Script(AsyncTenantClock):
    """A clock that costs no time, and does one act behind each of its pauses."""

    def __init__(self, tenant: Tenant, *acts: Callable[[], object]) -> None:
        super().__init__(tenant)
        self._acts = list(acts)

    async def pause(self, pause: Pause) -> None:  # type: ignore[override]  # the asynchronous protocol
        await super().pause(pause)
        if self._acts:
            self._acts.pop(0)()


class Opener:
    """Looks the connection up, as often as it is asked to, and counts."""

    def __init__(self, mock: MockServer, tenant: Tenant) -> None:
        self._settings = DeepomaticSettings(mock.url, upload_hosts=(mock.url,))
        self._tenant = tenant
        self.opened = 0
        self.credentials_asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []

    async def __call__(self) -> Site:
        self.opened += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return deepomatic_site(self._settings, self._credentials)

    async def _credentials(self) -> Mapping[str, Secret]:
        self.credentials_asked += 1
        await self.gate.wait()
        return token_header(Secret(self._tenant.token))


class Crowd:
    """Those who wait on one connection."""

    def __init__(self, opener: Opener, tenant: Tenant) -> None:
        self.opener = opener
        self.clock: AsyncClock = AsyncTenantClock(tenant)
        self.hubs: list[Hub] = []
        self.name = tenant.token

    async def wait(self, ref: str, pace: Pace = PACE, deadline: float | None = None, observe: Any = None) -> Snapshot:
        WHO.set(ref)
        async with asyncio.timeout(WITHIN_S), hub(self.name, self.opener, self.clock) as shared:
            self.hubs.append(shared)
            return await shared.await_end(ref, pace=pace, deadline=deadline, observe=observe)

    async def wait_all(
        self,
        refs: Sequence[str],
        pace: Pace = PACE,
        deadline: float | None = None,
        on_partial: str = "warn",
        observe: Callable[[Tally], None] | None = None,
    ) -> Tally:
        policy = OnPartial.parse(on_partial)
        async with asyncio.timeout(WITHIN_S), hub(self.name, self.opener, self.clock) as shared:
            self.hubs.append(shared)
            return await shared.await_all(refs, pace=pace, deadline=deadline, on_partial=policy, observe=observe)

    async def all(self, *waits: Awaitable[Any]) -> list[Any]:
        return await asyncio.gather(*waits, return_exceptions=True)

    def nothing_left(self) -> None:
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert all(shared.plane.session.closed for shared in self.hubs)


def end(*made: Any) -> Callable[[], None]:
    return lambda: [batch.force(BatchState.SUCCESS) for batch in made] and None


def nothing() -> None:
    """An act of the script."""
