"""One Airflow home for the process, a mock for the whole run, and a fresh customer for each test.

Nothing in this folder imports Airflow while tests are collected, so that a run without the marker ``airflow`` neither
pays for it nor leaves a home behind.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.airflow_runs import InProcessAirflow, Records, TaskRun, when_started
from support.books import Books
from support.clocks import HandClock
from support.features import Feature
from support.orders import CHUNK, write_orders
from support.outputs import filled
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.deepomatic.batches import Batch
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

HERE = Path(__file__).parent
KEY_MARKS = "%/+="
"""Characters that a key may hold and that some encodings change."""

QUICK = {"queued_s": 0.0, "processing_s": 0.3}
QUICK_WORKSPACE = {
    "roboflow_indexing_s": 0.2,
    "roboflow_queued_s": 0.0,
    "roboflow_processing_s": 0.3,
    "roboflow_export_s": 0.1,
}

NOT_OURS = ("ignore:Using `httpx` with `starlette.testclient` is deprecated",)
"""Warnings of Airflow's own parts, by their text; ours stay errors."""

OURS_ONLY = ("default", r"error:::(airflow_)?visionbatch")
"""Under an older Airflow, whose parts are warned of by all the libraries that came after them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.filterwarnings(*(NOT_OURS if Feature.TASK_STATE.is_there else OURS_ONLY)))


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and credentials of the machine that runs the tests are none of theirs."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def no_scheduler_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers wait until the scheduler has heard of the worker's end; in one process there is nobody to hear of it."""
    monkeypatch.setattr("airflow_visionbatch.deferral.SETTLED_S", 0.0)


@pytest.fixture
def hand_clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """The clock of workers and triggers, moved by their own pauses: no deadline comes while there is work to do."""
    from visionbatch.io.clock import LoopClock, SystemClock  # noqa: PLC0415

    clock = HandClock(time.time())

    async def pause_on_a_loop(_: LoopClock, pause: Any) -> None:
        clock.pause(pause)
        await asyncio.sleep(0)

    for kind in (SystemClock, LoopClock):
        monkeypatch.setattr(kind, "now", lambda _: clock.now())
    monkeypatch.setattr(SystemClock, "pause", lambda _, pause: clock.pause(pause))
    monkeypatch.setattr(LoopClock, "pause", pause_on_a_loop)
    return clock


@pytest.fixture(scope="session")
def airflow_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Airflow's settings as environment variables, with a home that lasts as long as the run."""
    home = tmp_path_factory.mktemp("airflow-home")
    dags = home / "dags"
    dags.mkdir()
    return {
        "AIRFLOW_HOME": str(home),
        # Before 3.3 the Execution API in this process does not start without it, and does not say so.
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    }


@pytest.fixture(scope="session")
def airflow(airflow_settings: dict[str, str]) -> Iterator[InProcessAirflow]:
    """Airflow in this process, with a migrated database."""
    if "airflow" in sys.modules:
        pytest.fail("Airflow was imported before its home was known: run `pytest -m airflow` in a process of its own")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**environment, **airflow_settings},
        check=True,
        capture_output=True,
        timeout=180,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
            patch.delenv(name)
        for name, value in airflow_settings.items():
            patch.setenv(name, value)
        if not Feature.TASK_STATE.is_there:
            from airflow.sdk.execution_time import supervisor  # noqa: PLC0415

            patch.setattr(supervisor, "in_process_api_server", when_started(supervisor.in_process_api_server))
        yield InProcessAirflow(Path(airflow_settings["AIRFLOW_HOME"]))


@pytest.fixture(scope="session")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(seed=11)) as server:
        yield server


@pytest.fixture
def tenant(mock: MockServer) -> Tenant:
    """A customer without a history, whose batches are processed at once."""
    tenant = mock.world.tenant(f"key-{KEY_MARKS}-{secrets.token_hex(8)}")
    tenant.configure(**QUICK)
    return tenant


@pytest.fixture
def books(tenant: Tenant) -> Books:
    return Books(tenant)


class Connections:
    """Airflow connections in the environment, as a deployment would have them."""

    def __init__(self, mock: MockServer, tenant: Tenant, patch: pytest.MonkeyPatch) -> None:
        self._mock = mock
        self._tenant = tenant
        self._patch = patch

    def value(self, **changes: Any) -> dict[str, Any]:
        """The JSON form of a connection that works; ``extra`` is merged, anything else replaced."""
        extra = {"upload_hosts": self._mock.url, "transfer": {"chunk_bytes": CHUNK}, **changes.pop("extra", {})}
        whole = {"conn_type": "deepomatic", "host": self._mock.url, "password": self._tenant.token, **changes}
        return {**{key: value for key, value in whole.items() if value is not None}, "extra": extra}

    def __call__(self, conn_id: str = "deepomatic_default", **changes: Any) -> str:
        """Set a connection and give its id."""
        self.raw(conn_id, self.value(**changes))
        return conn_id

    def raw(self, conn_id: str, value: dict[str, Any]) -> None:
        self._patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))


@pytest.fixture
def connection(mock: MockServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Connections:
    """This test's customer is behind ``deepomatic_default``; call it to set another connection or to change this."""
    connections = Connections(mock, tenant, monkeypatch)
    connections()
    return connections


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Where this test's run records outlive a try."""
    return Records(tmp_path / "records")


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two work orders whose archive is five chunks long."""
    return write_orders(tmp_path_factory.mktemp("orders") / "orders")


@pytest.fixture(scope="session")
def archive(orders: Path) -> bytes:
    """The archive that these two become."""
    from support.orders import read_whole  # noqa: PLC0415
    from visionbatch import CheckSettings, Deepomatic, DeepomaticSettings  # noqa: PLC0415

    client = Deepomatic(DeepomaticSettings("http://127.0.0.1:9"), dict)
    with client, client.check(orders, CheckSettings()) as checked:
        return read_whole(checked.ready())


@pytest.fixture
def batch(tenant: Tenant) -> Batch:
    """A batch that somebody else has made and that is being processed."""
    tenant.configure(lifecycle="manual")
    batch = tenant.batches.create("made elsewhere")
    batch.force(BatchState.PROCESSING)
    return batch


@pytest.fixture
def run_task(airflow: InProcessAirflow, operator: Any, arguments: dict[str, Any]) -> Callable[..., TaskRun]:
    """Runs the module's ``operator`` with its ``arguments``, and others on top."""

    def run(**more: Any) -> TaskRun:
        return airflow.run(operator, **{**arguments, **more})

    return run


@pytest.fixture
def on_paper(operator: Any, arguments: dict[str, Any]) -> Callable[..., Any]:
    """The module's operator, made and never run."""

    def make(**more: Any) -> Any:
        return operator(**{"task_id": "task", **arguments, **more})

    return make


@pytest.fixture
def workspace(connection: Connections, tenant: Tenant, mock: MockServer) -> Callable[..., str]:
    """This test's customer is behind ``roboflow_default`` as well, in a hurry; call it to change the connection."""
    tenant.configure(**QUICK_WORKSPACE)

    def connect(conn_id: str = "roboflow_default", **changes: Any) -> str:
        extra = {"upload_hosts": mock.url, "download_hosts": mock.url, **changes.pop("extra", {})}
        return connection(conn_id, conn_type="roboflow", extra=extra, **changes)

    connect()
    return connect


@pytest.fixture
def staged(tenant: Tenant) -> Callable[..., str]:
    """Batches with files in them that something else has put there, see `support.outputs.filled`."""
    return partial(filled, tenant)
