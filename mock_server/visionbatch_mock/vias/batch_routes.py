"""`/v2/{project_id}/batch-tasks`: five operations, and none to get a single batch."""

from collections import Counter
from typing import Any

from flask import Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.vias import asking, rules
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.rooms import room, settled
from visionbatch_mock.vias.settings import Action
from visionbatch_mock.vias.tally import Tally
from visionbatch_mock.vias.task_shown import TYPES
from visionbatch_mock.vias.tasks import Batch, Task

bp = room("vias_batches", "/batch-tasks")

KNOWN = rules.COMMON | {"batch_input"}


@bp.post("")
@operation(Operation.VIAS_BATCH_TASKS_CREATE)
def create() -> Response:
    """A batch task; 200 also when some or all of its sources failed."""
    told = asking.json_body()
    asking.check(told, KNOWN, creating=True)
    groups = _groups(told)
    book = settled()
    with book.lock:
        return _answer(book.create_batch(told, book.places.chosen_of(groups)))


@bp.get("")
@operation(Operation.VIAS_BATCH_TASKS_LIST)
def list_batches() -> Response:
    """Batch tasks with a counter for each state that any of their tasks is in."""
    wanted = asking.pages("page_num", 200, paged=True)
    newest_first = asking.one_of("order_by", "desc", ("asc", "desc")) == "desc"
    sort_name = asking.one_of("sort_name", "created_at", ("created_at", "task_count"))
    book = settled()
    with book.lock:
        tasks = {batch.id: book.tasks(batch.id) for batch in book.batches()}
        found = [batch for batch in book.batches() if _is_wanted(batch, tasks[batch.id])]
        if sort_name == "task_count":
            found.sort(key=lambda batch: len(tasks[batch.id]))
        if newest_first:
            found.reverse()
        shown = [_shown(book, batch, tasks[batch.id]) for batch in wanted.of(found)]
    return json_answer({"count": len(found), "batch_task_list": shown})


@bp.put("/<batch_id>")
@operation(Operation.VIAS_BATCH_TASKS_UPDATE)
def update(batch_id: str) -> Response:
    """Other settings for a batch; the service stays, also when the request names one."""
    told = asking.json_body()
    asking.check(told, KNOWN, creating=False)
    if "batch_input" in told:
        _groups(told)
    changed = {key: value for key, value in told.items() if key not in {"service_name", "service_version"}}
    book = settled()
    with book.lock:
        return _answer(book.update_batch(_find(book, batch_id), changed))


@bp.delete("/<batch_id>")
@operation(Operation.VIAS_BATCH_TASKS_DELETE)
def delete(batch_id: str) -> Response:
    """Delete a batch and its tasks, whatever they are doing: 200, and a body."""
    return _act(batch_id, Action.DELETE)


@bp.put("/<batch_id>/action/start")
@operation(Operation.VIAS_BATCH_TASKS_START)
def start(batch_id: str) -> Response:
    """Start every task of a batch."""
    return _act(batch_id, Action.START)


@bp.put("/<batch_id>/action/stop")
@operation(Operation.VIAS_BATCH_TASKS_STOP)
def stop(batch_id: str) -> Response:
    """Stop every task of a batch."""
    return _act(batch_id, Action.STOP)


def _act(batch_id: str, action: Action) -> Response:
    book = settled()
    with book.lock:
        return _answer(book.act_on_batch(_find(book, batch_id), action))


def _find(book: ViasBook, batch_id: str) -> Batch:
    return book.batch(rules.check_id("id", batch_id))


def _answer(tally: Tally) -> Response:
    return json_answer(tally.as_json(current().tenant.behaviour.vias_count_errors))


def _groups(told: dict[str, Any]) -> list[dict[str, Any]]:
    found = rules.objects(rules.object_of(told, "batch_input"), "video_source_group", 1, 100)
    for group in found:
        rules.text(group, "video_source_group_id", rules.ID)
        for source in rules.objects(group, "video_source_list", 0, 100):
            rules.text(source, "video_source_id", rules.ID)
            rules.optional_text(source, "target_roi", longest=2048)
    return found


def _is_wanted(batch: Batch, tasks: list[Task]) -> bool:
    args = request.args
    groups = asking.many("video_group")
    like = args.get("name_like", "").lower()
    liked = batch.service.title if args.get("type_like") == "publish_service_name" else batch.name
    state = args.get("task_state", "").upper()
    return (
        like in liked.lower()
        and (not state or any(task.state == state for task in tasks))
        and args.get("title", batch.service.title) == batch.service.title
        and args.get("manufacturer", batch.service.company) == batch.service.company
        and (not groups or any(task.group_id in groups for task in tasks))
    )


def _shown(book: ViasBook, batch: Batch, tasks: list[Task]) -> dict[str, Any]:
    groups = dict.fromkeys(task.group_id for task in tasks if task.group_id in book.places.groups)
    shown: dict[str, Any] = {
        "id": batch.id,
        "batch_task_name": batch.name,
        "video_source_name": ",".join(dict.fromkeys(task.source_name for task in tasks)),
        "video_group_name": ",".join(book.places.groups[group_id or ""].name for group_id in groups),
        "alg_name": batch.service.title,
        "company": batch.service.company,
        "type": TYPES[batch.service.deploy_type],
        "num_task": len(tasks),
        "created_at": int(batch.created * 1000),
        "batch_task_status_info": dict(Counter(task.state.lower() for task in tasks)),
    }
    return {**shown, **{key: batch.fields[key] for key in ("priority",) if key in batch.fields}}
