"""Whole runs from plain Python, with what the environment says: the same runs that the command line makes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import pytest
from PIL import Image

from support.books import Books
from support.orders import write_orders
from visionbatch import (
    BatchTask,
    Deepomatic,
    JobDefinition,
    JobKind,
    Pace,
    Phase,
    Roboflow,
    Tuning,
    Vias,
    await_end,
    batch_ref,
)
from visionbatch.cli import main
from visionbatch.cli.deepomatic import deepomatic
from visionbatch.cli.roboflow import roboflow
from visionbatch.cli.vias import vias
from visionbatch.errors import ConfigError
from visionbatch.pipelines.environment import DEEPOMATIC, ROBOFLOW, VIAS, from_environment
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

QUICK = Tuning(pace=Pace(first_s=0.05, longest_s=0.2, confirm_s=0.05))
TASK = {
    "name": "nightly",
    "service_name": "fire",
    "service_version": "1.0",
    "batch_input": {
        "video_source_group": [
            {"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": "source-0001"}]}
        ]
    },
    "output": {"event_center": True},
}


@pytest.fixture
def variables(mock: MockServer, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names this test's customer at all three services, and nothing else."""
    for name in [name for name in os.environ if name.startswith("VISIONBATCH_")]:
        monkeypatch.delenv(name)
    key = tmp_path / "key"
    key.write_text(f"{tenant.token}\n")
    named = {
        "DEEPOMATIC_URL": mock.url,
        "DEEPOMATIC_UPLOAD_HOSTS": f"{mock.url} storage.googleapis.com",
        "DEEPOMATIC_API_KEY_FILE": str(key),
        "ROBOFLOW_URL": mock.url,
        "ROBOFLOW_HOSTS": mock.url,
        "ROBOFLOW_API_KEY": tenant.token,
        "VIAS_URL": mock.url,
        "VIAS_IAM_URL": mock.url,
        "VIAS_ACCESS_KEY": tenant.token,
        "VIAS_SECRET_KEY": "secret",
        "STATE_DIR": str(tmp_path / "state"),
    }
    for name, value in named.items():
        monkeypatch.setenv(f"VISIONBATCH_{name}", value)
    tenant.configure(
        queued_s=0.0,
        processing_s=0.0,
        **{f"roboflow_{stage}_s": 0.0 for stage in ("queued", "processing", "export")},
        vias_open_sources=True,
        vias_durations=dict.fromkeys(["PENDING", "STARTING", "RUNNING", "STOPPING"], 0),
    )
    # These clients have the machine's clock.
    tenant.clock.run()
    return monkeypatch


