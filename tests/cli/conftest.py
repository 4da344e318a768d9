"""The command line as schedulers run it: a process of its own, against a customer of the mock without a history."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.books import Books
from support.command_line import CommandLine
from support.leaks import places_of
from support.orders import write_orders
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.tenant import Tenant


@pytest.fixture(scope="session")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(seed=11)) as server:
        yield server


@pytest.fixture
def tenant(mock: MockServer, request: pytest.FixtureRequest) -> Tenant:
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)
    tenant = mock.world.tenant(f"cli-{name}-%/+={secrets.token_hex(8)}")
    tenant.configure(queued_s=0.0, processing_s=0.0, error_report="json")
    return tenant


@pytest.fixture
def books(tenant: Tenant) -> Books:
    return Books(tenant)


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_orders(tmp_path_factory.mktemp("orders") / "orders")


@pytest.fixture
def vb(mock: MockServer, tenant: Tenant, tmp_path: Path) -> Iterator[CommandLine]:
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "VISIONBATCH_DEEPOMATIC_URL": mock.url,
        "VISIONBATCH_DEEPOMATIC_UPLOAD_HOSTS": mock.url,
        "VISIONBATCH_DEEPOMATIC_API_KEY": tenant.token,
    }
    line = CommandLine(environment)
    yield line
    assert places_of([tenant.token], line.printed) == []


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where records are kept when nothing else is said."""
    return tmp_path / "home" / ".local" / "state" / "visionbatch"
