"""`/v0.2/batches`, with and without a trailing slash, and never a redirect.

The strict profile shows only keys and routes that have evidence in the vendor's documents; the rich
one adds what a complete service would have. A route that the profile does not have is not found.
"""

from typing import Any

from flask import Blueprint, Response

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.clock import iso
from visionbatch_mock.config import ErrorReport, Profile
from visionbatch_mock.deepomatic.batches import Batch
from visionbatch_mock.deepomatic.paging import page
from visionbatch_mock.deepomatic.report import error_report
from visionbatch_mock.exchange import Unacceptable, current, json_object, operation
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.beginning import session_url

bp = Blueprint("deepomatic_batches", __name__, url_prefix="/v0.2/batches")

NOT_FOUND = "Not found."


@bp.post("")
@operation(Operation.BATCHES_CREATE)
def create() -> Response:
    """A new batch and the URL to upload its archive to."""
    filename = json_object().get("filename")
    if filename is not None and not isinstance(filename, str):
        raise Unacceptable(400, {"filename": ["Not a valid string."]})
    batch = current().tenant.batches.create(filename)
    shown = _shown(batch)
    if not _rich():
        del shown["status"]
    return json_answer(shown, 201)


@bp.get("")
@operation(Operation.BATCHES_LIST)
def list_batches() -> Response:
    """The batches of the site, newest first; assumed."""
    _require_rich()
    alive = [b for b in current().tenant.batches.all() if b.state is not BatchState.CANCELLED]
    for batch in alive:
        batch.settle()
    return json_answer(page([_shown(batch) for batch in reversed(alive)]))


@bp.get("/<batch_id>")
@operation(Operation.BATCHES_GET)
def get(batch_id: str) -> Response:
    """A batch's status, and its upload URL until the archive is complete."""
    batch = _find(batch_id)
    batch.look()
    return json_answer(_shown(batch))


@bp.delete("/<batch_id>")
@operation(Operation.BATCHES_DELETE)
def delete(batch_id: str) -> Response:
    """Cancel a batch; afterwards it is not found."""
    _find(batch_id).delete()
    return empty_answer(204)


@bp.get("/<batch_id>/errors")
@operation(Operation.BATCHES_ERRORS)
def errors(batch_id: str) -> Response:
    """The error report; assumed, and switched by a setting of its own."""
    form = current().tenant.behaviour.report
    if form is ErrorReport.OFF:
        raise Unacceptable(404, {"detail": NOT_FOUND})
    batch = _find(batch_id)
    batch.settle()
    return error_report(batch.problems, form)


@bp.get("/<batch_id>/work-orders")
@operation(Operation.BATCHES_WORK_ORDERS)
def work_orders(batch_id: str) -> Response:
    """The work orders that a batch made; assumed."""
    _require_rich()
    batch = _find(batch_id)
    batch.settle()
    store = current().tenant.work_orders
    with store.lock:
        orders = store.of_batch(batch.id)
        return json_answer(page([o.as_json(store.site_id, include_inputs=False) for o in orders]))


def _find(batch_id: str) -> Batch:
    batch = current().tenant.batches.get(batch_id)
    if batch is None or batch.state is BatchState.CANCELLED:
        raise Unacceptable(404, {"detail": NOT_FOUND})
    return batch


def _rich() -> bool:
    return current().tenant.behaviour.profile is Profile.RICH


def _require_rich() -> None:
    if not _rich():
        raise Unacceptable(404, {"detail": NOT_FOUND})


def _shown(batch: Batch) -> dict[str, Any]:
    session = batch.upload_session()
    shown: dict[str, Any] = {
        "batch_id": batch.id,
        "status": current().tenant.behaviour.word(batch.state),
        "upload_url": session_url(session) if session else None,
    }
    if _rich():
        shown["filename"] = batch.filename
        shown["create_date"] = iso(batch.created)
        shown["update_date"] = iso(batch.updated)
        shown["work_orders"] = batch.tally.as_json()
    return shown
