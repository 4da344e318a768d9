"""``visionbatch vias``: batch tasks of Huawei Cloud VIAS."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.credentials import secret_of
from visionbatch.cli.run_state import kept_run
from visionbatch.cli.vias_fetch import fetch_command
from visionbatch.errors import ConfigError
from visionbatch.flow.judge import judge
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import OnPartial, Policies
from visionbatch.pipelines.environment import vias_account, vias_settings
from visionbatch.pipelines.run_places import task_identity
from visionbatch.pipelines.vias import Vias, batch_ref
from visionbatch.pipelines.vias_access import Accounts
from visionbatch.pipelines.vias_answers import require_tasks
from visionbatch.pipelines.vias_create import ViasRun
from visionbatch.pipelines.vias_wait import wait as wait_for_end
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.words import table

_PARTIAL = click.option(
    "--on-partial", default="fail", show_default=True, help="fail, warn, accept, accept:5 or accept:2%."
)
_WAIT_FOR = click.option(
    "--wait-for", default="finished", show_default=True, help="finished, running, or states with commas between."
)


@click.group()
@click.option("--region", default="cn-north-4", show_default=True, help="Region; gives the hosts.")
@click.option("--project-id", default="", help="Id of the project; looked up by the region's name without.")
@click.option("--url", default="", help="Base URL of VIAS, instead of the region's.")
@click.option("--iam-url", default="", help="Base URL of IAM, instead of the region's.")
@click.option("--access-key", default="", help="Access key (AK); its secret key comes from the environment.")
@click.option("--user", default="", help="IAM user, instead of an access key; its password comes from the environment.")
@click.option("--domain", default="", help="Account of the IAM user.")
@click.option("--secret-file", type=Path, help="File with the secret key or the password; - is stdin.")
@click.option("--states-from", type=click.Choice(["batches", "tasks"]), default="batches", show_default=True)
@click.pass_context
def vias(context: click.Context, /, **given: Any) -> None:
    """Batch tasks of Huawei Cloud VIAS. The secret key comes from VISIONBATCH_VIAS_SECRET_KEY, the token of a temporary
    key from VISIONBATCH_VIAS_SECURITY_TOKEN, a user's password from VISIONBATCH_VIAS_PASSWORD; with _FILE behind its
    name each of these names a file instead.
    """  # noqa: D205  # click prints the whole text as one paragraph
    context.obj = {**context.obj, **given}


def client(options: Mapping[str, Any]) -> Vias:
    """The client that the group's options describe."""
    return Vias(*_opened(options))


def _opened(options: Mapping[str, Any]) -> tuple[ViasSettings, Accounts]:
    return vias_settings(options), lambda: vias_account(options, secret_of)


@vias.command()
@click.argument("body", type=Path)
@click.pass_obj
def check(options: Mapping[str, Any], *, body: Path) -> None:
    """Check the request body of a batch task, a JSON file, without sending anything."""
    task = _task(body, "")
    warnings = task.check()
    lines = [*map(str, warnings), f"{task.name}: {task.sources} sources in {len(task.groups)} groups, no error"]
    answer(options, {"name": task.name, "warnings": [str(warning) for warning in warnings]}, "\n".join(lines))


@vias.command()
@click.argument("body", type=Path)
@click.option("--name", default="", help="Name of the batch, instead of the one in the file.")
@_WAIT_FOR
@click.option("--no-wait", is_flag=True, help="Do not wait; a weekly schedule needs this, or --wait-for running.")
@click.option("--report-dir", type=Path, help="Folder for the manifest.")
@click.option("--run-id", help="Identity of this run, such as $ORDERID; region and name without.")
@click.option("--run-record", help="Address of the run record in an object store, to share it with Airflow.")
@click.option("--timeout", type=float, default=24 * 3600.0, show_default=True, help="Seconds until it must be there.")
@_PARTIAL
@click.option("--on-timeout", default="leave", show_default=True, help="leave or cancel.")
@click.option("--on-input-change", default="fail", show_default=True, help="fail or cancel_and_new.")
@click.option("--adopt/--no-adopt", default=True, show_default=True, help="Take a batch that has the name already.")
@click.pass_obj
def create(options: Mapping[str, Any], /, **given: Any) -> None:
    """Make a batch task from a JSON file, as the vendor documents its request body, and wait for it.

    The same command again goes on where it stopped.
    """
    policies = Policies.of(
        on_partial=given["on_partial"], on_timeout=given["on_timeout"], on_input_change=given["on_input_change"]
    )
    task = _task(given["body"], given["name"])
    identity = task_identity(vias_settings(options), task.name, given["run_id"])
    goal = None if given["no_wait"] else given["wait_for"]
    with client(options) as site, kept_run({**options, "run_record": given["run_record"]}, identity) as store:
        run = ViasRun(site, store, policies, wait_for=goal, adopt=given["adopt"])
        # Whoever starts the command again means it to have its time.
        submitted = run.submit(task, deadline=time.time() + given["timeout"], cleared=True)
        if goal is None:
            manifest = submitted.manifest(site.api.console_url(run.batch_id))
        else:
            manifest = run.conclude(
                submitted,
                lambda: wait_for_end(site, run.ref, deadline=submitted.record.deadline),
                sink=LocalSink(given["report_dir"]) if given["report_dir"] else None,
            )
    answer(options, manifest.to_json(), f"batch {manifest.batch_id}: {manifest.outcome} {manifest.counts or ''}")


