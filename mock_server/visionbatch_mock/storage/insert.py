"""Making objects by the JSON API: initiation of sessions, and whole objects in one request."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import Response, request

from visionbatch_mock.answers import error_for, json_answer
from visionbatch_mock.config import SessionKind
from visionbatch_mock.exchange import current
from visionbatch_mock.storage.asking import MAX_RESOURCE_BYTES, conditions, read_resource, resource_of_request, writing
from visionbatch_mock.storage.beginning import begin
from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.hashes import promise_of_request
from visionbatch_mock.storage.multipart import MalformedMultipart, Part, split_related
from visionbatch_mock.storage.objects import Target
from visionbatch_mock.storage.preconditions import PreconditionFailed
from visionbatch_mock.storage.sessions import ChecksumMismatch
from visionbatch_mock.storage.watching import ObjectWatcher
from visionbatch_mock.storage.whole import BrokenBody, keep_whole
from visionbatch_mock.text import whole_number


def initiate_json(bucket: str) -> Response:
    """Begin a session of the JSON API: 200 with `Location`."""
    resource = resource_of_request()
    name = request.args.get("name") or resource.get("name")
    if not isinstance(name, str) or not name:
        return error_for(request.path, 400, "Required parameter: name")
    kind = request.headers.get("X-Upload-Content-Type")
    target = _target(bucket, name, resource, kind)
    length = request.headers.get("X-Upload-Content-Length", "0")
    if whole_number(length) is None:
        return error_for(request.path, 400, f"Invalid X-Upload-Content-Length: {length[:20]!r}")
    return begin(target, SessionKind.JSON, whole_number(request.headers.get("X-Upload-Content-Length", "")))


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
    resource = read_resource(_small(next(parts).content))
    name = request.args.get("name") or resource.get("name")
    if not isinstance(name, str) or not name:
        current().body.drain()
        return error_for(request.path, 400, "Required parameter: name")
    media = next(parts)
    target = _target(bucket, name, resource, media.content_type)
    return _insert(target, _last(media.content, parts))


def _small(blocks: Iterable[bytes]) -> bytes | None:
    """The metadata, None when they are too long to be any."""
    found = b""
    for block in blocks:
        found += block[: MAX_RESOURCE_BYTES + 1 - len(found)]
    return found if len(found) <= MAX_RESOURCE_BYTES else None


def _last(content: Iterable[bytes], parts: Iterator[Part]) -> Iterator[bytes]:
    """The content, if no other part comes after it."""
    yield from content
    if next(parts, None) is not None:
        raise MalformedMultipart("there are more parts than metadata and content")


def _target(bucket: str, name: str, resource: Mapping[str, Any], kind: str | None) -> Target:
    writing(bucket, name)
    description = Description.of(resource, kind)
    encoding = request.args.get("contentEncoding")
    if encoding:
        description = description.changed({"contentEncoding": encoding})
    return Target(bucket, name, description, resource.get("md5Hash"), resource.get("crc32c"), conditions())


def _insert(target: Target, content: Iterable[bytes]) -> Response:
    watcher = ObjectWatcher(current().tenant.ledger, target.bucket, target.name)
    try:
        stored = keep_whole(target, content, watcher, promise_of_request())
    except (BrokenBody, ChecksumMismatch) as cause:
        return error_for(request.path, 400, str(cause))
    except PreconditionFailed as cause:
        return error_for(request.path, 412, str(cause))
    return json_answer(stored.resource(request.host_url.rstrip("/")))
