"""``visionbatch roboflow stage`` and ``ready``: batches of Data Staging."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.credentials import first_line
from visionbatch.cli.numbers import POSITIVE
from visionbatch.cli.roboflow import client, kept_here, staged_ref
from visionbatch.flow.judge import Outcome, judge
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import OnInputChange, OnPartial
from visionbatch.model.secret import SecretUrl
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.roboflow_stage import RoboflowStageRun
from visionbatch.pipelines.run_places import stage_identity
from visionbatch.pipelines.stage_manifest import StageManifest
from visionbatch.roboflow.media import Media
from visionbatch.roboflow.ready import read_ready_ref, ready_ref
from visionbatch.roboflow.stage_settings import IMAGES_PER_SHARD, PARALLEL, Kind, StageSettings

log = logging.getLogger(__name__)


@click.command()
@click.argument("source")
@click.option("--batch-id", default="", help="Id of the batch; one that follows from the run without.")
@click.option("--media", type=click.Choice([word.value for word in Media]), default="images", show_default=True)
@click.option("--kind", type=click.Choice(["single", "shards"]), default=None, help="How images go; by number without.")
@click.option("--images-per-shard", type=int, default=IMAGES_PER_SHARD, show_default=True)
@click.option("--parallel", type=int, default=PARALLEL, show_default=True, help="Requests at a time.")
@click.option(
    "--settle", type=float, default=60.0, show_default=True, help="Seconds in which what arrived may not show yet."
)
@click.option("--display-name", default="", help="Name of the batch that people see.")
@click.option("--notify-file", type=Path, help="File with the address of a webhook, which is a secret.")
@click.option("--url-life", type=int, default=24 * 3600, show_default=True, help="Seconds that signed addresses live.")
@click.option("--report-dir", type=Path, help="Folder for the manifest and the list of renamed files.")
@click.option("--run-id", help="Identity of this run, such as $ORDERID; source and batch without.")
@click.option("--run-record", help="Address of the run record in an object store, to share it with Airflow.")
@click.option("--on-input-change", default="fail", show_default=True, help="fail or cancel_and_new.")
@click.option("--wait", is_flag=True, help="Wait until the batch is ready.")
@click.option("--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds until it must be.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.pass_obj
def stage(options: Mapping[str, Any], /, *, source: str, **given: Any) -> None:
    """Fill a batch from SOURCE, once. The same command again goes on where it stopped.

    SOURCE is a folder of images or videos, or of references: a file of JSON lines, an https address of one, or
    s3://bucket/path, gs://bucket/path or az://container/path, whose objects are signed here.
    """
    batch_id, on_partial = given["batch_id"], OnPartial.parse(given["on_partial"])
    place = source if "://" in source else str(Path(source).resolve())
    sink = LocalSink(given["report_dir"]) if given["report_dir"] else None

    def known_as(workspace: str) -> str:
        return stage_identity(options["settings"], workspace, _shown(place), batch_id, given["run_id"])

    kept = {**options, "run_record": given["run_record"]}
    with client(options) as site, kept_here(site, kept, known_as) as (identity, store):
        run = RoboflowStageRun(
            site,
            store,
            _settings(given),
            identity=identity,
            on_input_change=OnInputChange(given["on_input_change"]),
            sink=sink,
        )
        manifest = _filled(run, place, given, allow_inside=options["settings"].allow_inside)
        if sink is not None:
            sink.write(f"{manifest.batch_id}.stage.json", json.dumps(manifest.to_json(), indent=1).encode())
        value = manifest.to_json()
        line = f"batch {manifest.batch_id}: {manifest.expected} items, {manifest.kind}, {manifest.parts} parts"
        if given["wait"]:
            shards = manifest.parts if manifest.kind == Kind.SHARDS else None
            ref = ready_ref(manifest.batch_id, manifest.expected, shards)
            value["ready"], reason = _await_ready(site, ref, given["timeout"], on_partial)
            line = f"{line}; {reason}"
    answer(options, value, line)


def _shown(place: str) -> str:
    """A place as the run is called after it: without what signs an address, which is a secret and differs each time."""
    return place.partition("?")[0].partition("#")[0] if place.startswith(("https://", "http://")) else place


def _settings(given: Mapping[str, Any]) -> StageSettings:
    notify = given["notify_file"]
    return StageSettings(
        kind=given["kind"] or "",
        images_per_shard=given["images_per_shard"],
        parallel=given["parallel"],
        settle_s=given["settle"],
        display_name=given["display_name"],
        notifications_url=SecretUrl(first_line(notify)) if notify else None,
    )


def _filled(run: RoboflowStageRun, place: str, given: Mapping[str, Any], *, allow_inside: bool) -> StageManifest:
    media, batch_id, life_s = Media(given["media"]), given["batch_id"], given["url_life"]
    if "://" not in place and Path(place).is_dir():
        return run.videos(place, batch_id) if media is Media.VIDEOS else run.images(place, batch_id)
    # Folders need none of the stores.
    from visionbatch.pipelines.reference_sources import references_at  # noqa: PLC0415

    with references_at(place, media, life_s=life_s, allow_inside=allow_inside) as listed:
        return run.references(listed, batch_id, videos=media is Media.VIDEOS)


@click.command()
@click.argument("batch_id")
@click.option("--expected", type=int, help="Items that were sent; any will do without.")
@click.option("--shards", type=int, help="Archives that were sent; with it, files that were turned away are seen.")
@click.option("--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds to wait.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.pass_obj
def ready(
    options: Mapping[str, Any],
    *,
    batch_id: str,
    expected: int | None,
    shards: int | None,
    timeout: float,
    on_partial: str,
) -> None:
    """Wait until a batch can be processed: all of it is indexed."""
    ref = staged_ref(batch_id, expected, shards)
    with client(options) as site:
        value, line = _await_ready(site, ref, timeout, OnPartial.parse(on_partial))
    answer(options, value, line)


def _await_ready(site: Roboflow, ref: str, timeout: float, on_partial: OnPartial) -> tuple[dict[str, Any], str]:
    """Wait, and judge; a loss that is accepted is said all the same."""
    batch_id, sent = read_ready_ref(ref)
    snapshot = site.wait_ready(batch_id, sent.items, sent.shards, deadline=time.time() + timeout)
    verdict = judge(snapshot, on_partial)
    verdict.require("roboflow", batch_id)
    if verdict.outcome is not Outcome.DONE:
        log.warning("roboflow batch %s: %s", batch_id, verdict.reason)
    return {**snapshot.to_json(), "outcome": verdict.outcome.value}, verdict.reason
