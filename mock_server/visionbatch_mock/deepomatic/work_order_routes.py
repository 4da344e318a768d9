"""`/v0.2/work-orders` and `/v0.2/task-groups`, by the vendor's work-order pages."""

from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.config import Profile
from visionbatch_mock.deepomatic.analysis import read_analysis
from visionbatch_mock.deepomatic.naming import WORK_ORDER_NAME
from visionbatch_mock.deepomatic.paging import page
from visionbatch_mock.deepomatic.work_orders import WorkOrder, WorkOrderStore
from visionbatch_mock.exchange import Unacceptable, current, json_object, operation
from visionbatch_mock.ledger import Effect
from visionbatch_mock.operations import Operation

bp = Blueprint("deepomatic_work_orders", __name__, url_prefix="/v0.2")

_SHAPES: dict[str, type] = {
    "metadata": dict,
    "tags": list,
    "field_engineer_email": str,
    "user_group_ids": list,
    "work_order_types": list,
}


@bp.post("/work-orders")
@operation(Operation.WORK_ORDERS_CREATE)
def create() -> Response:
    """A work order without photos: 201."""
    fields = _checked(json_object())
    name = fields.pop("name", None)
    if name is None:
        raise Unacceptable(400, {"name": ["This field is required."]})
    store = _store()
    with store.lock:
        order = store.create(name)
        _apply(order, fields)
        current().tenant.ledger.commit(Effect.WORK_ORDER_CREATED, work_order_id=order.id, name=name)
        return json_answer(order.as_json(store.site_id), 201)


@bp.get("/work-orders")
@operation(Operation.WORK_ORDERS_LIST)
def list_orders() -> Response:
    """The site's work orders, by `name` if given; assumed, so the rich profile only."""
    if current().tenant.behaviour.profile is not Profile.RICH:
        raise Unacceptable(404, {"detail": "Not found."})
    current().tenant.settle()
    store = _store()
    with store.lock:
        orders = store.named(request.args.get("name"))
        return json_answer(page([o.as_json(store.site_id, include_inputs=False) for o in orders]))


@bp.get("/work-orders/<order_id>")
@operation(Operation.WORK_ORDERS_GET)
def get(order_id: str) -> Response:
    """A work order, with its inputs unless `include_inputs=false`."""
    wanted = request.args.get("include_inputs", "true").lower()
    if wanted not in {"true", "false"}:
        raise Unacceptable(400, {"include_inputs": ["Must be a valid boolean."]})
    store = _store()
    with store.lock:
        order = _find(store, order_id)
        return json_answer(order.as_json(store.site_id, include_inputs=wanted == "true"))


@bp.patch("/work-orders/<order_id>")
@operation(Operation.WORK_ORDERS_UPDATE)
def update(order_id: str) -> Response:
    """Change any of the fields of creation."""
    fields = _checked(json_object())
    store = _store()
    with store.lock:
        order = _find(store, order_id)
        order.name = fields.pop("name", order.name)
        _apply(order, fields)
        order.updated = current().tenant.clock.now()
        return json_answer(order.as_json(store.site_id))


@bp.delete("/work-orders/<order_id>")
@operation(Operation.WORK_ORDERS_DELETE)
def delete(order_id: str) -> Response:
    """Remove a work order: 204."""
    if _store().remove(order_id) is None:
        raise Unacceptable(404, {"detail": "Not found."})
    current().tenant.ledger.commit(Effect.WORK_ORDER_DELETED, work_order_id=order_id)
    return empty_answer(204)


@bp.post("/work-orders/<order_id>/analyze")
@operation(Operation.WORK_ORDERS_ANALYZE)
def analyze(order_id: str) -> Response:
    """Analyse one photo and answer the tasks."""
    submitted = read_analysis(json_object())
    store = _store()
    with store.lock:
        order = _find(store, order_id)
        order.metadata.update(submitted.metadata)
        held = submitted.content
        content = None if held is None else partial(bytes, held)
        store.add_input(order, submitted.task_group, None, submitted.photo, content)
        store.finish_analysis(order)
        return json_answer({"tasks": [task.as_json() for task in order.tasks.values()]})


@bp.patch("/work-orders/<order_id>/tasks/<task_id>/correction")
@operation(Operation.WORK_ORDERS_CORRECT)
def correct(order_id: str, task_id: str) -> Response:
    """Correct an analysed value, once and for all."""
    value = json_object().get("corrected_value")
    if not isinstance(value, bool):
        raise Unacceptable(400, {"corrected_value": ["Must be a valid boolean."]})
    store = _store()
    with store.lock:
        order = _find(store, order_id)
        task = order.tasks.get(task_id)
        if task is None:
            raise Unacceptable(404, {"detail": "Not found."})
        if task.analyzed_value is None or task.corrected_value is not None:
            message = "A task is corrected once, after its analysis."
            raise Unacceptable(400, {"non_field_errors": [message]})
        task.corrected_value = value
        task.corrected_at = order.updated = current().tenant.clock.now()
        return json_answer(task.as_json())


@bp.get("/task-groups")
@operation(Operation.TASK_GROUPS_LIST)
def task_groups() -> Response:
    """The task groups of the application; without a setting, those that photos have named."""
    current().tenant.settle()
    store, told = _store(), current().tenant.behaviour.task_groups
    names = store.groups_seen() if told is None else told
    return json_answer([store.task_group(name) for name in names])


def _store() -> WorkOrderStore:
    return current().tenant.work_orders


def _find(store: WorkOrderStore, order_id: str) -> WorkOrder:
    order = store.get(order_id)
    if order is None:
        raise Unacceptable(404, {"detail": "Not found."})
    return order


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The known fields of a body; a wrong type is refused, an unknown key ignored."""
    name = fields.get("name", "absent")
    if not (isinstance(name, str) and WORK_ORDER_NAME.fullmatch(name)):
        raise Unacceptable(400, {"name": ["Letters, digits, '_' and '-', at most 128 characters."]})
    for key, shape in _SHAPES.items():
        if key in fields and not isinstance(fields[key], shape):
            raise Unacceptable(400, {key: [f"Expected a JSON {shape.__name__}."]})
    return {key: value for key, value in fields.items() if key == "name" or key in _SHAPES}


def _apply(order: WorkOrder, fields: dict[str, Any]) -> None:
    order.metadata = dict(fields.pop("metadata", order.metadata))
    order.tags = list(fields.pop("tags", order.tags))
    order.extra.update(fields)
