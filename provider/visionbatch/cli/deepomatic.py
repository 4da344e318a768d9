"""``visionbatch deepomatic``: work-order batches."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.settings import UPLOAD_HOSTS, DeepomaticSettings, site_url
from visionbatch.errors import ConfigError
from visionbatch.flow.judge import judge
from visionbatch.io.run_files import FileRunStore
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import OnPartial, Policies
from visionbatch.model.secret import Secret
from visionbatch.pipelines.deepomatic import Deepomatic, token_header
from visionbatch.pipelines.deepomatic_run import DeepomaticRun

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
    for finding in () if options["json"] else report.findings:
        click.echo(str(finding))
    _show(options, report.to_json(), report.summary())
    report.require()


@deepomatic.command()
@click.argument("source", type=Path)
@click.option("--report-dir", type=Path, help="Folder for error report and manifest.")
@click.option("--state-dir", type=Path, default=None, help="Folder for run records; ~/.local/state/visionbatch.")
@click.option("--run-id", help="Identity of this run; the source's path without.")
@click.option("--timeout", type=float, default=24 * 3600.0, show_default=True, help="Seconds until the batch must end.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.option("--on-timeout", default="leave", show_default=True, help="leave or cancel.")
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
) -> None:
    """Check, send, wait, and fetch the error report. The same command again goes on where it stopped."""
    policies = Policies.of(on_partial=on_partial, on_timeout=on_timeout)
    store = FileRunStore(state_dir or _state_directory(), f"deepomatic {run_id or source.resolve()}")
    with _site(options) as site, store.locked(), site.check(source) as checked:
        batch = DeepomaticRun(site, store, policies)
        deadline = time.time() + timeout
        submitted = batch.submit(checked, deadline=deadline)
        manifest = batch.conclude(
            submitted,
            lambda: site.wait(submitted.batch_id, deadline=deadline),
            sink=LocalSink(report_dir) if report_dir else None,
        )
    _show(options, manifest.to_json(), f"batch {manifest.batch_id}: {manifest.outcome} {manifest.counts or ''}")


@deepomatic.command()
@click.argument("batch_id")
@click.pass_obj
def status(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Print the state of a batch."""
    with _site(options) as site:
        snapshot = site.status(batch_id)
    _show(options, snapshot.to_json(), str(snapshot))


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
    _show(options, snapshot.to_json(), verdict.reason)
    verdict.require("deepomatic", batch_id)


@deepomatic.command()
@click.argument("batch_id")
@click.pass_obj
def errors(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Print the error report of a batch, untouched."""
    with _site(options) as site:
        report = site.errors(batch_id)
    if report is None:
        _show(options, {"report": None}, "this site gives no error report by API")
    else:
        sys.stdout.buffer.write(report.body)


@deepomatic.command()
@click.argument("batch_id")
@click.pass_obj
def delete(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Delete a batch, whatever its state."""
    with _site(options) as site:
        site.delete(batch_id)
    _show(options, {"deleted": batch_id}, f"batch {batch_id} is gone")


@deepomatic.command()
@click.option("-i", "--batch-id", required=True, help="Batch that exists, such as one made in the web interface.")
@click.option("-f", "--file", "source", type=Path, required=True, help="Folder of work orders or ready-made zip.")
@click.pass_obj
def upload(options: Mapping[str, Any], *, batch_id: str, source: Path) -> None:
    """Send an archive to a batch that exists, going on where an earlier upload stopped."""
    with _site(options) as site, site.check(source) as checked:
        done = site.upload_to(batch_id, checked.ready())
    _show(options, {"batch_id": batch_id, "size": done.size}, f"batch {batch_id} has its archive of {done.size} bytes")


def _site(options: Mapping[str, Any]) -> Deepomatic:
    url = options["url"]
    if not url:
        raise ConfigError("neither --url nor --site is given", next_step="Or set VISIONBATCH_DEEPOMATIC_URL.")
    settings = DeepomaticSettings(url, upload_hosts=options["hosts"] or UPLOAD_HOSTS)
    return Deepomatic(settings, lambda: token_header(_key()))


def _key() -> Secret:
    """The API key; never an option, for a command line is visible to everybody on the machine."""
    path = os.environ.get(f"{KEY_VARIABLE}_FILE")
    key = Path(path).read_text().strip() if path else os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise ConfigError(f"there is no API key in {KEY_VARIABLE}, nor in a file named by {KEY_VARIABLE}_FILE")
    return Secret(key)


def _state_directory() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "visionbatch"


def _show(options: Mapping[str, Any], value: Mapping[str, Any], line: str) -> None:
    click.echo(json.dumps(value, indent=1) if options["json"] else line)
