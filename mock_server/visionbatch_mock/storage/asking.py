"""What a request to the object store asks for, and whether it may: conditions, permissions, names."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request
from werkzeug.datastructures import Headers

from visionbatch_mock.answers import empty_answer, error_for, google_error
from visionbatch_mock.exchange import Unacceptable, current, token_of_request
from visionbatch_mock.storage.description import WIRE, BadDescription, to_header
from visionbatch_mock.storage.objects import Bucket, NoSuchBucket, StoredObject
from visionbatch_mock.storage.permissions import Denied, Permission
from visionbatch_mock.storage.preconditions import NotChanged, PreconditionFailed, Preconditions
from visionbatch_mock.text import is_text, whole_number

NAME_BYTES = 1024
"""Greatest length of an object's name in UTF-8, by Google's page on object names."""
NO_NAME = ".well-known/acme-challenge/"
"""How no name may begin, by the same page."""

FIELDS = frozenset(WIRE.values())
TEXTS = (*WIRE.values(), "name", "md5Hash", "crc32c")
"""The fields of an object's resource that hold texts; those of its description stand in headers, too."""
MAX_RESOURCE_BYTES = 1024 * 1024
"""Ours: a description is a few lines."""

_CONDITIONS = {
    "generation": "GenerationMatch",
    "not_generation": "GenerationNotMatch",
    "metageneration": "MetagenerationMatch",
    "not_metageneration": "MetagenerationNotMatch",
}

_IN_HEADERS = {"generation": "generation-match", "metageneration": "metageneration-match"}
"""The two that the XML API has."""


def conditions(prefix: str = "if") -> Preconditions:
    """The conditions in the query; raises `Unacceptable` for one that is no number."""
    arguments = request.args
    return Preconditions(**{name: _number(arguments, prefix + key) for name, key in _CONDITIONS.items()})


def header_conditions(prefix: str = "x-goog-if-") -> Preconditions:
    """The same of the XML API, in headers."""
    headers = request.headers
    return Preconditions(**{name: _number(headers, prefix + key) for name, key in _IN_HEADERS.items()})


def resource_of_request() -> dict[str, Any]:
    """The resource in the body, empty without one or for `null`; raises `Unacceptable` for what is none."""
    raw = current().body.read_all(MAX_RESOURCE_BYTES)
    if raw and request.mimetype not in {"", "application/json"}:
        raise Unacceptable(400, google_error(400, f"Unsupported content with type: {request.mimetype[:80]}"))
    return read_resource(raw)


def read_resource(raw: bytes | None) -> dict[str, Any]:
    """The resource that a text says, None for one that is too long; raises `Unacceptable`."""
    try:
        value = json.loads(raw or b"null")
    except ValueError:
        value = False
    if raw is None or not (value is None or isinstance(value, dict)):
        raise Unacceptable(400, google_error(400, "Parse Error"))
    return _checked(value or {})


def _checked(resource: dict[str, Any]) -> dict[str, Any]:
    """The same, when its texts are texts and its metadata are pairs."""
    metadata = resource.get("metadata") or {}
    wrong = [key for key in TEXTS if not _is_text(key, resource.get(key))]
    if not isinstance(metadata, dict) or any(isinstance(value, dict | list) for value in metadata.values()):
        wrong.append("metadata")
    if wrong:
        raise Unacceptable(400, google_error(400, f"Invalid value for: {wrong[0]}"))
    return resource


def held() -> tuple[str, tuple[Permission, ...]]:
    """Who asks, and what it may do: the vendor's service account, or anybody else."""
    behaviour = current().tenant.behaviour
    if token_of_request() == behaviour.export_account:
        return behaviour.export_account, behaviour.writer_permissions
    return "The caller", behaviour.reader_permissions


def require(permission: Permission, bucket: str, name: str | None = None) -> None:
    """Raise `Denied` unless the caller holds the permission."""
    who, permissions = held()
    if permission not in permissions:
        where = f"bucket {bucket}" if name is None else f"object {bucket}/{name}"
        raise Denied(who, permission, f"the Google Cloud Storage {where}")


def reading(bucket: str, permission: Permission) -> Bucket:
    """A bucket that the caller may read, with all that the clock has made due in it."""
    require(permission, bucket)
    return _settled(bucket)


def _settled(bucket: str) -> Bucket:
    tenant = current().tenant
    tenant.settle_exports()
    return tenant.objects.bucket(bucket)


def writing(bucket: str, name: str, *, make: bool = True) -> None:
    """Check that the caller may write an object; raises `Denied`, `NoSuchBucket` or `Unacceptable`.

    A bucket that is not there is made where the settings say so, unless `make` is false.
    """
    named = is_text(name) and 0 < len(name.encode()) <= NAME_BYTES and not {"\r", "\n"} & set(name)
    if not named or name in {".", ".."} or name.startswith(NO_NAME):
        raise Unacceptable(400, google_error(400, f"Invalid object name: {name[:80]!r}"))
    require(Permission.OBJECTS_CREATE, bucket, name)
    tenant = current().tenant
    if name in tenant.objects.bucket(bucket, make=make and tenant.behaviour.implicit_buckets).objects:
        require(Permission.OBJECTS_DELETE, bucket, name)


def live_object(bucket: str, name: str, generation: str | None) -> StoredObject:
    """The live generation, if it is the one that a read asks for; 404 when it is another."""
    require(Permission.OBJECTS_GET, bucket, name)
    stored = _settled(bucket).objects.get(name)
    if stored is None or generation not in {None, str(stored.generation)}:
        raise no_such_object(bucket, name)
    return stored


def remove(bucket: str, name: str, wanted: Preconditions) -> None:
    """Delete the live generation, the one in the query if it names any; 404 where there is none."""
    require(Permission.OBJECTS_DELETE, bucket, name)
    tenant, generation = current().tenant, request.args.get("generation")
    live = tenant.objects.get(bucket, name)
    if live is None or generation not in {None, str(live.generation)} or not tenant.delete(bucket, name, wanted):
        raise no_such_object(bucket, name)


def no_such_object(bucket: str, name: str) -> Unacceptable:
    """The refusal for an object, or a generation of it, that is not there."""
    return Unacceptable(404, google_error(404, f"No such object: {bucket}/{name}"))


def refusal(error: Exception) -> Response:
    """The answer to what the store refuses."""
    match error:
        case NotChanged() if request.method in {"GET", "HEAD"}:
            return empty_answer(304)
        case PreconditionFailed():
            return error_for(request.path, 412, str(error))
        case NoSuchBucket():
            return error_for(request.path, 404, "The specified bucket does not exist.")
        case Denied():
            return error_for(request.path, 403, str(error))
        case BadDescription():
            return error_for(request.path, 400, str(error))
    return error_for(request.path, 409, str(error))


def _is_text(key: str, value: object) -> bool:
    return value is None or (isinstance(value, str) and (key not in FIELDS or to_header(value) is not None))


def _number(told: Mapping[str, str] | Headers, key: str) -> int | None:
    text = told.get(key)
    if text is None:
        return None
    number = whole_number(text)
    if number is None:
        raise Unacceptable(400, google_error(400, f"Invalid value for {key}: {text!r}"))
    return number
