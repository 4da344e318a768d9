"""Clients of a test's customer, on a clock that costs no time."""

from __future__ import annotations

from typing import TypeVar

from support.clocks import TenantClock
from visionbatch.io.closing import Closable
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

C = TypeVar("C", bound=Closable)


class Clients(Closable):
    """Makes clients; each is closed at the end."""

    def __init__(self, mock: MockServer, tenant: Tenant, clock: TenantClock) -> None:
        self.url = mock.url
        self.tenant = tenant
        self.clock = clock
        self._made: list[Closable] = []

    def close(self) -> None:
        for client in self._made:
            client.close()

    def _kept(self, client: C) -> C:
        self._made.append(client)
        return client
