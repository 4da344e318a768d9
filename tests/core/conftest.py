"""A mock for the whole run, a fresh customer for each test, and a client on a clock that costs no time."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from support.books import Books
from support.clients import Clients
from support.clocks import TenantClock
from support.orders import CHUNK, read_whole, write_orders
from support.silence import Silence
from visionbatch import (
    CheckSettings,
    Deepomatic,
    DeepomaticSettings,
    Secret,
    TransferSettings,
    Tuning,
    token_header,
)
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.faults.plans import FaultPlan
from visionbatch_mock.tenant import Tenant

# A failure prints how to repeat it; only a build server takes the same examples every time.
hypothesis_settings.register_profile(
    "visionbatch", deadline=None, print_blob=True, derandomize="CI" in os.environ, database=None
)
hypothesis_settings.load_profile("visionbatch")

SURROUNDINGS = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NETRC",
)  # fmt: skip


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and authorities of the machine that runs the tests are none of theirs."""
    for name in SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(seed=7)) as server:
        yield server


@pytest.fixture
def tenant(mock: MockServer, request: pytest.FixtureRequest) -> Tenant:
    """A customer without a history, whose clock only moves when somebody pauses."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)
    tenant = mock.world.tenant(f"t-{name}-{secrets.token_hex(8)}")
    tenant.clock.freeze()
    return tenant


@pytest.fixture
def clock(tenant: Tenant) -> TenantClock:
    return TenantClock(tenant)


@pytest.fixture
def books(tenant: Tenant) -> Books:
    return Books(tenant)


class Site(Clients):
    """Makes clients of this test's customer; each is closed at the end."""

    def settings(self, **changes: Any) -> DeepomaticSettings:
        return DeepomaticSettings(**{"base_url": self.url, "upload_hosts": (self.url,), **changes})

    def credentials(self) -> Mapping[str, Secret]:
        return token_header(Secret(self.tenant.token))

    def __call__(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        credentials: Callable[[], Mapping[str, Secret]] | None = None,
        tuning: Mapping[str, Any] | None = None,
        **transfer: Any,
    ) -> Deepomatic:
        client = Deepomatic(
            self.settings(**(settings or {})),
            credentials or self.credentials,
            tuning=Tuning(
                transfer=TransferSettings(**{"chunk_bytes": CHUNK, "block_bytes": CHUNK // 4, **transfer}),
                **(tuning or {}),
            ),
            clock=self.clock,
        )
        return self._kept(client)


@pytest.fixture
def site(mock: MockServer, tenant: Tenant, clock: TenantClock) -> Iterator[Site]:
    with Site(mock, tenant, clock) as factory:
        yield factory


class Faults:
    """Plans in force; each has to be met to the last instruction before the test ends."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._plans: list[FaultPlan] = []

    def __call__(self, operation: str, *instructions: Any) -> FaultPlan:
        return self.plan({operation: instructions})

    def plan(self, instructions: Mapping[str, Sequence[Any]]) -> FaultPlan:
        plan = self._tenant.faults.plan({"instructions": instructions})
        self._plans.append(plan)
        return plan

    def check(self) -> None:
        assert not [plan.remaining for plan in self._plans if not plan.completed], "a fault never happened"


@pytest.fixture
def faults(tenant: Tenant) -> Iterator[Faults]:
    book = Faults(tenant)
    yield book
    book.check()


@pytest.fixture
def silence(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> Iterator[Silence]:
    """Nothing that this test lets out may hold a key or a session's address."""
    caplog.set_level(logging.DEBUG)
    guard = Silence(tenant, caplog)
    yield guard
    guard.check()


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two work orders to read, not to change."""
    return write_orders(tmp_path_factory.mktemp("orders") / "orders")


@pytest.fixture(scope="session")
def archive(orders: Path) -> bytes:
    """The archive that these two become."""
    from visionbatch.pipelines.inputs import opened  # noqa: PLC0415  # only where it is needed

    with opened(orders, CheckSettings()) as checked:
        return read_whole(checked.ready())


@pytest.fixture(params=["strict", "rich"])
def profile(request: pytest.FixtureRequest, tenant: Tenant) -> str:
    tenant.configure(profile=request.param)
    return str(request.param)


@pytest.fixture(params=["json", "xml"])
def session_kind(request: pytest.FixtureRequest, tenant: Tenant) -> str:
    tenant.configure(session_kind=request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def faults_reveal_nothing(request: pytest.FixtureRequest) -> None:
    """Whatever row of the matrix a test shows, it also shows that no secret was printed."""
    if request.node.get_closest_marker("fault") and "tenant" in request.fixturenames:
        request.getfixturevalue("silence")
