"""Making objects: initiation of sessions, and whole objects in one request."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from flask import Response, request

from visionbatch_mock.answers import empty_answer, error_for, json_answer
from visionbatch_mock.config import SessionKind
from visionbatch_mock.exchange import current, json_object
from visionbatch_mock.storage.asking import conditions, writing
from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.hashes import promise_of_request
from visionbatch_mock.storage.multipart import MalformedMultipart, split_related
from visionbatch_mock.storage.objects import Target
from visionbatch_mock.storage.preconditions import PreconditionFailed
from visionbatch_mock.storage.sessions import ChecksumMismatch, SessionState, UploadSession
from visionbatch_mock.storage.watching import ObjectWatcher
from visionbatch_mock.text import whole_number


def session_url(session: UploadSession) -> str:
    """The absolute URL of a session, on the scheme, host and port that the client used."""
    base, target = request.host_url.rstrip("/"), session.target
    bucket = quote(target.bucket, safe="")
    if session.kind is SessionKind.XML:
        return f"{base}/{bucket}/{quote(target.name)}?upload_id={session.id}"
    return f"{base}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={session.id}"


def initiate_json(bucket: str) -> Response:
    """Begin a session of the JSON API: 200 with `Location`."""
    resource = json_object()
    name = request.args.get("name") or resource.get("name")
    if not isinstance(name, str) or not name:
        return error_for(request.path, 400, "Required parameter: name")
    kind = request.headers.get("X-Upload-Content-Type")
    target = _target(bucket, name, resource, kind)
    length = whole_number(request.headers.get("X-Upload-Content-Length", ""))
    return _open(target, SessionKind.JSON, length, 200)


def initiate_xml(bucket: str, name: str) -> Response:
    """Begin a session of the XML API: 201 with `Location`."""
    current().body.drain()
    target = _target(bucket, name, {}, request.headers.get("Content-Type"))
    return _open(target, SessionKind.XML, None, 201)


def insert_media(bucket: str) -> Response:
    """A whole object as the body, its name in the query."""
    name = request.args.get("name")
    if not name:
        current().body.drain()
        return error_for(request.path, 400, "Required parameter: name")
    target = _target(bucket, name, {}, request.headers.get("Content-Type"))
    return _insert(target, current().body.blocks())


def insert_multipart(bucket: str) -> Response:
    """Metadata and content in one `multipart/related` body."""
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/related" or not boundary:
        raise MalformedMultipart("expected multipart/related with a boundary")
    parts = split_related(current().body.blocks(), boundary.encode("latin-1"))
    resource = _resource(next(parts).content)
    name = request.args.get("name") or resource.get("name")
    if not isinstance(name, str) or not name:
        current().body.drain()
        return error_for(request.path, 400, "Required parameter: name")
    media = next(parts)
    target = _target(bucket, name, resource, media.content_type)
    return _insert(target, media.content)


def _resource(blocks: Iterable[bytes]) -> Mapping[str, Any]:
    try:
        value = json.loads(b"".join(blocks))
    except ValueError as cause:
        raise MalformedMultipart(f"the first part is not JSON: {cause}") from cause
    if not isinstance(value, dict):
        raise MalformedMultipart("the first part is not an object")
    return value


def _target(bucket: str, name: str, resource: Mapping[str, Any], kind: str | None) -> Target:
    writing(bucket, name)
    description = Description.of(resource, kind)
    encoding = request.args.get("contentEncoding")
    if encoding:
        description = description.changed({"contentEncoding": encoding})
    return Target(bucket, name, description, resource.get("md5Hash"), resource.get("crc32c"), conditions())


def _open(target: Target, kind: SessionKind, total: int | None, status: int) -> Response:
    tenant = current().tenant
    watcher = ObjectWatcher(tenant.ledger, target.bucket, target.name)
    session = tenant.open_session(target, watcher, kind, total=total)
    response = empty_answer(status)
    response.headers["Location"] = session_url(session)
    response.headers["X-GUploader-UploadID"] = session.id
    return response


def _insert(target: Target, content: Iterable[bytes]) -> Response:
    """Spool a whole object, in a session that nobody else knows and that ends with the request."""
    tenant = current().tenant
    watcher = ObjectWatcher(tenant.ledger, target.bucket, target.name)
    session = tenant.new_session(target, watcher, SessionKind.JSON)
    for block in content:
        session.append(session.persisted, memoryview(block))
    if current().body.broken:
        session.end(SessionState.CANCELLED)
        return error_for(request.path, 400, "The body ended before its announced length.")
    try:
        session.complete(tenant.objects.put, promise_of_request())
    except ChecksumMismatch as cause:
        return error_for(request.path, 400, str(cause))
    except PreconditionFailed as cause:
        session.end(SessionState.CANCELLED)
        return error_for(request.path, 412, str(cause))
    if session.stored is None:
        raise RuntimeError("a completed session has an object")
    return json_answer(session.stored.resource(request.host_url.rstrip("/")))
