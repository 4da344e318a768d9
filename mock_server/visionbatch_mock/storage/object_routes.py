"""The object-store subset that unmodified Google clients need: insert, get, list, patch, delete, download."""

from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import empty_answer, error_for, json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.asking import (
    conditions,
    live_object,
    no_such_object,
    reading,
    remove,
    require,
    resource_of_request,
    writing,
)
from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.disturbing import disturb
from visionbatch_mock.storage.downloads import content, outlook
from visionbatch_mock.storage.insert import initiate_json, insert_media, insert_multipart
from visionbatch_mock.storage.listing import list_page, page_outlook
from visionbatch_mock.storage.multipart import MalformedMultipart
from visionbatch_mock.storage.objects import Target
from visionbatch_mock.storage.permissions import Permission
from visionbatch_mock.storage.session_routes import is_session_request, serve_session

bp = Blueprint("storage", __name__)

OBJECTS = "/storage/v1/b/<bucket>/o"


@bp.route(f"/upload{OBJECTS}", methods=["POST", "PUT", "DELETE"])
def upload(bucket: str) -> Response:
    """Requests on sessions of the JSON API, and everything that begins an upload."""
    if is_session_request():
        return serve_session()
    if request.method != "POST":
        return error_for(request.path, 405, "Beginning an upload takes POST.")
    return _insert(bucket)


@operation(Operation.OBJECTS_INSERT)
def _insert(bucket: str) -> Response:
    kinds = {"resumable": initiate_json, "media": insert_media, "multipart": insert_multipart}
    serve = kinds.get(request.args.get("uploadType", ""))
    if serve is None:
        return error_for(request.path, 400, f"uploadType has to be one of {sorted(kinds)}")
    try:
        return serve(bucket)
    # The parser runs dry as StopIteration when a body has fewer than its two parts.
    except (MalformedMultipart, StopIteration) as cause:
        current().body.drain()
        return error_for(request.path, 400, f"Malformed multipart body: {cause}")


@bp.get(OBJECTS)
@operation(Operation.OBJECTS_LIST, page_outlook)
def list_objects(bucket: str) -> Response:
    """One page of a bucket's objects."""
    reading(bucket, Permission.OBJECTS_LIST)
    return json_answer(list_page(current().tenant.objects.listing(bucket)))


@bp.get(f"{OBJECTS}/<object:name>")
@bp.get(f"/download{OBJECTS}/<object:name>")
def get_object(bucket: str, name: str) -> Response:
    """An object's description, or its content with `alt=media`."""
    form = request.args.get("alt", "json")
    if form not in {"json", "media"}:
        return error_for(request.path, 400, f"Invalid value for alt: {form!r}")
    if form == "media" or request.path.startswith("/download/"):
        return _download(bucket, name)
    return _show(bucket, name)


@operation(Operation.OBJECTS_DOWNLOAD, outlook)
def _download(bucket: str, name: str) -> Response:
    disturb(bucket, name)
    stored = live_object(bucket, name, request.args.get("generation"))
    conditions().check(stored)
    return content(stored)


@operation(Operation.OBJECTS_GET)
def _show(bucket: str, name: str) -> Response:
    stored = live_object(bucket, name, request.args.get("generation"))
    conditions().check(stored)
    return json_answer(stored.resource(request.host_url.rstrip("/")))


@bp.patch(f"{OBJECTS}/<object:name>")
@operation(Operation.OBJECTS_PATCH)
def patch_object(bucket: str, name: str) -> Response:
    """Change an object's description, which makes a new metageneration."""
    changes = _changes()
    require(Permission.OBJECTS_UPDATE, bucket, name)
    changed = current().tenant.objects.describe(bucket, name, changes, conditions())
    if changed is None:
        raise no_such_object(bucket, name)
    return json_answer(changed.resource(request.host_url.rstrip("/")))


@bp.delete(f"{OBJECTS}/<object:name>")
@operation(Operation.OBJECTS_DELETE)
def delete_object(bucket: str, name: str) -> Response:
    """Remove an object: 204."""
    remove(bucket, name, conditions())
    return empty_answer(204)


@bp.post(f"{OBJECTS}/<object:name>/<any(rewriteTo, copyTo):verb>/b/<to_bucket>/o/<object:to_name>")
@operation(Operation.OBJECTS_REWRITE)
def copy_object(bucket: str, name: str, verb: str, to_bucket: str, to_name: str) -> Response:
    """A second object of the same bytes, in one step however large it is."""
    changes = _changes()
    source = live_object(bucket, name, request.args.get("sourceGeneration"))
    conditions("ifSource").check(source)
    writing(to_bucket, to_name)
    target = Target(to_bucket, to_name, source.description.changed(changes), conditions=conditions())
    made = current().tenant.copy(source, target)
    shown = made.resource(request.host_url.rstrip("/"))
    if verb == "copyTo":
        return json_answer(shown)
    sizes = {"totalBytesRewritten": str(made.size), "objectSize": str(made.size)}
    return json_answer({"kind": "storage#rewriteResponse", **sizes, "done": True, "resource": shown})


def _changes() -> dict[str, Any]:
    """The body as changes of a description, which are refused before any condition is looked at."""
    told = resource_of_request()
    Description().changed(told)
    return told
