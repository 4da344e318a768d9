"""The buttons: each does one thing by the same ways as the control interface, and leads back to the page.

Only a page of this server may press them, see `doors`.
"""

import json
import math
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, redirect, request

from visionbatch_mock.dashboard import doors
from visionbatch_mock.dashboard.picking import required
from visionbatch_mock.dashboard.rendering import PREFIX, page
from visionbatch_mock.faults import UnknownInstruction
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.readers import SettingError
from visionbatch_mock.roboflow.lifecycle import JobState
from visionbatch_mock.storage.sessions import SessionState
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.outbox import Way
from visionbatch_mock.vias.states import TaskState

bp = Blueprint("acts", __name__, url_prefix="/act")

Act = Callable[[], object]


@bp.before_request
def _only_from_here() -> Response | None:
    """Refuse a form that another page has sent."""
    if doors.is_from_elsewhere():
        return page("problem", None, 403, message="This action was not begun by a page of this server.")
    return None


@bp.errorhandler(ValueError)
@bp.errorhandler(SettingError)
@bp.errorhandler(UnknownInstruction)
@bp.errorhandler(ViasError)
def _refused(error: Exception) -> Response:
    return page("problem", None, 400, message=str(error))


@bp.post("/batch/<batch_id>/<act>")
def batch(batch_id: str, act: str) -> Response:
    """Move a Deepomatic batch, hold it, or end its upload session."""
    tenant = _settled()
    found = tenant.batches.get(batch_id) or abort(404, f"There is no batch {batch_id}.")
    acts: dict[str, Act] = {
        "advance": found.advance,
        "succeed": lambda: found.force(BatchState.SUCCESS),
        "fail": lambda: found.force(BatchState.ERROR),
        "stall": lambda: setattr(found, "held", True),
        "go-on": lambda: setattr(found, "held", False),
        "expire-session": lambda: found.end_session(SessionState.EXPIRED),
        "terminate-session": lambda: found.end_session(SessionState.TERMINATED),
    }
    return _done(acts, act)


@bp.post("/job/<job_id>/<act>")
def job(job_id: str, act: str) -> Response:
    """Move a Roboflow job, or hold it."""
    tenant = _settled()
    with tenant.roboflow.lock:
        found = tenant.roboflow.jobs.get(job_id) or abort(404, f"There is no job {job_id}.")
        acts: dict[str, Act] = {
            "advance": found.step,
            "succeed": lambda: found.force(JobState.SUCCEEDED),
            "fail": lambda: found.force(JobState.FAILED),
            "stall": lambda: setattr(found, "held", True),
            "go-on": lambda: setattr(found, "held", False),
        }
        return _done(acts, act)


@bp.post("/staged/<batch_id>/<act>")
def staged(batch_id: str, act: str) -> Response:
    """End the ingest of a staging batch, or its life."""
    tenant = _settled()
    with tenant.roboflow.lock:
        found = tenant.roboflow.staging.get(batch_id) or abort(404, f"There is no batch {batch_id}.")
        acts: dict[str, Act] = {
            "ingest": lambda: tenant.roboflow.staging.ingest(found),
            "expire": lambda: setattr(found, "expires", tenant.clock.now()),
        }
        return _done(acts, act)


@bp.post("/task/<task_id>/<act>")
def task(task_id: str, act: str) -> Response:
    """Move a task of VIAS; one that is put into the state in which it is stays there."""
    tenant = _settled()
    with tenant.vias.lock:
        found = tenant.vias.task(task_id)
        acts: dict[str, Act] = {
            "advance": lambda: tenant.vias.step(task_id),
            "succeed": lambda: tenant.vias.force(task_id, TaskState.SUCCEEDED),
            "fail": lambda: tenant.vias.force(task_id, TaskState.FAILED),
            "stall": lambda: tenant.vias.force(task_id, found.state),
        }
        return _done(acts, act)


@bp.post("/faults")
def plan() -> Response:
    """Put a preset in force, or instructions, one a line, for one operation."""
    tenant, told = required(), request.form
    if told.get("preset"):
        tenant.faults.plan({"preset": told["preset"]})
        return _back()
    lines = [line.strip() for line in told.get("instructions", "").splitlines() if line.strip()]
    if not lines:
        raise UnknownInstruction("a plan needs at least one instruction, such as return-503")
    tenant.faults.plan({"instructions": {told.get("operation", ""): [_instruction(line) for line in lines]}})
    return _back()


@bp.post("/faults/<plan_id>/remove")
def remove(plan_id: str) -> Response:
    """Take a plan out of force."""
    if not required().faults.remove(plan_id):
        abort(404, f"There is no fault plan {plan_id}.")
    return _back()


@bp.post("/clock/<act>")
def clock(act: str) -> Response:
    """Freeze, run, advance, or set the speed."""
    found = required().clock
    acts: dict[str, Act] = {
        "freeze": found.freeze,
        "run": found.run,
        "advance": lambda: found.advance(_number("seconds")),
        "speed": lambda: found.speed_up(_number("factor")),
    }
    return _done(acts, act)


@bp.post("/export/<export_id>/run")
def run(export_id: str) -> Response:
    """Let an export run now."""
    found = required().exports.get(export_id) or abort(404, f"There is no export {export_id}.")
    found.run()
    return _back()


@bp.post("/mail/<int:number>/<act>")
def mail(number: int, act: str) -> Response:
    """End a mailed link, or mail another one to the same file."""
    book = required().exports
    if number >= len(book.mails):
        abort(404, "There is no such mail.")
    token = book.mails[number].link.token
    return _done({"expire": lambda: book.expire(token), "renew": lambda: book.renew(token)}, act)


@bp.post("/webhook/roboflow/<event_id>")
def resend_event(event_id: str) -> Response:
    """Send an event of Roboflow once more, now."""
    room = required().roboflow
    if not room.deliveries.resend(event_id):
        abort(404, f"There is no event {event_id}.")
    room.deliver()
    return _back()


@bp.post("/webhook/vias/<way>/<message_id>")
def resend_parcel(way: str, message_id: str) -> Response:
    """Send an event of VIAS once more, now."""
    book = required().vias
    if not book.deliveries.resend(message_id, Way(way)):
        abort(404, f"There is no event {message_id}.")
    book.deliver()
    return _back()


def _settled() -> Tenant:
    tenant = required()
    tenant.settle()
    return tenant


def _done(acts: dict[str, Act], act: str) -> Response:
    if act not in acts:
        abort(404, f"{act} is not one of {', '.join(acts)}.")
    acts[act]()
    return _back()


def _back() -> Response:
    """To the page with the button; only to one of these pages."""
    back = request.form.get("back", "")
    is_ours = back.startswith((f"{PREFIX}/", "/?")) and "\\" not in back
    return redirect(back if is_ours else f"{PREFIX}/", 303)  # type: ignore[return-value]  # Werkzeug's, which Flask's is


def _number(name: str) -> float:
    value = float(request.form.get(name, ""))
    if not math.isfinite(value):
        raise ValueError(f"{name}: {value} is no number of this world")
    return value


def _instruction(line: str) -> Any:
    """An instruction by its word, or as the object that a plan may hold."""
    return json.loads(line) if line.startswith("{") else line
