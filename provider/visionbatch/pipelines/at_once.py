"""One call for a whole run, from plain Python: it goes on where an earlier one of the same name stopped."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.io.sinks import LocalSink
from visionbatch.model.policy import Policies
from visionbatch.pipelines.deepomatic import Deepomatic
from visionbatch.pipelines.deepomatic_run import DeepomaticRun
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.progress import LoggedProgress
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.roboflow_job import RoboflowJobRun
from visionbatch.pipelines.roboflow_stage import RoboflowStageRun
from visionbatch.pipelines.run_places import (
    deepomatic_identity,
    held_run,
    job_identity,
    stage_identity,
    task_identity,
)
from visionbatch.pipelines.stage_manifest import StageManifest
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_create import ViasRun
from visionbatch.pipelines.vias_records import ProjectRecord
from visionbatch.pipelines.vias_wait import WaitForRun
from visionbatch.roboflow.job import JobDefinition
from visionbatch.roboflow.media import Media
from visionbatch.transfer.upload import Progress
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.goals import Goal

log = logging.getLogger(__name__)

Where = str | Path | None


def run_batch(
    site: Deepomatic,
    source: str | Path,
    *,
    report_dir: Where,
    run_id: str,
    timeout_s: float,
    policies: Policies | None,
    check: CheckSettings | None,
    progress: Progress | None,
    kept_in: Where,
) -> Manifest:
    """See `visionbatch.Deepomatic.run`."""
    with held_run(deepomatic_identity(site.settings, source, run_id), kept_in) as store:
        run = DeepomaticRun(site, store, policies, progress=progress or LoggedProgress(log))
        submitted = run.submit_place(source, check=check, deadline=_deadline(timeout_s), cleared=True)
        return run.conclude(
            submitted,
            lambda: site.wait(submitted.batch_id, deadline=submitted.record.deadline),
            sink=_sink(report_dir),
        )


def run_job(
    site: Roboflow,
    job: JobDefinition,
    *,
    report_dir: Where,
    run_id: str,
    timeout_s: float,
    policies: Policies | None,
    kept_in: Where,
    ready_ref: str,
) -> Manifest:
    """See `visionbatch.Roboflow.run`."""
    identity = job_identity(site.settings, job.batch_id, job.workflow_id, run_id)
    with held_run(identity, kept_in) as store:
        run = RoboflowJobRun(site, store, identity, policies)
        submitted = run.submit(job, deadline=_deadline(timeout_s), cleared=True, ready_ref=ready_ref)
        return run.conclude(
            submitted,
            lambda: site.wait(submitted.batch_id, deadline=submitted.record.deadline),
            sink=_sink(report_dir),
        )


def stage_folder(
    site: Roboflow, folder: str | Path, *, batch_id: str, media: Media, run_id: str, report_dir: Where, kept_in: Where
) -> StageManifest:
    """See `visionbatch.Roboflow.stage`."""
    place = str(Path(folder).resolve())
    identity = stage_identity(site.settings, place, batch_id, run_id)
    sink = _sink(report_dir)
    with held_run(identity, kept_in) as store:
        run = RoboflowStageRun(site, store, identity=identity, sink=sink)
        send: Callable[[str, str], StageManifest] = run.videos if media is Media.VIDEOS else run.images
        manifest = send(place, batch_id)
    if sink is not None:
        sink.write(f"{manifest.batch_id}.stage.json", json.dumps(manifest.to_json(), indent=1).encode())
    return manifest


def run_task(
    site: Vias,
    task: BatchTask,
    *,
    wait_for: str,
    report_dir: Where,
    run_id: str,
    timeout_s: float,
    policies: Policies | None,
    kept_in: Where,
) -> Manifest:
    """See `visionbatch.Vias.run`."""
    settings = site.api.settings
    with held_run(task_identity(settings, task.name, run_id), kept_in) as kept:
        waiting = WaitForRun(site, task, Goal.parse(wait_for))
        run = ViasRun(
            site, ProjectRecord(kept, settings.project_id), policies, wait_for=wait_for, decided=waiting.decided
        )
        submitted = run.submit(task, deadline=_deadline(timeout_s), cleared=True)
        return run.conclude(submitted, lambda: waiting.end(run, submitted.record.deadline), sink=_sink(report_dir))


def _deadline(timeout_s: float) -> float:
    """Counted from now: whoever calls again means it to have its time."""
    return time.time() + timeout_s


def _sink(folder: Where) -> LocalSink | None:
    return LocalSink(Path(folder)) if folder else None
