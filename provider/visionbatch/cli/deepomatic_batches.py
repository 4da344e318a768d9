"""The commands of ``visionbatch deepomatic`` that do one thing to one batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.advance import advance
from visionbatch.cli.answers import answer, raw_answer
from visionbatch.cli.credentials import first_line
from visionbatch.cli.deepomatic_site import opened_site, settings_of
from visionbatch.cli.diagnoses import tell_diagnosis
from visionbatch.cli.numbers import POSITIVE
from visionbatch.errors import ConfigError
from visionbatch.flow.judge import judge
from visionbatch.model.policy import OnPartial
from visionbatch.pipelines.doctor import doctor
from visionbatch.transfer.upload import Checkpoint

log = logging.getLogger(__name__)


@click.command()
@click.argument("batch_id")
@click.pass_obj
def status(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Print the state of a batch."""
    with opened_site(options) as site:
        snapshot = site.status(batch_id)
    answer(options, snapshot.to_json(), str(snapshot))


@click.command()
@click.argument("batch_id")
@click.option("--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds to wait.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.pass_obj
def wait(options: Mapping[str, Any], *, batch_id: str, timeout: float, on_partial: str) -> None:
    """Wait until a batch has ended."""
    with opened_site(options) as site:
        snapshot = site.wait(batch_id, deadline=time.time() + timeout)
    verdict = judge(snapshot, OnPartial.parse(on_partial))
    verdict.require("deepomatic", batch_id)
    answer(options, snapshot.to_json(), verdict.reason)


@click.command()
@click.argument("batch_id")
@click.pass_obj
def errors(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Print the error report of a batch, untouched."""
    with opened_site(options) as site:
        report = site.errors(batch_id)
    if report is None:
        answer(options, {"report": None}, "this site gives no error report by API")
    else:
        told = {
            "content_type": report.headers.get("content-type", ""),
            "report": report.body.decode("utf-8", "replace"),
        }
        raw_answer(options, told, report.body)


@click.command()
@click.argument("batch_id")
@click.pass_obj
def delete(options: Mapping[str, Any], *, batch_id: str) -> None:
    """Delete a batch, whatever its state."""
    with opened_site(options) as site:
        site.delete(batch_id)
    answer(options, {"deleted": batch_id}, f"batch {batch_id} is gone")


@click.command()
@click.argument("label")
@click.pass_obj
def create(options: Mapping[str, Any], *, label: str) -> None:
    """Make an empty batch and print its id."""
    with opened_site(options) as site:
        batch = site.create(label)
    answer(options, {"batch_id": batch.batch_id}, batch.batch_id)


@click.command()
@click.option("-i", "--batch-id", help="Batch that exists, such as one made in the web interface.")
@click.option("-u", "--upload-url-file", type=Path, help="File that holds an upload URL; - is stdin.")
@click.option("-f", "--file", "source", type=Path, required=True, help="Folder of work orders or ready-made zip.")
@click.pass_obj
def upload(options: Mapping[str, Any], *, batch_id: str | None, upload_url_file: Path | None, source: Path) -> None:
    """Send an archive to a batch that exists, going on where an earlier upload stopped."""
    _send(options, batch_id, first_line(upload_url_file) if upload_url_file else None, source)


@click.command("upload")
@click.option("-i", "--batch-id", help="Batch that exists, such as one made in the web interface.")
@click.option("-u", "--upload-url", help="Upload URL. It is a secret: better - for stdin, or @FILE.")
@click.option("-f", "--file", "source", type=Path, required=True, help="Folder of work orders or ready-made zip.")
@click.pass_obj
def documented(options: Mapping[str, Any], *, batch_id: str | None, upload_url: str | None, source: Path) -> None:
    """Send an archive to a batch, in the form that the vendor's page has."""
    if upload_url is not None and (upload_url == "-" or upload_url.startswith("@")):
        upload_url = first_line(Path(upload_url.removeprefix("@")))
    elif upload_url is not None:
        log.warning("everybody on this machine can read an upload URL on a command line: better -u - or -u @FILE")
    _send(options, batch_id, upload_url, source)


@click.group("work-order")
def work_order() -> None:
    """The commands that the vendor's page about batches names."""


@work_order.group("batch")
def batch() -> None:
    """Batches of work orders."""


batch.add_command(documented)


@click.command("doctor")
@click.pass_obj
def doctor_command(options: Mapping[str, Any]) -> None:
    """Look at what has to be right: name, connection, certificate, key, clock, upload hosts, versions."""
    settings = settings_of(options)
    with opened_site(options) as site:
        diagnosis = doctor(settings.base_url, lambda: site.perform(site.api.ping()), settings.upload_hosts)
    tell_diagnosis(options, diagnosis)


def _send(options: Mapping[str, Any], batch_id: str | None, url: str | None, source: Path) -> None:
    if (batch_id is None) == (url is None):
        raise ConfigError("give either a batch's id or an upload URL")
    with opened_site(options) as site, site.check(source) as checked, advance(options, "upload") as progress:
        if batch_id is not None:
            done = site.upload_to(batch_id, checked.ready(), progress=progress)
        else:
            done = site.upload(checked.ready(), site.api.admit(url), resume=Checkpoint(), progress=progress)
    line = f"{done.size} bytes are there" if done is not None else "the batch has an archive already"
    answer(options, {"batch_id": batch_id, "size": done.size if done is not None else None}, line)


BATCH_COMMANDS = (status, wait, errors, delete, create, upload, work_order, doctor_command)
