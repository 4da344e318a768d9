"""The commands of ``visionbatch deepomatic export`` that bring a data export here."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.deepomatic.export_config import ExportConfig
from visionbatch.deepomatic.export_layout import DATA_PATTERNS, IMAGE, ExportLayout, bucket_uri
from visionbatch.errors import ConfigError, ExitCode
from visionbatch.io.folders import LocalFolder
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch.io.run_files import FileRunStore
from visionbatch.pipelines.export_doctor import export_doctor
from visionbatch.pipelines.export_fetch import Wanted, fetch_export
from visionbatch.pipelines.export_manifest import FetchManifest, FetchOutcome
from visionbatch.pipelines.progress import LoggedProgress

log = logging.getLogger(__name__)


@click.command("config")
@click.argument("file", type=Path)
@click.pass_obj
def export_config(options: Mapping[str, Any], *, file: Path) -> None:
    """Check an export's configuration, a JSON object of its parameters, and print the table for the vendor."""
    config = _config(file)
    told = {"service_account": config.service_account, "table": config.table()}
    answer(options, told, config.table().rstrip("\n"))


@click.command("doctor")
@click.argument("file", type=Path)
@click.pass_obj
def export_doctor_command(options: Mapping[str, Any], *, file: Path) -> None:
    """Say which permissions on an export's bucket are missing."""
    config = _config(file)
    with GcsBucket(bucket_uri(config.storage_uri)[0]) as bucket:
        diagnosis = export_doctor(config, bucket)
    told = {"missing": list(diagnosis.missing), "lines": list(diagnosis.lines)}
    code = ExitCode.DONE if diagnosis.healthy else ExitCode.NOT_AUTHORIZED
    answer(options, told, "\n".join(diagnosis.lines), code)


@click.command("fetch")
@click.argument("storage_uri")
@click.argument("folder", type=Path)
@click.option("--since", type=datetime.fromisoformat, help="Only files finished then or later; ISO 8601.")
@click.option("--until", type=datetime.fromisoformat, help="Only files finished then or earlier.")
@click.option("--pattern", "patterns", multiple=True, default=DATA_PATTERNS, show_default=True, help="Data files.")
@click.option("--image-template", default=IMAGE, show_default=True, help="Name of an image behind the prefix.")
@click.option("--images/--no-images", default=True, show_default=True, help="The images as well.")
@click.option("--on-missing", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.option("--error-on-nothing", is_flag=True, help="End with code 9 when there is nothing.")
@click.pass_obj
def export_fetch(
    options: Mapping[str, Any],
    *,
    storage_uri: str,
    folder: Path,
    since: datetime | None,
    until: datetime | None,
    patterns: tuple[str, ...],
    image_template: str,
    images: bool,
    on_missing: str,
    error_on_nothing: bool,
) -> None:
    """Fetch an export from gs://bucket/prefix into a folder. The same command again goes on where it stopped.

    The account is Google's default one of this machine; STORAGE_EMULATOR_HOST names an emulator.
    """
    name, prefix = bucket_uri(storage_uri)
    layout = ExportLayout(prefix, patterns, image_template)
    wanted = Wanted(_seconds(since), _seconds(until), images=images)
    store = FileRunStore(folder / ".visionbatch", f"deepomatic export {storage_uri}")
    with GcsBucket(name) as bucket, store.locked():
        manifest = fetch_export(
            bucket,
            layout,
            LocalFolder(folder),
            wanted,
            store=store,
            on_missing=on_missing,
            progress=LoggedProgress(log, what="fetch"),
        )
    nothing = error_on_nothing and manifest.outcome is FetchOutcome.NOTHING_NEW
    answer(options, manifest.to_json(), _line(manifest), ExitCode.NOTHING_NEW if nothing else ExitCode.DONE)


def _line(manifest: FetchManifest) -> str:
    counts = manifest.counts()
    line = f"{manifest.outcome}: {counts['data_files']} files, {counts['images']} images in {manifest.folder}"
    if manifest.missing:
        line += f"; {len(manifest.missing)} images are missing"
    return line


def _seconds(moment: datetime | None) -> float | None:
    if moment is not None and moment.tzinfo is None:
        raise ConfigError(f"{moment.isoformat()} has no offset, so that nobody knows which moment it is")
    return None if moment is None else moment.timestamp()


def _config(file: Path) -> ExportConfig:
    try:
        values = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON ({type(error).__name__})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file} is not a JSON object")
    return ExportConfig.of(values)


COMMANDS = (export_config, export_doctor_command, export_fetch)
