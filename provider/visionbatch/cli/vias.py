"""``visionbatch vias``: batch tasks of Huawei Cloud VIAS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.bodies import body_in
from visionbatch.cli.credentials import Finder
from visionbatch.cli.diagnoses import tell_diagnosis
from visionbatch.cli.junit import reported
from visionbatch.cli.numbers import POSITIVE
from visionbatch.cli.run_state import kept_run
from visionbatch.cli.vias_fetch import fetch_command
from visionbatch.cli.vias_single import DONE, single_commands
from visionbatch.flow.judge import judge
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import OnPartial, Policies
from visionbatch.model.run import RunStore
from visionbatch.model.text import printable
from visionbatch.pipelines.decide import Action
from visionbatch.pipelines.doctor import doctor
from visionbatch.pipelines.environment import vias_account, vias_settings
from visionbatch.pipelines.owned_records import OwnedRecord, project_of_vias
from visionbatch.pipelines.run_places import task_identity
from visionbatch.pipelines.vias import Vias, batch_ref
from visionbatch.pipelines.vias_access import Accounts
from visionbatch.pipelines.vias_answers import require_tasks
from visionbatch.pipelines.vias_create import ViasRun
from visionbatch.pipelines.vias_wait import WaitForRun
from visionbatch.pipelines.vias_wait import wait as wait_for_end
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.goals import Goal
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
    find = Finder()
    return vias_settings(options), lambda: vias_account(options, find)


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
@click.option("--run-id", help="Identity of this run, such as $ORDERID; project and name without.")
@click.option("--run-record", help="Address of the run record in an object store, to share it with Airflow.")
@click.option(
    "--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds until it must be there."
)
@_PARTIAL
@click.option("--on-timeout", default="leave", show_default=True, help="leave or cancel.")
@click.option("--on-input-change", default="fail", show_default=True, help="fail or cancel_and_new.")
@click.option(
    "--adopt/--no-adopt", default=False, show_default=True, help="Go on with somebody else's live batch of that name."
)
@click.option("--dry-run", is_flag=True, help="Check, and send nothing.")
@click.option("--junit", type=Path, help="File for the result as JUnit XML.")
@click.pass_obj
def create(options: Mapping[str, Any], /, **given: Any) -> None:
    """Make a batch task from a JSON file, as the vendor documents its request body, and wait for it.

    The same command again goes on where it stopped.
    """
    policies = Policies.of(
        on_partial=given["on_partial"], on_timeout=given["on_timeout"], on_input_change=given["on_input_change"]
    )
    task = _task(given["body"], given["name"])
    goal = None if given["no_wait"] else Goal.parse(given["wait_for"])
    if given["dry_run"]:
        warnings = [str(warning) for warning in task.check()]
        answer(options, {"dry_run": True, "name": task.name, "warnings": warnings}, f"would make {task.name}")
        return
    suite = reported(given["junit"], "visionbatch vias create", task.name)
    with suite, client(options) as site, _kept(options, site, task, given) as store:
        waiting = WaitForRun(site, task, goal)
        run = ViasRun(site, store, policies, wait_for=goal, adopt=given["adopt"], decided=waiting.decided)
        # Whoever starts the command again means it to have its time.
        submitted = run.submit(task, deadline=time.time() + given["timeout"], cleared=True)
        if goal is None:
            manifest = submitted.manifest(site.api.console_url(run.batch_id))
        else:
            manifest = run.conclude(
                submitted,
                lambda: waiting.end(run, submitted.record.deadline),
                sink=LocalSink(given["report_dir"]) if given["report_dir"] else None,
            )
    line = f"batch {manifest.batch_id}: {manifest.outcome} {manifest.counts or ''}".rstrip()
    done_before = waiting.action is Action.TAKE
    told = {**manifest.to_json(), "already_done": done_before}
    answer(options, told, f"already done: {line}" if done_before else line)


@contextmanager
def _kept(options: Mapping[str, Any], site: Vias, task: BatchTask, given: Mapping[str, Any]) -> Iterator[RunStore]:
    settings = site.api.settings
    identity = task_identity(settings, task.name, given["run_id"])
    with kept_run({**options, "run_record": given["run_record"]}, identity) as store:
        yield OwnedRecord(store, project_of_vias(settings.project_id))


@vias.command("doctor")
@click.pass_obj
def doctor_command(options: Mapping[str, Any]) -> None:
    """Look at what has to be right: name, connection, certificate, account and project, clock, versions."""
    settings = vias_settings(options)
    with client(options) as site:
        tell_diagnosis(options, doctor(settings.base_url, lambda: site.perform(site.api.ping()), (settings.iam_url,)))


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
    lines = [f"{entry.batch_id}  {printable(entry.name)}  {json.dumps(entry.counters)}" for entry in entries]
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
@click.option("--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds to wait.")
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


def _act(options: Mapping[str, Any], action: str, batch_id: str, on_partial: str) -> None:
    policy = OnPartial.parse(on_partial)
    with client(options) as site:
        done = getattr(site, action)(batch_id)
    if done is None:
        answer(options, {"batch_id": batch_id, "gone": True}, f"batch {batch_id} is gone already")
        return
    require_tasks(done, policy, DONE[action])
    answer(options, done.to_json(), f"batch {batch_id}: {DONE[action]}, {done}")


for command in (fetch_command(_opened), *single_commands(client)):
    vias.add_command(command)


def _task(body: Path, name: str) -> BatchTask:
    task = BatchTask.from_json(body_in(body))
    return task.named(name) if name else task
