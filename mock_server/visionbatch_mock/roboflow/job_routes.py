"""`/batch-processing/v1/external/{workspace}/jobs`."""

from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.roboflow.auth import enter
from visionbatch_mock.roboflow.bodies import json_body
from visionbatch_mock.roboflow.definition import BadDefinition, check_definition, check_override, input_kind
from visionbatch_mock.roboflow.jobs import Job
from visionbatch_mock.roboflow.lifecycle import RESTARTABLE
from visionbatch_mock.roboflow.paging import page, page_outlook
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.roboflow.room import Roboflow
from visionbatch_mock.roboflow.settings import Scope
from visionbatch_mock.roboflow.stages import Stage, shown_tasks
from visionbatch_mock.roboflow.words import JOB_ID

bp = Blueprint("roboflow_jobs", __name__)

JOBS = "/batch-processing/v1/external/<workspace>/jobs"
JOB = f"{JOBS}/<job_id>"

JOBS_ON_PAGE, MOST_JOBS_ON_PAGE, SEARCH_CHARACTERS = 10, 100, 160
"""By both clients of the vendor, and its guide."""

SEVERITIES = ("info", "warning", "error")


@bp.get(JOBS)
@operation(Operation.ROBOFLOW_JOBS_LIST, page_outlook)
def list_jobs(workspace: str) -> Response:
    """The jobs of the workspace, newest first; `search` looks into ids and names."""
    room = _room(workspace, Scope.READ)
    wanted = request.args.get("search", "")
    if len(wanted) > SEARCH_CHARACTERS:
        raise Refused(400, f"search has at most {SEARCH_CHARACTERS} characters")
    with room.lock:
        jobs = [job for job in room.jobs.all() if wanted in job.id or wanted in job.name]
        shown, token = page(jobs, default=JOBS_ON_PAGE, most=MOST_JOBS_ON_PAGE, always=True)
        return json_answer({"jobs": [job.as_json() for job in shown], **token})


@bp.post(JOB)
@operation(Operation.ROBOFLOW_JOBS_CREATE)
def create(workspace: str, job_id: str) -> Response:
    """Create and start a job; the same id with the same definition starts nothing new."""
    room, told = _room(workspace, Scope.TRIGGER), json_body()
    _check_means()
    if not JOB_ID.fullmatch(job_id):
        raise Refused(400, f"job id {job_id!r} does not match {JOB_ID.pattern}")
    try:
        check_definition(told)
    except BadDefinition as cause:
        raise Refused(400, str(cause)) from cause
    with room.lock:
        known = room.jobs.get(job_id)
        if known is None:
            _create(room, job_id, told)
        elif known.definition != told:
            raise Refused(409, f"Job {job_id} exists with another definition.")
    return json_answer({"status": "ok", "jobId": job_id})


@bp.get(JOB)
@operation(Operation.ROBOFLOW_JOBS_GET)
def get(workspace: str, job_id: str) -> Response:
    """Where a job stands."""
    room = _room(workspace, Scope.READ)
    with room.lock:
        job = _find(room, job_id)
        job.look()
        return json_answer({"job": job.as_json()})


@bp.get(f"{JOB}/stages")
@operation(Operation.ROBOFLOW_JOBS_STAGES)
def stages(workspace: str, job_id: str) -> Response:
    """The stages that have begun."""
    room = _room(workspace, Scope.READ)
    with room.lock:
        return json_answer({"stages": [stage.as_json() for stage in _find(room, job_id).stages]})


@bp.get(f"{JOB}/stages/<stage_id>/tasks")
@operation(Operation.ROBOFLOW_JOBS_TASKS, page_outlook)
def tasks(workspace: str, job_id: str, stage_id: str) -> Response:
    """The tasks of a stage."""
    room = _room(workspace, Scope.READ)
    with room.lock:
        job = _find(room, job_id)
        shown, token = page(shown_tasks(_stage(job, stage_id), job.tasks, job.done()), always=True)
        return json_answer({"tasks": list(shown), **token})


@bp.get(f"{JOB}/logs")
@operation(Operation.ROBOFLOW_JOBS_LOGS, page_outlook)
def logs(workspace: str, job_id: str) -> Response:
    """What a job has to say, of one severity or of all."""
    room, severity = _room(workspace, Scope.READ), request.args.get("severity")
    if severity not in {None, *SEVERITIES}:
        raise Refused(400, f"severity is one of {list(SEVERITIES)}")
    with room.lock:
        lines = [line for line in _find(room, job_id).logs if severity in {None, line["severity"]}]
        shown, token = page(lines)
        return json_answer({"logs": list(shown), **token})


@bp.post(f"{JOB}/abort")
@operation(Operation.ROBOFLOW_JOBS_ABORT)
def abort(workspace: str, job_id: str) -> Response:
    """Ask a job to stop; where that is too late nothing changes."""
    room = _room(workspace, Scope.TRIGGER)
    with room.lock:
        _find(room, job_id).abort()
    return json_answer({"status": "ok", "jobId": job_id})


@bp.post(f"{JOB}/restart")
@operation(Operation.ROBOFLOW_JOBS_RESTART)
def restart(workspace: str, job_id: str) -> Response:
    """Begin an aborted or failed job again, which spends credits."""
    room, told = _room(workspace, Scope.TRIGGER), json_body()
    _check_means()
    try:
        check_override(told)
    except BadDefinition as cause:
        raise Refused(400, str(cause)) from cause
    with room.lock:
        job = _find(room, job_id)
        if job.state not in RESTARTABLE:
            raise Refused(409, f"Job {job_id} is {job.state}; only failed and aborted jobs can be restarted.")
        job.restart(told)
    room.expect_events()
    return json_answer({"status": "ok", "jobId": job_id})


def _create(room: Roboflow, job_id: str, told: dict[str, Any]) -> None:
    """A new job over a batch that is there and has something in it; whether it is complete is not asked."""
    batch = room.staging.get(told["jobInput"]["batchId"])
    part = told["jobInput"].get("partName")
    if batch is None or (part is not None and part not in batch.parts):
        raise Refused(404, f"Batch {told['jobInput']['batchId']}, or its part, does not exist.")
    if told["processingSpecification"]["workspace"] != current().tenant.behaviour.roboflow_workspace:
        raise Refused(400, "processingSpecification.workspace is not this key's")
    first = next(batch.files(part), None)
    if first is None and not batch.unfinished:
        raise Refused(400, f"Batch {batch.id} is empty.")
    if first is not None and first.kind is not input_kind(told):
        raise Refused(400, f"Batch {batch.id} holds {first.kind}, which a job of type {told['type']} cannot take.")
    room.create(job_id, request.args.get("name"), told)


def _check_means() -> None:
    """Plan and credits, which the service looks at before anything else."""
    behaviour = current().tenant.behaviour
    if not behaviour.roboflow_batch_plan:
        raise Refused(402, "The plan of this workspace has no batch processing.")
    if not behaviour.roboflow_credits:
        raise Refused(429, "The credits of this workspace are used up.")


def _room(workspace: str, scope: Scope) -> Roboflow:
    """The tenant's room, settled, once it is clear that the key opens it and may do this."""
    enter(workspace, scope)
    room = current().tenant.roboflow
    room.settle()
    return room


def _find(room: Roboflow, job_id: str) -> Job:
    job = room.jobs.get(job_id)
    if job is None:
        raise Refused(404, f"Job {job_id} does not exist.")
    return job


def _stage(job: Job, stage_id: str) -> Stage:
    for stage in job.stages:
        if stage.id == stage_id:
            return stage
    raise Refused(404, f"Job {job.id} has no stage {stage_id}.")
