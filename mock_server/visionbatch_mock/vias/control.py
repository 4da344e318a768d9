"""VIAS under `/_control/vias/`: make what batches point at, look into tasks, and force what happens to them."""

from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.exchange import Unacceptable, json_object_of_control, sure, tenant_of_control
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.outbox import Way
from visionbatch_mock.vias.tasks import Task

bp = Blueprint("vias_control", __name__, url_prefix="/vias")


@bp.errorhandler(ViasError)
def refused(error: ViasError) -> Response:
    """What VIAS would refuse, in the words of the control routes."""
    return json_answer({"error": str(error)}, 400)


@bp.get("/project")
def project() -> Response:
    """The id that stands in every path."""
    return json_answer({"id": tenant_of_control().iam.project_id})


@bp.post("/groups")
def make_group() -> Response:
    """A group and its sources: `{"name": .., "sources": [{"name": .., "type": "obs", "type_config": ".."}]}`."""
    told, places = json_object_of_control(name=str, sources=list), _book().places
    name, sources = _text(told, "name"), [_source(each) for each in told.get("sources", [])]
    with _book().lock:
        group = places.add_group(name)
        made = [places.add_source(*source, group_ids=(group.id,)) for source in sources]
    return json_answer({"video_group_id": group.id, "video_source_ids": [source.id for source in made]}, 201)


@bp.post("/services")
def make_service() -> Response:
    """A deployed service: `api`, and if given `title`, `version`, `deploy_type`, `status`, `output_types`."""
    told = json_object_of_control(api=str, title=str, version=str, deploy_type=str, status=str, output_types=list)
    types = told.pop("output_types", [])
    if not all(isinstance(word, str) and word for word in types):
        raise Unacceptable(400, {"error": "output_types: expected a list of texts"})
    api, facts = _text(told, "api"), {key: _text(told, key) for key in told if key != "api"}
    with _book().lock:
        made = _book().places.add_service(api, output_types=tuple(types), **facts)
    return json_answer({"service_id": made.id, "alg_id": made.algorithm_id}, 201)


@bp.get("/tasks")
def tasks() -> Response:
    """Every task with the states that it has been in; `?batch_id=` picks those of one batch."""
    book = _book()
    book.settle()
    with book.lock:
        return json_answer([_inner(task) for task in book.tasks(request.args.get("batch_id"))])


@bp.post("/tasks/<task_id>")
def move_task(task_id: str) -> Response:
    """`{"advance": true}` moves one step, `{"force": state}` to any state, known or not.

    `{"stall": true}` lets it stay where it is until it is forced on; `{"find": true}` lets it find something.
    """
    told, tenant, book = json_object_of_control(), tenant_of_control(), _book()
    book.settle()
    with book.lock:
        task = book.task(task_id)
        if set(told) == {"force"}:
            book.force(task_id, _text(told, "force"))
        elif sure(told, "find"):
            book.find(task, tenant.clock.now())
        elif sure(told, "advance"):
            book.step(task_id)
        elif sure(told, "stall"):
            book.force(task_id, task.state)
        else:
            known = "{'advance': true}, {'force': state}, {'stall': true} or {'find': true}"
            raise Unacceptable(400, {"error": f"expected {known}"})
        return json_answer(_inner(task))


@bp.get("/deliveries")
def deliveries() -> Response:
    """Every event on each of its ways, with the attempts."""
    return json_answer([parcel.as_json() for parcel in _book().deliveries.parcels()])


@bp.post("/deliveries")
def deliver() -> Response:
    """Deliver now what is due."""
    _book().deliver()
    return deliveries()


@bp.post("/deliveries/<way>/<message_id>")
def resend(way: str, message_id: str) -> Response:
    """Send an event once more, now, on one of its ways, whether or not it was taken."""
    if way not in list(Way) or not _book().deliveries.resend(message_id, Way(way)):
        raise Unacceptable(404, {"error": f"no event {message_id} that went by {way}; the ways are {[*Way]}"})
    _book().deliver()
    return deliveries()


@bp.post("/tokens/revoke")
def revoke_tokens() -> Response:
    """End every token of the user, as a change of the password does."""
    tenant_of_control().iam.revoke_tokens()
    return empty_answer(204)


def _book() -> ViasBook:
    return tenant_of_control().vias


def _text(told: Any, key: str) -> str:
    value = told.get(key) if isinstance(told, dict) else None
    if not isinstance(value, str) or not value:
        raise Unacceptable(400, {"error": f"{key}: expected a text"})
    return value


def _source(told: Any) -> tuple[str, str, str]:
    """Name, type and configuration of a source that comes with its group."""
    known = {"name", "type", "type_config"}
    if not isinstance(told, dict) or not set(told) <= known or not isinstance(told.get("type_config", ""), str):
        raise Unacceptable(400, {"error": f"a source is an object with texts of {sorted(known)}"})
    return _text(told, "name"), _text({"type": "obs", **told}, "type"), told.get("type_config", "")


def _inner(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": task.name,
        "batch_id": task.batch_id,
        "source_id": task.source_id,
        "state": task.state,
        "ahead": task.ahead,
        "found": task.found,
        "history": [{"at": at, "state": state} for at, state in task.history],
    }
