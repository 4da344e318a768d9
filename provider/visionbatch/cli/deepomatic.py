"""``visionbatch deepomatic``: work-order batches."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.common import first_line, key_from, show, state_directory
from visionbatch.cli.export import export
from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.settings import UPLOAD_HOSTS, DeepomaticSettings, site_url
from visionbatch.errors import ConfigError, ExitCode
from visionbatch.flow.judge import judge
from visionbatch.io.run_files import FileRunStore
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import OnPartial, Policies
from visionbatch.pipelines.deepomatic import Deepomatic, token_header
from visionbatch.pipelines.deepomatic_run import DeepomaticRun
from visionbatch.transfer.upload import Checkpoint

KEY_VARIABLE = "VISIONBATCH_DEEPOMATIC_API_KEY"


@click.group()
@click.option("--url", help="Base URL of the site.")
@click.option("--site", help="Label of the site, instead of a base URL.")
@click.option("--region", default="eu", show_default=True, help="Region of the site.")
@click.option(
    "--upload-host", "upload_hosts", multiple=True, help="Host that archives may be sent to; Google's storage."
)
@click.pass_context
def deepomatic(
    context: click.Context, *, url: str | None, site: str | None, region: str, upload_hosts: tuple[str, ...]
) -> None:
    """Work-order batches. The API key comes from VISIONBATCH_DEEPOMATIC_API_KEY, or from the file named by
    VISIONBATCH_DEEPOMATIC_API_KEY_FILE.
    """  # noqa: D205  # click prints the whole text as one paragraph
    context.obj = {**context.obj, "url": url or (site_url(site, region) if site else None), "hosts": upload_hosts}


deepomatic.add_command(export)


@deepomatic.command()
@click.argument("source", type=Path)
@click.option("--task-group", "task_groups", multiple=True, help="Admissible task group; any without.")
@click.option("--deep", is_flag=True, help="Decode every photo (needs Pillow).")
@click.pass_obj
def check(options: Mapping[str, Any], *, source: Path, task_groups: tuple[str, ...], deep: bool) -> None:
    """Look at a folder or zip without sending anything."""
    from visionbatch.pipelines.inputs import opened  # noqa: PLC0415  # other commands need no check

    with opened(source, CheckSettings(task_groups=task_groups or None, deep=deep)) as checked:
        report = checked.report
    if report.errors and options["json"]:
        # One document only: the error's would follow.
        click.echo(json.dumps(report.to_json(), indent=1))
        raise click.exceptions.Exit(int(ExitCode.INVALID_INPUT))
    for finding in () if options["json"] else report.findings:
        click.echo(str(finding))
    report.require()
    show(options, report.to_json(), report.summary())


@deepomatic.command()
@click.argument("source", type=Path)
@click.option("--report-dir", type=Path, help="Folder for error report and manifest.")
@click.option("--state-dir", type=Path, default=None, help="Folder for run records; ~/.local/state/visionbatch.")
@click.option("--run-id", help="Identity of this run; the source's path without.")
@click.option("--timeout", type=float, default=24 * 3600.0, show_default=True, help="Seconds until the batch must end.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.option("--on-timeout", default="leave", show_default=True, help="leave or cancel.")
@click.option("--on-input-change", default="fail", show_default=True, help="fail or cancel_and_new.")
@click.option("--task-group", "task_groups", multiple=True, help="Admissible task group; any without.")
@click.pass_obj
def run(
    options: Mapping[str, Any],
    *,
    source: Path,
    report_dir: Path | None,
    state_dir: Path | None,
    run_id: str | None,
    timeout: float,
    on_partial: str,
    on_timeout: str,
    on_input_change: str,
    task_groups: tuple[str, ...],
) -> None:
    """Check, send, wait, and fetch the error report. The same command again goes on where it stopped."""
    policies = Policies.of(on_partial=on_partial, on_timeout=on_timeout, on_input_change=on_input_change)
    store = FileRunStore(state_dir or state_directory(), f"deepomatic {run_id or source.resolve()}")
    checks = CheckSettings(task_groups=task_groups or None)
    with _site(options) as site, store.locked():
        batch = DeepomaticRun(site, store, policies)
        # Whoever starts the command again means it to have its time.
        submitted = batch.submit_place(source, check=checks, deadline=time.time() + timeout, cleared=True)
        manifest = batch.conclude(
            submitted,
            lambda: site.wait(submitted.batch_id, deadline=submitted.record.deadline),
            sink=LocalSink(report_dir) if report_dir else None,
        )
    show(options, manifest.to_json(), f"batch {manifest.batch_id}: {manifest.outcome} {manifest.counts or ''}")


@deepomatic.command()
@click.argument("batch_id")
@click.pass_obj
def status(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Print the state of a batch."""
    with _site(options) as site:
        snapshot = site.status(batch_id)
    show(options, snapshot.to_json(), str(snapshot))