@vias.command("list")
@click.argument("name", default="")
@click.pass_obj
def list_(options: Mapping[str, Any], *, name: str) -> None:
    """List the batches of the project, the newest first.

    NAME: part of their names.
    """
    with client(options) as site:
        entries = site.batches(name)
    rows = [{"batch_id": entry.batch_id, "name": entry.name, "states": entry.counters} for entry in entries]
    lines = [f"{entry.batch_id}  {entry.name}  {json.dumps(entry.counters)}" for entry in entries]
    answer(options, {"batches": rows}, "\n".join(lines) or "there are no batches")


@vias.command()
@click.argument("batch_id")
@_WAIT_FOR
@click.pass_obj
def status(options: Mapping[str, Any], *, batch_id: str, wait_for: str) -> None:
    """Print the states of a batch's tasks, and what they are to somebody who waits."""
    with client(options) as site:
        snapshot = site.status(batch_ref(batch_id, wait_for))
    answer(options, snapshot.to_json(), "\n".join([str(snapshot.phase), *(f"  {line}" for line in table(snapshot))]))


@vias.command()
@click.argument("batch_id")
@_WAIT_FOR
@click.option("--timeout", type=float, default=24 * 3600.0, show_default=True, help="Seconds to wait.")
@_PARTIAL
@click.pass_obj
def wait(options: Mapping[str, Any], *, batch_id: str, wait_for: str, timeout: float, on_partial: str) -> None:
    """Wait until a batch is finished, runs, or is in one of the states."""
    policy = OnPartial.parse(on_partial)
    with client(options) as site:
        snapshot = wait_for_end(site, batch_ref(batch_id, wait_for), deadline=time.time() + timeout)
    verdict = judge(snapshot, policy)
    verdict.require(SERVICE, batch_id)
    answer(options, snapshot.to_json(), verdict.reason)


@vias.command()
@click.argument("batch_id")
@_PARTIAL
@click.pass_obj
def start(options: Mapping[str, Any], *, batch_id: str, on_partial: str) -> None:
    """Start the tasks of a batch."""
    _act(options, "start", batch_id, on_partial)


@vias.command()
@click.argument("batch_id")
@_PARTIAL
@click.pass_obj
def stop(options: Mapping[str, Any], *, batch_id: str, on_partial: str) -> None:
    """Stop the tasks of a batch; they can be started again."""
    _act(options, "stop", batch_id, on_partial)


@vias.command()
@click.argument("batch_id")
@_PARTIAL
@click.pass_obj
def delete(options: Mapping[str, Any], *, batch_id: str, on_partial: str) -> None:
    """Delete a batch and its tasks."""
    _act(options, "delete", batch_id, on_partial)


_DONE = {"start": "started", "stop": "stopped", "delete": "deleted"}


def _act(options: Mapping[str, Any], action: str, batch_id: str, on_partial: str) -> None:
    policy = OnPartial.parse(on_partial)
    with client(options) as site:
        done = getattr(site, action)(batch_id)
    if done is None:
        answer(options, {"batch_id": batch_id, "gone": True}, f"batch {batch_id} is gone already")
        return
    require_tasks(done, policy, _DONE[action])
    answer(options, done.to_json(), f"batch {batch_id}: {_DONE[action]}, {done}")


vias.add_command(fetch_command(_opened))


def _task(body: Path, name: str) -> BatchTask:
    try:
        value = json.loads(body.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{body} cannot be read as JSON ({type(error).__name__})") from error
    task = BatchTask.from_json(value)
    return task.named(name) if name else task
