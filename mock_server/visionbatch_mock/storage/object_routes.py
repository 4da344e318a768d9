"""The object-store subset that unmodified Google clients need: insert, get, list, delete, download."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.http import parse_range_header
from werkzeug.routing import BaseConverter

from visionbatch_mock.answers import empty_answer, error_for, json_answer, status_line
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.ledger import Effect
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.hashes import HEADER, write_hashes
from visionbatch_mock.storage.insert import (
    initiate_json,
    initiate_xml,
    insert_media,
    insert_multipart,
    preconditions,
)
from visionbatch_mock.storage.listing import list_page
from visionbatch_mock.storage.multipart import MalformedMultipart
from visionbatch_mock.storage.objects import PreconditionFailed, StoredObject
from visionbatch_mock.storage.session_routes import is_session_request, serve_session


class BucketConverter(BaseConverter):
    """The first segment of an XML API path, which must not swallow the other services' paths."""

    regex = r"(?!(?:v0\.2|upload|download|storage|retry_tests?|_control)/)[^/]+"
    part_isolating = False


bp = Blueprint("storage", __name__)

BLOCK_BYTES = 256 * 1024
OBJECTS = "/storage/v1/b/<bucket>/o"


@bp.route(f"/upload{OBJECTS}", methods=["POST", "PUT", "DELETE"])
def upload(bucket: str) -> Response:
    """Requests on sessions of the JSON API, and everything that begins an upload."""
    if is_session_request():
        return serve_session()
    if request.method != "POST":
        return error_for(request.path, 405, "Beginning an upload takes POST.")
    return _insert(bucket)


@bp.route("/<bucket:bucket>/<path:name>", methods=["POST", "PUT", "DELETE"])
def xml_api(bucket: str, name: str) -> Response:
    """Sessions of the XML API: initiation, and the requests on their URLs."""
    if is_session_request():
        return serve_session()
    if request.method != "POST" or request.headers.get("x-goog-resumable") != "start":
        return error_for(request.path, 405, "Of the XML API there are only resumable uploads.")
    return _insert_xml(bucket, name)


@operation(Operation.OBJECTS_INSERT)
def _insert_xml(bucket: str, name: str) -> Response:
    return initiate_xml(bucket, name)


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
@operation(Operation.OBJECTS_LIST)
def list_objects(bucket: str) -> Response:
    """One page of a bucket's objects."""
    return json_answer(list_page(current().tenant.objects.listing(bucket)))


@bp.get(f"{OBJECTS}/<path:name>")
@bp.get(f"/download{OBJECTS}/<path:name>")
@operation(Operation.OBJECTS_GET)
def get_object(bucket: str, name: str) -> Response:
    """An object's description, or its content with `alt=media`."""
    stored = current().tenant.objects.get(bucket, name)
    wanted = request.args.get("generation")
    if stored is None or wanted not in {None, str(stored.generation)}:
        return error_for(request.path, 404, f"No such object: {bucket}/{name}")
    try:
        preconditions().check(stored)
    except PreconditionFailed as cause:
        return error_for(request.path, 412, str(cause))
    if request.args.get("alt") == "media" or request.path.startswith("/download/"):
        return _content(stored)
    return json_answer(stored.resource(request.host_url.rstrip("/")))


@bp.delete(f"{OBJECTS}/<path:name>")
@operation(Operation.OBJECTS_DELETE)
def delete_object(bucket: str, name: str) -> Response:
    """Remove an object: 204."""
    tenant = current().tenant
    try:
        removed = tenant.objects.delete(bucket, name, preconditions())
    except PreconditionFailed as cause:
        return error_for(request.path, 412, str(cause))
    if removed is None:
        return error_for(request.path, 404, f"No such object: {bucket}/{name}")
    facts: dict[str, Any] = {"bucket": bucket, "object": name, "generation": removed.generation}
    tenant.ledger.commit(Effect.OBJECT_DELETED, **facts)
    return empty_answer(204)


@bp.get("/storage/v1/b/<bucket>")
@operation(Operation.BUCKETS_GET)
def get_bucket(bucket: str) -> Response:
    """A bucket's description; naming one is enough for it to exist."""
    shown = {"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "EU"}
    return json_answer({**shown, "storageClass": "STANDARD", "metageneration": "1"})


def _content(stored: StoredObject) -> Response:
    wanted = parse_range_header(request.headers.get("Range"))
    span = (0, stored.size) if wanted is None else wanted.range_for_length(stored.size)
    if span is None:
        response = error_for(request.path, 416, "The requested range is not in the object.")
        response.headers["Content-Range"] = f"bytes */{stored.size}"
        return response
    start, stop = span
    response = Response(_read(stored, start, stop), content_type=stored.content_type)
    response.headers["Content-Length"] = str(stop - start)
    response.headers[HEADER] = write_hashes(stored.digests)
    response.headers["x-goog-generation"] = str(stored.generation)
    response.headers["ETag"] = f'"g{stored.generation}"'
    response.headers["Accept-Ranges"] = "bytes"
    if wanted is not None:
        response.status = status_line(206)
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    return response


def _read(stored: StoredObject, start: int, stop: int) -> Iterator[bytes]:
    with stored.path.open("rb") as file:
        file.seek(start)
        while start < stop and (block := file.read(min(BLOCK_BYTES, stop - start))):
            start += len(block)
            yield block
