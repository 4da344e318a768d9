"""A client of a customer of VIAS whose clock only moves when somebody pauses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.clients import Clients
from support.clocks import TenantClock
from visionbatch import Pace, RetryPolicy, Secret, Tuning
from visionbatch.pipelines.vias import Vias
from visionbatch.vias.account import Account, IamUser
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.signing import AccessKey
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

TUNING = Tuning(retry=RetryPolicy(attempts=4), pace=Pace(first_s=10, longest_s=30))


class Project(Clients):
    """Makes clients of this test's customer; each is closed at the end."""

    def __init__(self, mock: MockServer, tenant: Tenant, clock: TenantClock) -> None:
        super().__init__(mock, tenant, clock)
        tenant.configure(vias_open_sources=True)

    @property
    def key(self) -> AccessKey:
        return AccessKey(self.tenant.token, Secret("secret"))

    @property
    def user(self) -> IamUser:
        return IamUser(self.tenant.token, Secret("password"), self.tenant.token)

    def settings(self, **changes: Any) -> ViasSettings:
        return ViasSettings(**{"base_url": self.url, "iam_url": self.url, **changes})

    def __call__(self, account: Account | None = None, tuning: Tuning = TUNING, **changes: Any) -> Vias:
        return self._kept(Vias(self.settings(**changes), lambda: account or self.key, tuning=tuning, clock=self.clock))


@pytest.fixture
def project(mock: MockServer, tenant: Tenant, clock: TenantClock) -> Iterator[Project]:
    with Project(mock, tenant, clock) as factory:
        yield factory


@pytest.fixture
def vias(project: Project) -> Vias:
    return project()