@deepomatic.command()
@click.argument("batch_id")
@click.option("--timeout", type=float, default=24 * 3600.0, show_default=True, help="Seconds to wait.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.pass_obj
def wait(options: Mapping[str, Any], *, batch_id: str, timeout: float, on_partial: str) -> None:
    """Wait until a batch has ended."""
    with _site(options) as site:
        snapshot = site.wait(batch_id, deadline=time.time() + timeout)
    verdict = judge(snapshot, OnPartial.parse(on_partial))
    verdict.require("deepomatic", batch_id)
    show(options, snapshot.to_json(), verdict.reason)


@deepomatic.command()
@click.argument("batch_id")
@click.pass_obj
def errors(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Print the error report of a batch, untouched."""
    with _site(options) as site:
        report = site.errors(batch_id)
    if report is None:
        show(options, {"report": None}, "this site gives no error report by API")
    else:
        sys.stdout.buffer.write(report.body)


@deepomatic.command()
@click.argument("batch_id")
@click.pass_obj
def delete(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Delete a batch, whatever its state."""
    with _site(options) as site:
        site.delete(batch_id)
    show(options, {"deleted": batch_id}, f"batch {batch_id} is gone")


@deepomatic.command()
@click.argument("label")
@click.pass_obj
def create(options: Mapping[str, Any], *, label: str) -> None:
    """Make an empty batch and print its id."""
    with _site(options) as site:
        batch = site.create(label)
    show(options, {"batch_id": batch.batch_id}, batch.batch_id)


@deepomatic.command()
@click.option("-i", "--batch-id", help="Batch that exists, such as one made in the web interface.")
@click.option("-u", "--upload-url-file", type=Path, help="File that holds an upload URL, which is a secret.")
@click.option("-f", "--file", "source", type=Path, required=True, help="Folder of work orders or ready-made zip.")
@click.pass_obj
def upload(options: Mapping[str, Any], *, batch_id: str | None, upload_url_file: Path | None, source: Path) -> None:
    """Send an archive to a batch that exists, going on where an earlier upload stopped."""
    if (batch_id is None) == (upload_url_file is None):
        raise ConfigError("give either --batch-id or --upload-url-file")
    with _site(options) as site, site.check(source) as checked:
        if batch_id is not None:
            done = site.upload_to(batch_id, checked.ready())
        else:
            url = site.api.admit(first_line(upload_url_file))
            done = site.upload(checked.ready(), url, resume=Checkpoint())
    line = f"{done.size} bytes are there" if done is not None else "the batch has an archive already"
    show(options, {"batch_id": batch_id, "size": done.size if done is not None else None}, line)


def _site(options: Mapping[str, Any]) -> Deepomatic:
    url = options["url"]
    if not url:
        raise ConfigError("neither --url nor --site is given", next_step="Or set VISIONBATCH_DEEPOMATIC_URL.")
    settings = DeepomaticSettings(url, upload_hosts=options["hosts"] or UPLOAD_HOSTS)
    return Deepomatic(settings, lambda: token_header(key_from(KEY_VARIABLE)))
