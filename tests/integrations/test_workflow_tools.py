"""The examples for Dagster and Prefect, as processes of these tools' own.

What Dagster starts is run here by its Pipes protocol, for which its small package is enough. The tools themselves are
an environment of a third of a gigabyte: `make integrations` makes it and runs the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster_pipes
import pytest

from support.orders import write_orders
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.tenant import Tenant

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "integrations"
TOOLS = ROOT / ".venv-workflows" / "bin"
PATIENCE_S = 180
KEY = "key-of-the-workflow-tools"


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(queued_s=0, processing_s=0)) as server:
        yield server


@pytest.fixture
def tenant(mock: MockServer) -> Tenant:
    tenant = mock.world.tenant(KEY)
    tenant.reset()
    return tenant


@pytest.fixture
def environment(mock: MockServer, tenant: Tenant, tmp_path: Path) -> dict[str, str]:
    write_orders(tmp_path / "work_orders")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "VISIONBATCH_DEEPOMATIC_URL": mock.url,
        "VISIONBATCH_DEEPOMATIC_UPLOAD_HOSTS": mock.url,
        "VISIONBATCH_DEEPOMATIC_API_KEY": KEY,
        "WORK_ORDERS": str(tmp_path / "work_orders"),
        "REPORTS": str(tmp_path / "reports"),
    }


def run(*command: object, environment: dict[str, str], code: int = 0) -> str:
    ran = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


class Pipes:
    """Dagster's side of its protocol: what the process is told, and what it reports."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._messages = folder / "messages"
        context = {
            "asset_keys": ["verdicts"],
            "code_version_by_asset_key": {"verdicts": None},
            "provenance_by_asset_key": {"verdicts": None},
            "partition_key": None,
            "partition_key_range": None,
            "partition_time_window": None,
            "run_id": "0b7c",
            "job_name": "job",
            "retry_number": 0,
            "extras": {"work_orders": environment["WORK_ORDERS"], "reports": environment["REPORTS"]},
        }
        self.environment = {
            **environment,
            "DAGSTER_PIPES_CONTEXT": dagster_pipes.encode_param({"data": context}),
            "DAGSTER_PIPES_MESSAGES": dagster_pipes.encode_param({"path": str(self._messages)}),
        }

    def reported(self, method: str) -> list[dict[str, object]]:
        messages = [json.loads(line) for line in self._messages.read_text().splitlines()]
        return [message["params"] for message in messages if message["method"] == method]


def test_what_dagster_starts_does_the_work_once_and_reports_it(
    environment: dict[str, str], tenant: Tenant, tmp_path: Path
) -> None:
    pipes = Pipes(tmp_path, environment)
    for _ in range(2):
        run(sys.executable, EXAMPLES / "dagster_process.py", environment=pipes.environment)
    first, again = pipes.reported("report_asset_materialization")
    (processed,) = tenant.ledger.entries("batch.processed")
    assert first["metadata"]["batch_id"]["raw_value"] == processed["batch_id"]
    assert (first["asset_key"], again) == ("verdicts", first)


def test_what_dagster_starts_says_why_it_failed(environment: dict[str, str], tmp_path: Path) -> None:
    pipes = Pipes(tmp_path, {**environment, "WORK_ORDERS": str(tmp_path / "elsewhere")})
    run(sys.executable, EXAMPLES / "dagster_process.py", environment=pipes.environment, code=3)
    (said,) = pipes.reported("log")
    assert "elsewhere" in str(said["message"])


@pytest.fixture
def tools() -> Path:
    if not TOOLS.exists():
        problem = "Dagster and Prefect are not installed; make integrations installs them"
        pytest.fail(problem) if "CI" in os.environ else pytest.skip(problem)
    return TOOLS


@pytest.mark.vendor
def test_dagster_materializes_the_asset(environment: dict[str, str], tenant: Tenant, tools: Path) -> None:
    home = {"DAGSTER_HOME": environment["HOME"], "DAGSTER_DISABLE_TELEMETRY": "1"}
    command = ("asset", "materialize", "--select", "verdicts", "-f", EXAMPLES / "dagster_assets.py")
    said = run(tools / "dagster", *command, environment={**environment, **home})
    (processed,) = tenant.ledger.entries("batch.processed")
    assert "ASSET_MATERIALIZATION" in said
    assert (Path(environment["REPORTS"]) / f"{processed['batch_id']}.manifest.json").exists()


@pytest.mark.vendor
def test_prefect_runs_the_flow(environment: dict[str, str], tenant: Tenant, tools: Path) -> None:
    home = {
        "PREFECT_HOME": environment["HOME"],
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # It starts a server of its own, which takes its time on a busy machine.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "DO_NOT_TRACK": "1",
    }
    said = run(tools / "python", EXAMPLES / "prefect_flow.py", environment={**environment, **home})
    (processed,) = tenant.ledger.entries("batch.processed")
    assert f"{processed['batch_id']} done" in said
