"""`/v2/{project_id}/tasks` and `.../services/{service_name}/tasks`: single tasks, those of batches included."""

from typing import Any

from flask import Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.vias import asking, rules
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.rooms import room, settled
from visionbatch_mock.vias.scenes import Chosen
from visionbatch_mock.vias.settings import Action, Count
from visionbatch_mock.vias.task_shown import detail, line
from visionbatch_mock.vias.tasks import Task

bp = room("vias_tasks")

KNOWN = rules.COMMON | {"input"}
INPUTS = ("video_source", "obs", "url", "restful", "edgecamera", "vcn")


@bp.post("/services/<service_name>/tasks")
@operation(Operation.VIAS_TASKS_CREATE)
def create(service_name: str) -> Response:
    """A task for each input."""
    told = {**asking.json_body(), "service_name": service_name}
    asking.check(told, KNOWN, creating=True)
    kind, data = _inputs(told)
    book = settled()
    with book.lock:
        book.check_new_tasks(told["name"], len(data))
        sources = [_source(book, kind, each) for each in data]
        made = [
            book.create_task(told, source, {"type": kind, "data": [each]})
            for source, each in zip(sources, data, strict=True)
        ]
        return json_answer({"tasks": [{"id": task.id} for task in made]})


@bp.get("/tasks")
@operation(Operation.VIAS_TASKS_LIST)
def list_tasks() -> Response:
    """Tasks, those of one batch with `batch_id`."""
    wanted = asking.pages("page", 1000)
    newest_first = asking.one_of("sort_dir", "desc", ("asc", "desc")) == "desc"
    book = settled()
    with book.lock:
        found = [task for task in book.tasks() if _is_wanted(task)]
        if newest_first:
            found.reverse()
        shown = [line(task) for task in wanted.of(found)]
    whole = current().tenant.behaviour.vias_tasks_count is Count.TOTAL
    count = len(found) if whole else len(shown)
    return json_answer({"count": count, "page": wanted.number, "page_size": wanted.size, "tasks": shown})


@bp.get("/tasks/<task_id>")
@operation(Operation.VIAS_TASKS_SHOW)
def show(task_id: str) -> Response:
    """Everything about a task."""
    book = settled()
    with book.lock:
        task = _find(book, task_id)
        group = book.places.groups.get(task.group_id or "")
        return json_answer(detail(task, current().tenant, group.name if group else None))


@bp.put("/tasks/<task_id>")
@operation(Operation.VIAS_TASKS_UPDATE)
def update(task_id: str) -> Response:
    """Other settings for a task, with exactly one input."""
    told = asking.json_body()
    asking.check(told, KNOWN, creating=False)
    rules.text(told, "name", rules.NAME)
    rules.check_output(rules.object_of(told, "output"))
    _, data = _inputs(told)
    if len(data) != 1:
        raise rules.invalid("input.data", "exactly one input is required")
    book = settled()
    with book.lock:
        task = _find(book, task_id)
        book.update_task(task, told)
        return json_answer({"id": task.id})


@bp.delete("/tasks/<task_id>")
@operation(Operation.VIAS_TASKS_DELETE)
def delete(task_id: str) -> Response:
    """Delete a task: 200, and a body."""
    return _act(task_id, Action.DELETE)


@bp.put("/tasks/<task_id>/action/start")
@operation(Operation.VIAS_TASKS_START)
def start(task_id: str) -> Response:
    """Start a task."""
    return _act(task_id, Action.START)


@bp.put("/tasks/<task_id>/action/stop")
@operation(Operation.VIAS_TASKS_STOP)
def stop(task_id: str) -> Response:
    """Stop a task."""
    return _act(task_id, Action.STOP)


def _act(task_id: str, action: Action) -> Response:
    book = settled()
    with book.lock:
        task = _find(book, task_id)
        book.act(task, action)
        return json_answer({"id": task.id, "status_code": 200, "status_msg": "success"})


def _find(book: ViasBook, task_id: str) -> Task:
    return book.task(rules.check_id("task_id", task_id))


def _inputs(told: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    outer = rules.object_of(told, "input")
    if outer.get("type") not in INPUTS:
        raise rules.invalid("input.type", f"one of {', '.join(INPUTS)} is required")
    data = rules.objects(outer, "data", 1, 50)
    if outer["type"] == "video_source":
        for each in data:
            rules.text(each, "video_source_id", rules.ID)
    return outer["type"], data


def _source(book: ViasBook, kind: str, told: dict[str, Any]) -> Any:
    if kind != "video_source":
        return None
    source = book.places.known_source(Chosen(told["video_source_id"]))
    if source is None:
        raise ViasError(Code.NO_OBJECT, "the video source does not exist", told["video_source_id"])
    return source


def _is_wanted(task: Task) -> bool:
    args = request.args
    groups = asking.many("video_group_id")
    state = args.get("task_state", "").upper()
    return (
        args.get("batch_id", task.batch_id) == task.batch_id
        and (not state or task.state == state)
        and args.get("task_name", "").lower() in task.name.lower()
        and args.get("camera_name", "").lower() in task.source_name.lower()
        and args.get("title", task.service.title) == task.service.title
        and args.get("company", task.service.company) == task.service.company
        and args.get("alg_id", task.service.algorithm_id) == task.service.algorithm_id
        and (not groups or task.group_id in groups)
    )
