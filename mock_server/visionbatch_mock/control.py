"""`/_control/`: what a test may do to the mock and ask of it, as JSON.

The tenant is picked by the same `Authorization: Token X` header as in the API. When the mock was
started with a control token, every call needs it in `X-Control-Token`.
"""

import hmac
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, request

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.deepomatic.batches import Batch
from visionbatch_mock.exchange import (
    Unacceptable,
    json_object_of_control,
    tenant_of_control,
    world,
)
from visionbatch_mock.exports import control as export_control
from visionbatch_mock.faults import FaultPlan, UnknownInstruction
from visionbatch_mock.faults.presets import PRESETS
from visionbatch_mock.journal_view import explained
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.readers import SettingError, choice, flag
from visionbatch_mock.roboflow import control as roboflow_control
from visionbatch_mock.snapshots import NotAtRest, Snapshot
from visionbatch_mock.storage.beginning import session_url
from visionbatch_mock.storage.sessions import SessionState
from visionbatch_mock.vias import control as vias_control

bp = Blueprint("control", __name__, url_prefix="/_control")
bp.register_blueprint(export_control.bp)
bp.register_blueprint(vias_control.bp)
bp.register_blueprint(roboflow_control.bp)


@bp.before_request
def require_control_token() -> Response | None:
    """Refuse strangers when the mock was started with a token."""
    wanted = world().config.control_token
    given = request.headers.get("X-Control-Token", "")
    if wanted is None or hmac.compare_digest(wanted.encode(), given.encode()):
        return None
    return json_answer({"error": "X-Control-Token is missing or wrong"}, 403)


@bp.errorhandler(SettingError)
@bp.errorhandler(UnknownInstruction)
def refused(error: ValueError) -> Response:
    """A word that the mock does not know, with those that it does."""
    return json_answer({"error": str(error)}, 400)


@bp.errorhandler(NotAtRest)
def busy(error: NotAtRest) -> Response:
    """Something else is going on; the same call may work in a moment."""
    return json_answer({"error": str(error)}, 409)


@bp.get("/health")
def health() -> Response:
    """200 as soon as the mock serves."""
    return json_answer({"status": "ok"})


@bp.get("/openapi.json")
def openapi() -> Response:
    """The control interface as an OpenAPI 3.1 document."""
    return openapi_of("control")


@bp.get("/openapi/<service>.json")
def openapi_of(service: str) -> Response:
    """A service of this tenant as an OpenAPI 3.1 document."""
    # Loaded by those who ask: nothing else of the mock needs these tables.
    from visionbatch_mock.openapi import SERVICES, document  # noqa: PLC0415 - the line above argues it

    if service not in SERVICES:
        raise Unacceptable(404, {"error": f"there are documents of {sorted(SERVICES)}"})
    tenant = tenant_of_control()
    fixed = {"workspace": tenant.behaviour.roboflow_workspace, "project_id": tenant.iam.project_id}
    return json_answer(document(current_app, SERVICES[service], **fixed))


@bp.post("/reset")
def reset() -> Response:
    """Forget the tenant's history, or with `{"all": true}` everybody's."""
    world().reset(None if json_object_of_control(all=bool).get("all") else tenant_of_control())
    return empty_answer(204)


@bp.get("/clock")
def get_clock() -> Response:
    """What the tenant's clock shows."""
    return json_answer(tenant_of_control().clock.as_json())


@bp.post("/clock")
def move_clock() -> Response:
    """Freeze, run, advance, set or speed up the tenant's clock."""
    clock = tenant_of_control().clock
    acts: dict[str, Callable[[Any], None]] = {
        "freeze": lambda yes: clock.freeze() if yes else clock.run(),
        "advance": lambda seconds: clock.advance(float(seconds)),
        "set": lambda epoch: clock.set(float(epoch)),
        "speed": lambda factor: clock.speed_up(float(factor)),
    }
    told = json_object_of_control(freeze=bool, advance=float | int, set=float | int, speed=float | int)
    if not told:
        raise Unacceptable(400, {"error": f"the clock knows {sorted(acts)}"})
    try:
        for name, value in told.items():
            acts[name](value)
    except (OverflowError, ValueError) as cause:
        raise Unacceptable(400, {"error": str(cause)}) from cause
    return get_clock()


@bp.post("/faults")
def plan_faults() -> Response:
    """Put a fault plan in force."""
    plan = tenant_of_control().faults.plan(json_object_of_control())
    return json_answer(plan.as_json(), 201)


@bp.get("/faults")
def list_faults() -> Response:
    """Every plan in force, oldest first."""
    return json_answer([plan.as_json() for plan in tenant_of_control().faults.plans()])


@bp.get("/faults/presets")
def list_presets() -> Response:
    """Plans that stand ready, named after rows of the fault matrix."""
    return json_answer([preset.as_json() for preset in PRESETS.values()])


@bp.get("/faults/<plan_id>")
def get_fault(plan_id: str) -> Response:
    """A plan: what remains, what was met, and whether that is all."""
    return json_answer(_plan(plan_id).as_json())


