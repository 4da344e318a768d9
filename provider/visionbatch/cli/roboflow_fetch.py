"""``visionbatch roboflow fetch``: results of jobs, brought to a folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.roboflow import client
from visionbatch.config import DownloadSettings
from visionbatch.errors import ConfigError
from visionbatch.io.folders import LocalFolder
from visionbatch.pipelines.progress import LoggedProgress
from visionbatch.pipelines.roboflow_fetch import FetchSettings, fetch_results
from visionbatch.pipelines.roboflow_listing import EXPORT
from visionbatch.pipelines.roboflow_manifest import ResultsManifest
from visionbatch.pipelines.row_settings import RowSettings

log = logging.getLogger(__name__)


@click.command()
@click.argument("folder", type=Path)
@click.option("--job", "job_id", help="Id of the job whose results are wanted.")
@click.option("--batch", "batch_ids", multiple=True, help="Id of an output batch, instead of a job.")
@click.option("--stage", default=EXPORT, show_default=True, help="export for archives, processing for single files.")
@click.option("--unpack/--no-unpack", default=True, show_default=True, help="Each archive into a folder of its own.")
@click.option("--keep-archives", is_flag=True, help="Keep the archives beside what came out of them.")
@click.option("--on-bad-member", default="fail", show_default=True, help="fail, or skip what may not be unpacked.")
@click.option("--table", is_flag=True, help="Join the rows of all files to table/results.parquet.")
@click.option("--on-broken-line", default="quarantine", show_default=True, help="quarantine or fail.")
@click.option("--connections", type=click.IntRange(min=1), default=16, show_default=True, help="Files at a time.")
@click.pass_obj
def fetch(options: Mapping[str, Any], /, **given: Any) -> None:
    """Fetch the results of a job into a folder. The same command again goes on where it stopped."""
    job_id, batch_ids = given["job_id"], given["batch_ids"]
    if bool(job_id) == bool(batch_ids):
        raise ConfigError("name either a job or batches")
    settings = FetchSettings(
        unpack=given["unpack"],
        keep_archives=given["keep_archives"],
        on_bad_member=given["on_bad_member"],
        table=RowSettings(on_broken_line=given["on_broken_line"]) if given["table"] else None,
        download=DownloadSettings(connections=given["connections"]),
    )
    folder = LocalFolder(given["folder"])
    with client(options) as site:
        progress = LoggedProgress(log, what="fetch")
        manifest = fetch_results(
            site, job_id or batch_ids, folder, stage=given["stage"], settings=settings, progress=progress
        )
    answer(options, manifest.to_json(), _line(manifest))


def _line(manifest: ResultsManifest) -> str:
    counts = manifest.counts()
    line = f"{manifest.outcome}: {counts['files']} files in {manifest.folder}"
    if counts["archives"]:
        line += f", {counts['members']} out of {counts['archives']} archives"
    if counts["refused"]:
        line += f"; {counts['refused']} members were refused"
    if manifest.table:
        line += f"; {manifest.table['rows']} rows joined, {manifest.table['quarantined']} lines quarantined"
    return line