@pytest.mark.parametrize(
    ("group", "options"), [(deepomatic, DEEPOMATIC), (roboflow, ROBOFLOW), (vias, VIAS)], ids=lambda x: ""
)
def test_each_option_of_the_command_line_is_read_from_the_same_variable(
    group: click.Group, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [parameter.name for parameter in group.params] == list(options)
    for name, default in options.items():
        written = {bool: "Yes", tuple: "one two"}.get(type(default), "word")
        monkeypatch.setenv(f"VISIONBATCH_{group.name}_{name}".upper(), written)
    read = from_environment(str(group.name), options)
    assert set(read.values()) <= {"word", Path("word"), ("one", "two"), True}
    for variable in [name for name in os.environ if name.startswith("VISIONBATCH_")]:
        monkeypatch.delenv(variable)
    context = group.make_context(str(group.name), [], resilient_parsing=True, auto_envvar_prefix="VISIONBATCH")
    assert {name: value or options[name] for name, value in context.params.items()} == options


def test_a_run_from_python_is_the_run_of_the_command_line(
    variables: pytest.MonkeyPatch, books: Books, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_orders(tmp_path / "work_orders")
    with Deepomatic.from_env(tuning=QUICK) as site:
        manifest = site.run(folder, report_dir=tmp_path / "reports")
    assert manifest.outcome == "done"
    assert (tmp_path / "reports" / f"{manifest.batch_id}.manifest.json").exists()
    assert main(["deepomatic", "run", str(folder)]) == 0
    assert capsys.readouterr().out.startswith(f"already done: batch {manifest.batch_id}")
    with Deepomatic.from_env(tuning=QUICK) as site:
        assert site.run(folder).batch_id == manifest.batch_id
        assert site.run(folder, run_id="another").batch_id != manifest.batch_id
    assert len(books.tenant.ledger.entries("batch.processed")) == 2


def test_images_are_staged_and_a_workflow_runs_over_them(
    variables: pytest.MonkeyPatch, books: Books, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8)).save(photos / f"{number}.jpg")
    for _ in range(2):
        with Roboflow.from_env(tuning=QUICK) as workspace:
            staged = workspace.stage(photos, report_dir=tmp_path / "reports")
            workspace.wait_ready(staged.batch_id, staged.expected)
            manifest = workspace.run(
                JobDefinition(kind=JobKind.IMAGES, batch_id=staged.batch_id, workflow_id="inspect")
            )
        assert (staged.expected, manifest.outcome) == (2, "done")
    assert (tmp_path / "reports" / f"{staged.batch_id}.stage.json").exists()
    assert len(books.tenant.ledger.entries("roboflow.job_created")) == 1


def test_two_workspaces_whose_keys_tell_them_apart_have_runs_of_their_own(
    variables: pytest.MonkeyPatch, books: Books, mock: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (8, 8)).save(photos / "0.jpg")
    other = mock.world.tenant(f"{books.tenant.token}-other")
    other.configure(roboflow_workspace="another-workspace")
    for tenant in (books.tenant, other):
        variables.setenv("VISIONBATCH_ROBOFLOW_API_KEY", tenant.token)
        with Roboflow.from_env(tuning=QUICK) as workspace:
            staged = workspace.stage(photos, "photos")
            workspace.wait_ready(staged.batch_id, staged.expected)
            job = JobDefinition(kind=JobKind.IMAGES, batch_id="photos", workflow_id="inspect")
            assert workspace.run(job, ready_ref=staged.ready_ref).outcome == "done"
        assert main(["roboflow", "run", "photos", "--workflow", "inspect", "--expected", "1"]) == 0
        assert capsys.readouterr().out.startswith("already done")
        assert len(tenant.ledger.entries("roboflow.job_created")) == 1
        assert staged.batch_id in {entry["batch_id"] for entry in tenant.ledger.entries("roboflow.batch_made")}
    # Under one name of its own a run is one workspace's, and the other's is not taken for it.
    with Roboflow.from_env(tuning=QUICK) as workspace:
        workspace.stage(photos, "named", run_id="nightly")
        variables.setenv("VISIONBATCH_ROBOFLOW_API_KEY", books.tenant.token)
    with Roboflow.from_env(tuning=QUICK) as workspace, pytest.raises(ConfigError, match="another-workspace, not to"):
        workspace.stage(photos, "named", run_id="nightly")


def test_a_batch_task_is_made_once_and_waited_for(variables: pytest.MonkeyPatch, books: Books) -> None:
    for _ in range(2):
        with Vias.from_env(tuning=QUICK) as project:
            manifest = project.run(BatchTask.from_json(TASK))
        assert manifest.outcome == "done"
    assert len(books.tenant.ledger.entries("vias.batch_created")) == 1


async def test_an_event_loop_waits_for_the_same_things(
    variables: pytest.MonkeyPatch, tmp_path: Path, tenant: Tenant
) -> None:
    folder = write_orders(tmp_path / "work_orders")
    with Deepomatic.from_env(tuning=QUICK) as site, Vias.from_env(tuning=QUICK) as project:
        manifest = await asyncio.to_thread(site.run, folder)
        task = await asyncio.to_thread(project.run, BatchTask.from_json(TASK))
    assert (await await_end(Deepomatic.site_from_env(), manifest.batch_id, pace=QUICK.pace)).phase is Phase.SUCCEEDED
    assert (
        await await_end(await Vias.site_from_env(), batch_ref(task.batch_id), pace=QUICK.pace)
    ).phase is Phase.SUCCEEDED


def test_what_is_missing_is_named_before_the_first_request(
    variables: pytest.MonkeyPatch, books: Books, tmp_path: Path
) -> None:
    variables.delenv("VISIONBATCH_DEEPOMATIC_URL")
    with pytest.raises(ConfigError, match="VISIONBATCH_DEEPOMATIC_URL"):
        Deepomatic.from_env()
    variables.delenv("VISIONBATCH_ROBOFLOW_API_KEY")
    with Roboflow.from_env(tuning=QUICK) as workspace, pytest.raises(ConfigError, match="VISIONBATCH_ROBOFLOW_API_KEY"):
        workspace.jobs()
    variables.delenv("VISIONBATCH_VIAS_ACCESS_KEY")
    with Vias.from_env(tuning=QUICK) as project, pytest.raises(ConfigError, match="VISIONBATCH_VIAS_ACCESS_KEY"):
        project.batches()
    assert not books.tenant.journal.entries()
