"""Fixtures for tests that meet the mock: a server for the run, a customer for each test, and a strict end.

A test that asked for any of them fails when it sent a request that no route wanted, and when a fault that
it planned was never met. `@pytest.mark.vision_mock(allow_unmatched=True, allow_unmet=True)` waives either;
any other keyword of the marker is a setting of the test's customer.

Nothing is started before a test asks, and Flask is not loaded before that: pytest loads this plugin
wherever the mock is installed.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from visionbatch_mock.connections import airflow_connections, environment

if TYPE_CHECKING:
    from visionbatch_mock.clock import TenantClock
    from visionbatch_mock.config import MockConfig
    from visionbatch_mock.ledger import Ledger
    from visionbatch_mock.pytest_session import Faults, MockSession, VisionMock

MARKER = "vision_mock"
_HANDLE = pytest.StashKey["VisionMock"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for runs with `--strict-markers`."""
    text = f"{MARKER}(allow_unmatched=False, allow_unmet=False, **settings): how the mock treats this test"
    config.addinivalue_line("markers", text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Let a test fail in which a request met no route or a fault no request."""
    try:
        yield
    except BaseException:
        # The test fails by itself; what went wrong at the mock may be why.
        if handle := item.stash.get(_HANDLE, None):
            item.add_report_section("call", "visionbatch-mock", "\n".join(handle.complaints()) or "nothing unusual")
        raise
    handle = item.stash.get(_HANDLE, None)
    if handle and (complaints := handle.complaints()):
        pytest.fail("\n".join(complaints), pytrace=False)


@pytest.fixture(scope="session")
def vision_config() -> "MockConfig | None":
    """Settings of the run's server; override it to give others than the defaults."""
    return None


@pytest.fixture(scope="session")
def _vision_session(vision_config: "MockConfig | None") -> Iterator["MockSession"]:
    from visionbatch_mock.pytest_session import MockSession  # noqa: PLC0415 - see the top

    with MockSession(vision_config) as session:
        yield session


@pytest.fixture
def vision_mock(request: pytest.FixtureRequest, _vision_session: "MockSession") -> Iterator["VisionMock"]:
    """A customer of this test's own on the run's server: `url`, `key`, `clock`, `faults`, `ledger`, `journal`."""
    marker = request.node.get_closest_marker(MARKER)
    settings = dict(marker.kwargs) if marker else {}
    with _vision_session.customer(request.node.nodeid, **settings) as handle:
        request.node.stash[_HANDLE] = handle
        yield handle


@pytest.fixture
def vision_clock(vision_mock: "VisionMock") -> "TenantClock":
    """The customer's clock, frozen: it moves when the test says so."""
    vision_mock.clock.freeze()
    return vision_mock.clock


@pytest.fixture
def vision_faults(vision_mock: "VisionMock") -> "Faults":
    """Call it with an operation and instructions to plan faults; every one of them has to be met."""
    return vision_mock.faults


@pytest.fixture
def vision_ledger(vision_mock: "VisionMock") -> "Ledger":
    """What the services really did for this customer."""
    return vision_mock.ledger


@pytest.fixture
def vision_connections(vision_mock: "VisionMock", monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Mapping[str, Any]]:
    """Airflow connections to this customer, in the environment under their default ids; gives them as JSON has them."""
    for name, value in environment(vision_mock.url, vision_mock.key, os.environ).items():
        monkeypatch.setenv(name, value)
    return airflow_connections(vision_mock.url, vision_mock.key)
