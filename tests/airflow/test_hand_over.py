"""A run that one way in began, and another went on with: they share nothing but the record."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.books import Books
from support.command_line import CommandLine
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow", "connection")]


@pytest.fixture
def command_line(mock: MockServer, tenant: Tenant, orders: Path, tmp_path: Path):
    """A command over the same folder, for the same customer."""

    def run(command: str, *arguments: str) -> dict[str, Any]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "VISIONBATCH_DEEPOMATIC_URL": mock.url,
            "VISIONBATCH_DEEPOMATIC_UPLOAD_HOSTS": mock.url,
            "VISIONBATCH_DEEPOMATIC_API_KEY": tenant.token,
        }
        ended = CommandLine(environment)("--json", "deepomatic", command, orders, *arguments)
        assert ended.code == 0, ended.err
        found: dict[str, Any] = ended.json
        return found

    return run


@pytest.fixture
def run_batch(airflow, orders):
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    return lambda **given: airflow.run(DeepomaticRunBatchOperator, source=str(orders), poll_interval=0.05, **given)


def test_a_task_goes_on_with_a_run_of_the_command_line(command_line, run_batch, books: Books, tmp_path: Path):
    record = f"file://{tmp_path}/shared/nightly.json"
    begun = command_line("submit", "--run-record", record)
    run = run_batch(state_path=record)
    assert (run.state, run.result["batch_id"], run.result["outcome"]) == ("success", begun["batch_id"], "done")
    assert len(books.effects("archive.committed")) == 1


def test_the_command_line_goes_on_with_a_run_of_a_task(command_line, run_batch, books: Books, tmp_path: Path):
    record = f"file://{tmp_path}/shared/nightly.json"
    begun = run_batch(state_path=record, wait=False)
    ended = command_line("run", "--run-record", record)
    assert (ended["batch_id"], ended["outcome"]) == (begun.result["batch_id"], "done")
    assert len(books.effects("archive.committed")) == 1
