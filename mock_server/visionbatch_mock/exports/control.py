"""The vendor's side of the data export under `/_control/`: configure, seed, run, and read the mails."""

from flask import Blueprint, Response, request

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.exchange import Unacceptable, json_object_of_control, tenant_of_control
from visionbatch_mock.exports.book import Export
from visionbatch_mock.readers import moment

bp = Blueprint("export_control", __name__)


@bp.post("/exports")
def create() -> Response:
    """Configure an export; beside the vendor's parameters `start`, the first run's time."""
    export = tenant_of_control().exports.create(**json_object_of_control())
    return json_answer(export.as_json(), 201)


@bp.get("/exports")
def list_all() -> Response:
    """Every export, oldest first."""
    exports = tenant_of_control().exports
    exports.settle()
    return json_answer([export.as_json() for export in exports.all()])


@bp.get("/exports/<export_id>")
def get(export_id: str) -> Response:
    """An export and its runs."""
    tenant_of_control().exports.settle()
    return json_answer(_export(export_id).as_json())


@bp.delete("/exports/<export_id>")
def stop(export_id: str) -> Response:
    """Stop an export; what it has written stays."""
    tenant_of_control().exports.remove(_export(export_id).id)
    return empty_answer(204)


@bp.post("/exports/<export_id>/run")
def run(export_id: str) -> Response:
    """Run now; `{"since": epoch}` moves the beginning of the interval."""
    told = json_object_of_control()
    since = told.pop("since", None)
    if told:
        raise Unacceptable(400, {"error": "expected nothing or {'since': epoch seconds}"})
    begin = None if since is None else moment("since", since)
    return json_answer(_export(export_id).run(begin).as_json(), 201)


@bp.post("/exports/<export_id>/seed")
def seed(export_id: str) -> Response:
    """Add records, lines or generated records to the next run."""
    _export(export_id).seed(json_object_of_control())
    return empty_answer(204)


@bp.get("/mails")
def mails() -> Response:
    """Every mail of the e-mail connector, with its link."""
    base = request.host_url.rstrip("/")
    return json_answer([mail.as_json(base) for mail in tenant_of_control().exports.mails])


@bp.post("/links/<token>/expire")
def expire(token: str) -> Response:
    """End the life of a mailed link."""
    if not tenant_of_control().exports.expire(token):
        raise Unacceptable(404, {"error": "no such link"})
    return empty_answer(204)


@bp.post("/links/<token>/renew")
def renew(token: str) -> Response:
    """Another mail with another link to the same file."""
    mail = tenant_of_control().exports.renew(token)
    if mail is None:
        raise Unacceptable(404, {"error": "no such link"})
    return json_answer(mail.as_json(request.host_url.rstrip("/")), 201)


@bp.post("/buckets")
def own_bucket() -> Response:
    """Make a bucket that is this tenant's for every caller, with and without a token."""
    name = json_object_of_control(name=str).get("name")
    if not name:
        raise Unacceptable(400, {"error": "expected {'name': text}"})
    tenant_of_control().own_bucket(name)
    return json_answer({"name": name}, 201)


def _export(export_id: str) -> Export:
    export = tenant_of_control().exports.get(export_id)
    if export is None:
        raise Unacceptable(404, {"error": f"no export {export_id}"})
    return export
