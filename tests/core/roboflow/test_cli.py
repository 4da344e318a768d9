"""The command line's group for Roboflow, with the mock behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.books import Books
from visionbatch import JobDefinition
from visionbatch.cli import main
from visionbatch.errors import ExitCode
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def command(
    mock: MockServer,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Command:
    """Runs a command at a service that needs no time for anything, and gives exit code and JSON."""
    tenant.configure(roboflow_queued_s=0.0, roboflow_processing_s=0.0, roboflow_export_s=0.0)
    monkeypatch.setenv("VISIONBATCH_ROBOFLOW_API_KEY", tenant.token)

    def run(*arguments: object) -> tuple[int, Any]:
        capsys.readouterr()
        shared = ["--json", "--state-dir", str(tmp_path / "state")]
        code = main([*shared, "roboflow", "--url", mock.url, *map(str, arguments)])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_job_is_run_looked_at_and_listed(
    command: Command,
    stage: Callable[..., JobDefinition],
    books: Books,
    tmp_path: Path,
    mock: MockServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage()
    parameters = tmp_path / "parameters.json"
    parameters.write_text('{"confidence": 0.5}')
    options = ("--parameters", parameters, "--workers", 2, "--timeout", 60)

    assert command("run", "photos", "--workflow", "inspect", "--dry-run")[1]["dry_run"]
    assert not books.requests("roboflow.jobs.create")
    reports = ("--report-dir", tmp_path, "--junit", tmp_path / "junit.xml")
    code, manifest = command("run", "photos", "--workflow", "inspect", *options, *reports)
    assert (tmp_path / "junit.xml").exists()
    again, same = command("run", "photos", "--workflow", "inspect", *options)

    assert (code, again) == (ExitCode.DONE, ExitCode.DONE)
    assert (same["batch_id"], same["already_done"]) == (manifest["batch_id"], True)
    assert not manifest["already_done"]
    (created,) = books.effects("roboflow.job_created")
    assert created["definition"]["processingSpecification"]["workflowParameters"] == {"confidence": 0.5}
    job_id = created["job_id"]
    assert json.loads((tmp_path / f"{job_id}.manifest.json").read_text())["outcome"] == "done"
    assert command("status", job_id)[1]["phase"] == "succeeded"
    assert [row["job_id"] for row in command("jobs")[1]["jobs"]] == [job_id]
    assert {row["batch_id"] for row in command("batches")[1]["batches"]} == {
        "photos",
        f"{job_id}-processing",
        f"{job_id}-export",
    }
    assert [line["kind"] for line in command("logs", job_id)[1]["lines"]] == ["job-ended"]
    assert command("abort", job_id)[0] == ExitCode.DONE
    code, told = command("doctor")
    assert (code, {step["name"]: step["passed"] for step in told["steps"]}["credential"]) == (ExitCode.DONE, True)
    aborts = len(books.requests("roboflow.jobs.abort"))
    monkeypatch.setenv("VISIONBATCH_ROBOFLOW_URL", mock.url)
    assert main(["--state-dir", str(tmp_path / "state"), "runs", "cancel", job_id]) == ExitCode.DONE
    assert len(books.requests("roboflow.jobs.abort")) == aborts + 1


def test_a_job_that_failed_can_be_restarted_and_one_that_did_not_cannot(
    command: Command, stage: Callable[..., JobDefinition], books: Books, tenant: Tenant, tmp_path: Path
) -> None:
    stage()
    tenant.configure(roboflow_outcome="fail")
    code, error = command("run", "photos", "--workflow", "inspect", "--timeout", 60)
    assert (code, error["error"]) == (ExitCode.REMOTE_FAILED, "JobFailed")
    job_id = error["ref"]
    tenant.configure(roboflow_outcome="success")

    assert command("restart", job_id, "--machine", "gpu")[0] == ExitCode.DONE
    code, error = command("restart", job_id)

    assert (code, error["error"]) == (ExitCode.REMOTE_FAILED, "Refused")
    (restarted,) = books.effects("roboflow.job_restarted")
    assert restarted["override"]["computeConfiguration"]["machineType"] == "gpu"


def test_a_bad_definition_and_a_missing_key_are_usage_errors(
    command: Command, books: Books, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, error = command("run", "photos", "--workflow", "w", "--workers", 3)
    assert (code, error["error"]) == (ExitCode.USAGE, "ConfigError")
    assert "workers" in error["what"]
    monkeypatch.delenv("VISIONBATCH_ROBOFLOW_API_KEY")
    assert command("jobs")[0] == ExitCode.USAGE
    assert not books.tenant.journal.entries()
