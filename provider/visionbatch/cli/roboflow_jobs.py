"""``visionbatch roboflow run`` and the other commands that have to do with jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.credentials import first_line
from visionbatch.cli.diagnoses import tell_diagnosis
from visionbatch.cli.junit import reported
from visionbatch.cli.numbers import POSITIVE
from visionbatch.cli.roboflow import client, staged_ref
from visionbatch.cli.run_state import kept_run
from visionbatch.errors import ConfigError
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import OnFailedJob, Policies
from visionbatch.model.secret import SecretUrl
from visionbatch.model.text import printable
from visionbatch.pipelines.decide import Action, Decision
from visionbatch.pipelines.doctor import doctor as diagnosis
from visionbatch.pipelines.roboflow_job import RoboflowJobRun
from visionbatch.pipelines.run_places import job_identity
from visionbatch.roboflow.job import Compute, JobDefinition, JobKind
from visionbatch.roboflow.settings import RoboflowSettings
from visionbatch.roboflow.words import job_snapshot

_COMPUTE = (
    click.option("--machine", type=click.Choice(["cpu", "gpu"]), help="Kind of machine."),
    click.option("--workers", type=int, help="Workers of one machine: 1, 2, 4 or 8."),
    click.option("--machine-time", type=int, help="Seconds of machine time, added up over all machines."),
    click.option("--max-parallel-tasks", type=int, help="Ceiling on tasks at a time."),
    click.option("--max-image-failure-rate", type=float, help="Share of a shard's images that may fail, 0 to 1."),
)


def _compute_options(command: Any) -> Any:
    for option in reversed(_COMPUTE):
        command = option(command)
    return command


def _compute(given: dict[str, Any]) -> dict[str, Any]:
    """The options above, out of all that were given, as `Compute` calls them."""
    names = ("machine", "workers", "max_parallel_tasks", "max_image_failure_rate")
    return {"timeout_s": given.pop("machine_time"), **{name: given.pop(name) for name in names}}


@click.command()
@click.argument("batch_id")
@click.option("--workflow", "workflow_id", required=True, help="Id of the saved Workflow.")
@click.option("--workflow-workspace", default="", help="Its workspace; the connection's without.")
@click.option("--kind", type=click.Choice(["images", "videos"]), default="images", show_default=True)
@click.option("--expected", type=int, help="Items that were sent: no job is made before all are there.")
@click.option("--shards", type=int, help="Archives that were sent; with it, files that were turned away are seen.")
@click.option("--part", default="", help="Part of a multipart input.")
@click.option("--images-metadata-part", default="", help="Part with metadata of each image.")
@click.option("--parameters", type=Path, help="JSON file with run-time parameters of the Workflow.")
@click.option("--metadata-input", "metadata_inputs", multiple=True, help="input=key, for metadata of images.")
@click.option("--image-input", default="", help="Name of the Workflow's image input, when it is not image.")
@click.option("--persist-images", is_flag=True, help="Keep image outputs.")
@click.option("--persist-output", "images_to_persist", multiple=True, help="Keep only this image output.")
@click.option("--aggregation", default="", help="csv or jsonl.")
@click.option("--max-fps", type=float, help="Sub-sampling of frames of videos.")
@click.option("--notify-file", type=Path, help="File with the address of a webhook, which is a secret.")
@click.option("--inference-backend", default="", help="old-inference or inference-models.")
@_compute_options
@click.option("--name", default="", help="Name of the job that people see.")
@click.option("--report-dir", type=Path, help="Folder for the manifest.")
@click.option("--run-id", help="Identity of this run, such as $ORDERID; batch and Workflow without.")
@click.option("--run-record", help="Address of the run record in an object store, to share it with Airflow.")
@click.option(
    "--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds until the job must end."
)
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.option("--on-timeout", default="leave", show_default=True, help="leave or cancel.")
@click.option("--on-input-change", default="fail", show_default=True, help="fail or cancel_and_new.")
@click.option("--on-failed-job", type=click.Choice([word.value for word in OnFailedJob]), default="new")
@click.option("--dry-run", is_flag=True, help="Check, and send nothing.")
@click.option("--junit", type=Path, help="File for the result as JUnit XML.")
@click.pass_obj
def run(options: Mapping[str, Any], /, **given: Any) -> None:
    """Run a Workflow over a batch and wait for its end. The same command again goes on where it stopped."""
    policies = Policies.of(
        on_partial=given.pop("on_partial"),
        on_timeout=given.pop("on_timeout"),
        on_input_change=given.pop("on_input_change"),
    )
    on_failed_job = OnFailedJob(given.pop("on_failed_job"))
    report_dir, run_id, run_record = given.pop("report_dir"), given.pop("run_id"), given.pop("run_record")
    timeout, name = given.pop("timeout"), given.pop("name")
    dry_run, junit = given.pop("dry_run"), given.pop("junit")
    staged = staged_ref(given["batch_id"], given.pop("expected"), given.pop("shards"))
    definition = _definition(given)
    if dry_run:
        told = {"dry_run": True, "batch_id": definition.batch_id, "workflow": definition.workflow_id}
        answer(options, told, f"would run {definition.workflow_id} over {definition.batch_id}")
        return
    identity = job_identity(options["settings"], definition.batch_id, definition.workflow_id, run_id)
    decided: list[Decision] = []
    suite = reported(junit, "visionbatch roboflow run", definition.batch_id)
    with suite, client(options) as site, kept_run({**options, "run_record": run_record}, identity) as store:
        job = RoboflowJobRun(site, store, identity, policies, on_failed_job=on_failed_job, decided=decided.append)
        # Whoever starts the command again means it to have its time.
        submitted = job.submit(definition, name=name, deadline=time.time() + timeout, cleared=True, ready_ref=staged)
        manifest = job.conclude(
            submitted,
            lambda: site.wait(submitted.batch_id, deadline=submitted.record.deadline),
            sink=LocalSink(report_dir) if report_dir else None,
        )
    line = f"job {manifest.batch_id}: {manifest.outcome} {manifest.counts or ''}".rstrip()
    done_before = [decision.action for decision in decided] == [Action.TAKE]
    told = {**manifest.to_json(), "already_done": done_before}
    answer(options, told, f"already done: {line}" if done_before else line)


def _definition(given: dict[str, Any]) -> JobDefinition:
    parameters, notify, kind = given.pop("parameters"), given.pop("notify_file"), given.pop("kind")
    inputs = given.pop("metadata_inputs")
    if not all("=" in pair for pair in inputs):
        raise ConfigError("--metadata-input is input=key")
    return JobDefinition(
        kind=JobKind.VIDEOS if kind == "videos" else JobKind.IMAGES,
        workflow_parameters=_json_object(parameters) if parameters else None,
        notifications_url=SecretUrl(first_line(notify)) if notify else None,
        metadata_inputs=dict(pair.split("=", 1) for pair in inputs),
        **_compute(given),
        **given,
    )


def _json_object(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON ({type(error).__name__})") from error


@click.command()
@click.argument("job_id")
@click.pass_obj
def status(options: Mapping[str, Any], *, job_id: str) -> None:
    """Print the state of a job and how far its stages are."""
    with client(options) as site:
        snapshot, stages = site.status(job_id), site.progress(job_id)
    value = {**snapshot.to_json(), "stages": [asdict(stage) for stage in stages]}
    answer(options, value, "\n".join([str(snapshot), *(f"  {stage}" for stage in stages)]))


@click.command("doctor")
@click.pass_obj
def doctor(options: Mapping[str, Any]) -> None:
    """Look at what has to be right: name, connection, certificate, key, versions."""
    settings: RoboflowSettings = options["settings"]

    def ping() -> str:
        site.jobs()
        return ""

    with client(options) as site:
        tell_diagnosis(options, diagnosis(settings.base_url, ping))


@click.command()
@click.option("--search", default="", help="Text in the ids or names.")
@click.pass_obj
def jobs(options: Mapping[str, Any], *, search: str) -> None:
    """List the jobs of the workspace."""
    with client(options) as site:
        found = site.jobs(search)
    rows = [{"job_id": job.job_id, "name": job.name, "stage": job.stage, "ended": job.terminal, "error": job.error}
            for job in found]  # fmt: skip
    lines = [f"{job.job_id}  {job_snapshot(job)}  {printable(job.name)}" for job in found]
    answer(options, {"jobs": rows}, "\n".join(lines) or "there are no jobs")


@click.command()
@click.pass_obj
def batches(options: Mapping[str, Any]) -> None:
    """List the batches of Data Staging, those that jobs wrote included."""
    with client(options) as site:
        found = site.batches()
    lines = [f"{batch.batch_id}  {batch.kind}  {batch.content}  expires {batch.expires}" for batch in found]
    answer(options, {"batches": [batch.to_json() for batch in found]}, "\n".join(lines) or "there are no batches")


@click.command()
@click.argument("job_id")
@click.option("--severity", type=click.Choice(["info", "warning", "error"]), help="Only these lines.")
@click.pass_obj
def logs(options: Mapping[str, Any], *, job_id: str, severity: str | None) -> None:
    """Print the log of a job."""
    with client(options) as site:
        lines = site.logs(job_id, severity or "")
    told = "\n".join(str(line) for line in lines) or "the log is empty"
    answer(options, {"lines": [asdict(line) for line in lines]}, told)


@click.command()
@click.argument("job_id")
@click.pass_obj
def abort(options: Mapping[str, Any], *, job_id: str) -> None:
    """Ask for a job to be aborted; it ends some time later."""
    with client(options) as site:
        site.abort(job_id)
    answer(options, {"aborted": job_id}, f"job {job_id} was asked to abort")


@click.command()
@click.argument("job_id")
@_compute_options
@click.pass_obj
def restart(options: Mapping[str, Any], /, *, job_id: str, **given: Any) -> None:
    """Have a job that failed or was aborted done again, which is charged again."""
    override = Compute(**_compute(given))
    with client(options) as site:
        site.restart(job_id, override)
    answer(options, {"restarted": job_id}, f"job {job_id} was restarted")
