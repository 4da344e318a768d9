"""Every command's answer has the form that is published for it, key for key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from support.orders import photo, write_orders
from support.outputs import Outputs
from visionbatch import cli
from visionbatch_mock import MockServer
from visionbatch_mock.roboflow.lifecycle import JobState
from visionbatch_mock.tenant import Tenant

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "answer.schema.json").read_text())
ELSEWHERE = {"vias fetch"}
"""It needs an S3 service beside the mock, as the tests of VIAS's results have it."""

SOURCES = [{"video_source_id": "source-0001"}]
TASK = {"name": "night", "service_name": "fire", "service_version": "1.0", "output": {"event_center": True}}
BATCH = {"batch_input": {"video_source_group": [{"video_source_group_id": "group-0001", "video_source_list": SOURCES}]}}
EXPORT = {
    "site_id": ["ed8cf35c-6325-4d38-86da-e8fb21c3d792"],
    "export_type": "work-orders-timeline",
    "interval": "daily",
    "connector_type": "cloud_storage",
    "storage_uri": "gs://my-exports/prod",
    "export_images": True,
    "customer_name": "firm",
}


def commands(group: click.Group, *names: str) -> Iterator[str]:
    """All that can be run, as it is written."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name))


class Told:
    """Runs commands in this process, and holds what they answer against the form that is published for them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.seen: set[str] = set()

    def __call__(self, command: str, *arguments: object, code: int = 0) -> Any:
        assert cli.main(["--json", *command.split(), *map(str, arguments)]) == code, self._capsys.readouterr().err
        value = json.loads(self._capsys.readouterr().out)
        self.seen.add(command)
        jsonschema.validate(value, {**SCHEMA, "allOf": [SCHEMA["commands"][command]]})
        return value


@pytest.fixture
def told(
    mock: MockServer,
    tenant: Tenant,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Told:
    at_once = {f"roboflow_{stage}_s": 0.0 for stage in ("queued", "processing", "export", "indexing")}
    durations = dict.fromkeys(("PENDING", "STARTING", "RUNNING", "STOPPING"), 0)
    tenant.configure(vias_open_sources=True, vias_durations=durations, **at_once)
    for name in (
        "DEEPOMATIC_URL",
        "DEEPOMATIC_UPLOAD_HOSTS",
        "ROBOFLOW_URL",
        "ROBOFLOW_HOSTS",
        "VIAS_URL",
        "VIAS_IAM_URL",
    ):
        monkeypatch.setenv(f"VISIONBATCH_{name}", mock.url)
    for name in ("DEEPOMATIC_API_KEY", "ROBOFLOW_API_KEY", "VIAS_ACCESS_KEY"):
        monkeypatch.setenv(f"VISIONBATCH_{name}", tenant.token)
    monkeypatch.setenv("VISIONBATCH_VIAS_SECRET_KEY", "secret")
    monkeypatch.setenv("VISIONBATCH_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    monkeypatch.chdir(tmp_path)
    return Told(capsys)


def test_every_command_answers_in_the_form_that_is_published_for_it(
    told: Told, mock: MockServer, tenant: Tenant, tmp_path: Path
) -> None:
    of_deepomatic(told, tmp_path)
    of_exports(told, mock)
    of_roboflow(told, tenant, tmp_path)
    of_vias(told, tenant)
    assert told.seen | ELSEWHERE == set(commands(cli.cli)) == set(SCHEMA["commands"])


def of_deepomatic(told: Told, folder: Path) -> None:
    orders = write_orders(folder / "orders", work_orders=1, photos=1)
    (folder / "bad" / "WO_1").mkdir(parents=True)
    told("deepomatic check", orders)
    told("deepomatic check", "bad", code=3)
    told("deepomatic plan", orders)
    told("deepomatic run", orders, "--dry-run")
    batch = told("deepomatic run", orders, "--report-dir", "reports", "--run-record", f"file://{folder}/record.json")
    told("deepomatic submit", orders, "--run-id", "two")
    for command in ("status", "wait", "errors"):
        told(f"deepomatic {command}", batch["batch_id"])
    made = told("deepomatic create", "x")["batch_id"]
    told("deepomatic upload", "-i", made, "-f", orders)
    told("deepomatic work-order batch upload", "-i", made, "-f", orders)
    told("deepomatic delete", made)
    told("deepomatic doctor")
    told("runs adopt", f"file://{folder}/record.json", "--run-id", "three")
    told("runs list")
    told("runs show", "three")
    told("runs forget", "three")
    told("runs cancel", "two")
    told("runs prune")


def of_exports(told: Told, mock: MockServer) -> None:
    tenant = mock.world.tenant("anonymous")
    tenant.reset()
    export = tenant.exports.create(storage_uri="gs://my-exports/prod", interval="daily", export_images=True)
    export.seed({"generate": {"count": 3}})
    export.run()
    tenant.settle()
    Path("export.json").write_text(json.dumps(EXPORT))
    told("deepomatic export config", "export.json")
    told("deepomatic export doctor", "export.json")
    told("deepomatic export fetch", "gs://my-exports/prod", "exported")
    told("deepomatic export tables", "exported", "--out", "tables")
    told("deepomatic export report", "tables", "--out", "report.html")


def of_roboflow(told: Told, tenant: Tenant, folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "photos" / "1.jpg").write_bytes(photo(1, 16))
    Outputs(tenant).job("j-1")
    Outputs(tenant).job("j-2", until=JobState.FAILED)
    told("roboflow stage", "photos", "--batch-id", "photos")
    told("roboflow stage", "photos", "--batch-id", "photos", "--wait")
    told("roboflow ready", "photos")
    told("roboflow run", "photos", "--workflow", "inspect", "--dry-run")
    told("roboflow run", "photos", "--workflow", "inspect")
    told("roboflow fetch", "--job", "j-1", "results")
    for command in ("status j-1", "jobs", "batches", "logs j-1", "abort j-1", "restart j-2", "doctor"):
        name, *arguments = command.split()
        told(f"roboflow {name}", *arguments)


def of_vias(told: Told, tenant: Tenant) -> None:
    Path("batch.json").write_text(json.dumps({**TASK, **BATCH}))
    Path("task.json").write_text(json.dumps({**TASK, "input": {"type": "video_source", "data": SOURCES}}))
    told("vias check", "batch.json")
    told("vias create", "batch.json", "--dry-run")
    batch = told("vias create", "batch.json")["batch_id"]
    for command in ("list", "algorithms", "groups", "pools", "sources", "doctor"):
        told(f"vias {command}")
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    for command in ("status", "wait", "stop", "start", "delete"):
        told(f"vias {command}", batch)
    told("vias delete", "0" * 32)
    (task,) = told("vias task create", "task.json")["task_ids"]
    told("vias task list")
    for command in ("show", "stop", "start", "delete"):
        told(f"vias task {command}", task)
    told("vias task delete", "0" * 32)
