"""The routes that only show: every page is whole without a script, and changes nothing."""

from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, request
from werkzeug.exceptions import HTTPException

from visionbatch_mock.answers import speak
from visionbatch_mock.dashboard import acts, doors, live, views
from visionbatch_mock.dashboard.picking import picked, required
from visionbatch_mock.dashboard.rendering import PREFIX, page
from visionbatch_mock.dashboard.searching import Search
from visionbatch_mock.dashboard.shelves import exports, mails, picture
from visionbatch_mock.exchange import token_of_request
from visionbatch_mock.faults.presets import PRESETS
from visionbatch_mock.journal_view import as_curl
from visionbatch_mock.operations import Operation

bp = Blueprint("dashboard", __name__, url_prefix=PREFIX, static_folder="static", static_url_path="/static")
bp.register_blueprint(acts.bp)


def install(app: Flask) -> None:
    """Serve the pages, and the first of them to browsers at the root as well.

    To be called before anything else looks at requests: these are no requests of a customer.
    """
    app.extensions[live.EXTENSION] = live.Viewers()
    app.before_request(_serve_browser)
    app.register_blueprint(bp)
    speak(PREFIX, _problem)


def _serve_browser() -> Response | None:
    """The overview for a person at `/`, which with a key is a call of Roboflow's API."""
    if request.path != "/" or request.method != "GET" or "api_key" in request.args or token_of_request():
        return None
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        return None
    return doors.guarded(_admit() or overview())


@bp.before_request
def _admit() -> Response | None:
    """What somebody gets who may not come in."""
    request.max_content_length = 64 * 1024
    if doors.is_strange_host():
        message = "This host name could be anybody's. Use an address, localhost, or a mock with a control token."
        return page("problem", None, 403, message=message)
    if request.endpoint in {"dashboard.static", "dashboard.login", "dashboard.enter"} or doors.is_known():
        return None
    return page("login", None, 403, wrong=False)


@bp.after_request
def _guard(response: Response) -> Response:
    return doors.guarded(response)


@bp.errorhandler(HTTPException)
def _refused(error: HTTPException) -> Response:
    return _problem(error.code or 500, error.description or error.name)


def _problem(status: int, message: str) -> Response:
    return doors.guarded(page("problem", None, status, message=message))


@bp.get("/login")
def login() -> Response:
    """Ask for the control token."""
    return page("login", None, wrong=False)


@bp.post("/login")
def enter() -> Response:
    """Keep a proof of the control token in a cookie, or ask again."""
    token = request.form.get("token", "")
    if doors.is_from_elsewhere() or not doors.is_right(token):
        return page("login", None, 403, wrong=True)
    return doors.remember(redirect(f"{PREFIX}/", 303), token)  # type: ignore[arg-type]  # Werkzeug's, which Flask's is


@bp.get("/")
def overview() -> Response:
    """The three services, and what happened last."""
    tenant = picked()
    if tenant is None:
        return page("empty", None, url=request.host_url.rstrip("/"))
    entries = tenant.journal.entries()
    figures = {
        "requests": len(entries),
        "refused": sum(1 for each in entries if (each.status or 200) >= 400),
        "effects": len(tenant.ledger.entries()),
    }
    shown: dict[str, Any] = {
        "batches": views.batches(tenant),
        "jobs": views.jobs(tenant),
        "staged": views.staged(tenant),
    }
    last: dict[str, Any] = {"entries": entries[:-9:-1], "effects": tenant.ledger.entries()[:-9:-1]}
    return page("overview", tenant, figures=figures, vias=views.vias_batches(tenant), **shown, **last)


@bp.get("/batches/<batch_id>")
def batch(batch_id: str) -> Response:
    """One Deepomatic batch: its life, its upload map, and what its archive became."""
    tenant = required()
    tenant.settle()
    found = tenant.batches.get(batch_id) or abort(404, f"There is no batch {batch_id}.")
    shown: dict[str, Any] = {"maps": views.upload_maps(tenant, found), "orders": views.orders_of(tenant, found)}
    return page("batch", tenant, batch=views.batch_view(tenant, found), **shown)


@bp.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """One Roboflow job."""
    tenant = required()
    tenant.settle()
    with tenant.roboflow.lock:
        found = tenant.roboflow.jobs.get(job_id) or abort(404, f"There is no job {job_id}.")
        return page("job", tenant, job=views.job_view(tenant, found))


@bp.get("/vias/<batch_id>")
def vias(batch_id: str) -> Response:
    """One batch task of VIAS with all of its tasks."""
    tenant = required()
    found = next((each for each in views.vias_batches(tenant) if each.id == batch_id), None)
    return page("vias", tenant, batch=found or abort(404, f"There is no batch task {batch_id}."))


@bp.get("/faults")
def faults() -> Response:
    """Plans in force, and what can be planned."""
    tenant = required()
    plans = tenant.faults.all()[::-1]
    return page("faults", tenant, plans=plans, presets=list(PRESETS.values()), operations=list(Operation))


@bp.get("/journal")
def journal() -> Response:
    """Requests, newest first, as far as they match."""
    tenant, search = required(), Search.of(request.args)
    base = request.host_url.rstrip("/")
    found = search.find(tenant.journal.entries())
    return page("journal", tenant, search=search, found=found, curl=lambda entry: as_curl(entry, base))


@bp.get("/ledger")
def ledger() -> Response:
    """Effects, newest first, as far as they match."""
    tenant, search = required(), Search.of(request.args)
    return page("ledger", tenant, search=search, found=search.find_effects(tenant.ledger.entries()))


@bp.get("/exports")
def exported() -> Response:
    """The exports, their files and pictures, and the mails."""
    tenant = required()
    return page("exports", tenant, exports=exports(tenant), mails=mails(tenant))


@bp.get("/picture")
def photo() -> Response:
    """A stored photo, if it is one."""
    found = picture(required(), request.args.get("bucket", ""), request.args.get("name", ""))
    return found or abort(404, "There is no such picture.")


@bp.get("/webhooks")
def webhooks() -> Response:
    """Events on their ways."""
    tenant = required()
    events, parcels = tenant.roboflow.deliveries.events()[::-1], tenant.vias.deliveries.parcels()[::-1]
    return page("webhooks", tenant, events=events[:200], parcels=parcels[:200])


@bp.get("/clock")
def clock() -> Response:
    """The customer's clock."""
    return page("clock", required())


@bp.get("/events")
def events() -> Response:
    """The stream of changes."""
    return live.stream(required())