@bp.delete("/faults/<plan_id>")
def remove_fault(plan_id: str) -> Response:
    """Take a plan out of force."""
    tenant_of_control().faults.remove(_plan(plan_id).id)
    return empty_answer(204)


@bp.get("/journal")
def journal() -> Response:
    """The tenant's requests, each as a command too, and what those without a route were meant to be.

    `?operation=` picks one kind.
    """
    entries = tenant_of_control().journal.entries(request.args.get("operation"))
    return json_answer([explained(entry, request.host_url.rstrip("/")) for entry in entries])


@bp.get("/ledger")
def ledger() -> Response:
    """The tenant's committed effects; `?effect=` picks one kind."""
    try:
        entries = tenant_of_control().ledger.entries(request.args.get("effect"))
    except ValueError as cause:
        raise Unacceptable(400, {"error": str(cause)}) from cause
    return json_answer([entry.as_json() for entry in entries])


@bp.get("/settings")
def get_settings() -> Response:
    """The tenant's behaviour."""
    return json_answer(tenant_of_control().behaviour.as_json())


@bp.patch("/settings")
def patch_settings() -> Response:
    """Change the tenant's behaviour from now on."""
    tenant_of_control().configure(**json_object_of_control())
    return get_settings()


@bp.post("/batches")
def create_batch() -> Response:
    """A batch made in the vendor's web interface, whose user copies only the id."""
    batch = tenant_of_control().batches.create(json_object_of_control(filename=str | None).get("filename"))
    return json_answer({"batch_id": batch.id}, 201)


@bp.get("/batches/<batch_id>")
def get_batch(batch_id: str) -> Response:
    """Everything that the mock knows of a batch."""
    batch = _batch(batch_id)
    batch.settle()
    return json_answer(batch.inner_view())


@bp.post("/batches/<batch_id>")
def move_batch(batch_id: str) -> Response:
    """`{"advance": true}` moves one step, `{"force": state}` goes anywhere, `{"stall": true}` holds it until false."""
    batch, told = _batch(batch_id), json_object_of_control()
    if set(told) == {"advance"}:
        batch.advance()
    elif set(told) == {"force"}:
        batch.force(choice(BatchState, "force", told["force"]))
    elif set(told) == {"stall"}:
        batch.held = flag("stall", told["stall"])
    else:
        raise Unacceptable(400, {"error": 'expected {"advance": true}, {"force": state} or {"stall": true or false}'})
    return json_answer(batch.inner_view())


@bp.post("/sessions/<batch_id>/<act>")
def end_session(batch_id: str, act: str) -> Response:
    """Let the batch's latest session expire, be terminated or cancelled."""
    acts = {
        "expire": SessionState.EXPIRED,
        "terminate": SessionState.TERMINATED,
        "cancel": SessionState.CANCELLED,
    }
    if act not in acts:
        raise Unacceptable(404, {"error": f"a session can {sorted(acts)}"})
    session = _batch(batch_id).end_session(acts[act])
    return json_answer({"url": session_url(session), "state": session.status.value})


@bp.get("/snapshots")
def list_snapshots() -> Response:
    """Moments of the tenant that can be come back to, oldest first."""
    return json_answer([snapshot.as_json() for snapshot in tenant_of_control().snapshots.all()])


@bp.post("/snapshots")
def take_snapshot() -> Response:
    """Remember this moment of the tenant, unfinished uploads included; other requests wait meanwhile."""
    return json_answer(tenant_of_control().snapshots.take(world(), inside=1).as_json(), 201)


@bp.post("/snapshots/<snapshot_id>/restore")
def restore_snapshot(snapshot_id: str) -> Response:
    """Go back to a moment; what has happened since is forgotten."""
    tenant_of_control().snapshots.restore(world(), _snapshot(snapshot_id), inside=1)
    return empty_answer(204)


@bp.delete("/snapshots/<snapshot_id>")
def remove_snapshot(snapshot_id: str) -> Response:
    """Forget a moment."""
    tenant_of_control().snapshots.remove(_snapshot(snapshot_id))
    return empty_answer(204)


@bp.post("/tokens/revoke")
def revoke() -> Response:
    """Make a token invalid from now on."""
    token = json_object_of_control(token=str).get("token")
    if not token:
        raise Unacceptable(400, {"error": "expected {'token': text}"})
    world().tenant(token).revoke()
    return empty_answer(204)


def _snapshot(snapshot_id: str) -> Snapshot:
    found = tenant_of_control().snapshots.get(snapshot_id)
    if found is None:
        raise Unacceptable(404, {"error": f"no snapshot {snapshot_id}"})
    return found


def _plan(plan_id: str) -> FaultPlan:
    plan = tenant_of_control().faults.get(plan_id)
    if plan is None:
        raise Unacceptable(404, {"error": f"no fault plan {plan_id}"})
    return plan


def _batch(batch_id: str) -> Batch:
    batch = tenant_of_control().batches.get(batch_id)
    if batch is None:
        raise Unacceptable(404, {"error": f"no batch {batch_id}"})
    return batch
