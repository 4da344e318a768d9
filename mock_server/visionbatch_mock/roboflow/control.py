"""Roboflow under `/_control/roboflow/`: look into batches, jobs and webhooks, and force what happens to them."""

from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import Unacceptable, json_object_of_control, sure, tenant_of_control
from visionbatch_mock.readers import choice, flag
from visionbatch_mock.roboflow.batches import Part, StagedBatch
from visionbatch_mock.roboflow.files import BLOCK_BYTES
from visionbatch_mock.roboflow.jobs import Job
from visionbatch_mock.roboflow.lifecycle import JobState
from visionbatch_mock.roboflow.room import Roboflow
from visionbatch_mock.roboflow.settings import Outcome
from visionbatch_mock.roboflow.words import BatchType, ContentType

bp = Blueprint("roboflow_control", __name__, url_prefix="/roboflow")


@bp.get("/batches")
def batches() -> Response:
    """Every batch with its shards and parts, newest first."""
    room = _room()
    with room.lock:
        return json_answer([batch.inner_view() for batch in room.staging.all()])


@bp.get("/batches/<batch_id>")
def batch(batch_id: str) -> Response:
    """One of them."""
    room = _room()
    with room.lock:
        return json_answer(_batch(room, batch_id).inner_view())


@bp.post("/batches/<batch_id>")
def move_batch(batch_id: str) -> Response:
    """`{"ingest": true}` ends the ingest of all its shards now, `{"expire": true}` its life."""
    room, told = _room(), json_object_of_control()
    with room.lock:
        found = _batch(room, batch_id)
        if sure(told, "ingest"):
            room.staging.ingest(found)
        elif sure(told, "expire"):
            found.expires = tenant_of_control().clock.now()
            room.settle()
        else:
            raise Unacceptable(400, {"error": 'expected {"ingest": true} or {"expire": true}'})
        return json_answer(found.inner_view())


@bp.put("/batches/<batch_id>/files")
def plant(batch_id: str) -> Response:
    """The body as a file of a part of a multipart batch, under any `fileName`, in place of one of that name."""
    room = _room()
    name, part = request.args.get("fileName"), request.args.get("partName", "results-archives")
    if not name or not part:
        raise Unacceptable(400, {"error": "fileName and partName are texts"})
    blocks = iter(lambda: request.stream.read(BLOCK_BYTES), b"")
    file = room.staging.warehouse.file(name, ContentType.ARCHIVES, blocks, ContentType.METADATA)
    with room.lock:
        found = room.staging.get(batch_id) or room.staging.make(batch_id, BatchType.MULTIPART, ContentType.ARCHIVES)
        made = found.parts.setdefault(part, Part(part, ContentType.ARCHIVES, ContentType.METADATA, "planted"))
        made.files[:] = [*(each for each in made.files if each.name != name), file]
        return json_answer(found.inner_view(), 201)


@bp.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """A job with its state, history and stages; does not count as a look."""
    room = _room()
    with room.lock:
        return json_answer(_view(_job(room, job_id)))


@bp.post("/jobs/<job_id>")
def move_job(job_id: str) -> Response:
    """`{"advance": true}` moves one step, `{"force": state}` to a state, `{"outcome": word}` sets its end.

    `{"stall": true}` holds it where it is, until false.
    """
    room, told = _room(), json_object_of_control()
    with room.lock:
        found = _job(room, job_id)
        if sure(told, "advance"):
            found.step()
        elif set(told) == {"force"}:
            found.force(choice(JobState, "force", told["force"]))
        elif set(told) == {"outcome"}:
            found.outcome = choice(Outcome, "outcome", told["outcome"])
        elif set(told) == {"stall"}:
            found.held = flag("stall", told["stall"])
        else:
            known = '{"advance": true}, {"force": state}, {"outcome": word} or {"stall": true or false}'
            raise Unacceptable(400, {"error": f"expected {known}"})
        return json_answer(_view(found))


@bp.get("/deliveries")
def deliveries() -> Response:
    """Every event that was sent or waits, with its attempts."""
    return json_answer([event.as_json() for event in _room().deliveries.events()])


@bp.post("/deliveries")
def deliver() -> Response:
    """Try now what is due, and answer when that is done."""
    room = _room()
    room.deliver()
    return deliveries()


@bp.post("/deliveries/<event_id>")
def resend(event_id: str) -> Response:
    """Send an event once more, now, with its id, whether or not it was taken."""
    room = _room()
    if not room.deliveries.resend(event_id):
        raise Unacceptable(404, {"error": f"no event {event_id}"})
    room.deliver()
    return deliveries()


@bp.post("/links/expire")
def expire_links() -> Response:
    """End the life of all signed URLs, or with `{"method": "PUT"}` of those to write, `GET` of those to read."""
    room, method = _room(), json_object_of_control(method=str | None).get("method")
    if method not in {None, "GET", "PUT"}:
        raise Unacceptable(400, {"error": "method is GET or PUT"})
    with room.lock:
        return json_answer({"expired": room.staging.grants.expire(method)})


def _room() -> Roboflow:
    room = tenant_of_control().roboflow
    room.settle()
    return room


def _batch(room: Roboflow, batch_id: str) -> StagedBatch:
    found = room.staging.get(batch_id)
    if found is None:
        raise Unacceptable(404, {"error": f"no batch {batch_id}"})
    return found


def _job(room: Roboflow, job_id: str) -> Job:
    found = room.jobs.get(job_id)
    if found is None:
        raise Unacceptable(404, {"error": f"no job {job_id}"})
    return found


def _view(found: Job) -> dict[str, Any]:
    return {
        **found.as_json(),
        "state": found.state.value,
        "stalled": found.held,
        "history": [{"at": at, "state": state.value} for at, state in found.history],
        "stages": [stage.as_json() for stage in found.stages],
    }
