"""The calls of the XML API on one object."""

from urllib.parse import unquote

from flask import Response, request

from visionbatch_mock.answers import empty_answer
from visionbatch_mock.clock import iso
from visionbatch_mock.config import SessionKind
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.faults import Outlook
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.asking import header_conditions, live_object, remove
from visionbatch_mock.storage.beginning import begin
from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.disturbing import disturb
from visionbatch_mock.storage.downloads import content, outlook
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.parts import XmlRefusal
from visionbatch_mock.storage.watching import ObjectWatcher
from visionbatch_mock.storage.whole import keep_whole
from visionbatch_mock.storage.xml_documents import document
from visionbatch_mock.storage.xml_headers import check_entity, described, promised, show, show_written, writing_to

COPY_SOURCE = "x-goog-copy-source"
DIRECTIVE = "x-goog-metadata-directive"


@operation(Operation.OBJECTS_INSERT)
def insert(bucket: str, name: str) -> Response:
    """The body as a whole object."""
    writing_to(bucket, name)
    target = Target(bucket, name, described(), conditions=header_conditions())
    watcher = ObjectWatcher(current().tenant.ledger, bucket, name)
    stored = keep_whole(target, current().body.blocks(), watcher, promised())
    return show_written(empty_answer(200), stored)


def _before_bytes(*_: str) -> Outlook:
    return Outlook(body=current().body.announced or 0)


@operation(Operation.OBJECTS_INSERT, _before_bytes)
def begin_session(bucket: str, name: str) -> Response:
    """A resumable session, which ends with the headers that `insert` answers with."""
    current().body.drain()
    writing_to(bucket, name)
    target = Target(bucket, name, described(), conditions=header_conditions())
    return begin(target, SessionKind.XML)


@operation(Operation.OBJECTS_DOWNLOAD, outlook)
def download(bucket: str, name: str) -> Response:
    """The content, or a range of it."""
    disturb(bucket, name)
    return _content(bucket, name)


@operation(Operation.OBJECTS_GET)
def head(bucket: str, name: str) -> Response:
    """The headers of the content; the framework leaves the body out."""
    return _content(bucket, name)


def _content(bucket: str, name: str) -> Response:
    stored = live_object(bucket, name, request.args.get("generation"))
    header_conditions().check(stored)
    check_entity(stored)
    return show(content(stored), stored)


@operation(Operation.OBJECTS_DELETE)
def delete(bucket: str, name: str) -> Response:
    """Remove the object: 204."""
    current().body.drain()
    remove(bucket, name, header_conditions())
    return empty_answer(204)


@operation(Operation.OBJECTS_REWRITE)
def copy(bucket: str, name: str) -> Response:
    """A second object of the bytes of the one in `x-goog-copy-source`."""
    current().body.drain()
    source = _source()
    description = _description(source, bucket, name)
    writing_to(bucket, name)
    target = Target(bucket, name, description, conditions=header_conditions())
    made = current().tenant.copy(source, target)
    fields = [("ETag", made.entity_tag), ("LastModified", iso(made.updated))]
    return show_written(document("CopyObjectResult", fields), made)


def _source() -> StoredObject:
    told = unquote(request.headers[COPY_SOURCE]).removeprefix("/")
    bucket, _, name = told.partition("/")
    source = live_object(bucket, name, request.headers.get(f"{COPY_SOURCE}-generation"))
    header_conditions(f"{COPY_SOURCE}-if-").check(source)
    return source


def _description(source: StoredObject, bucket: str, name: str) -> Description:
    """That of the source, or what the headers say, by the directive."""
    directive = request.headers.get(DIRECTIVE, "COPY").upper()
    if directive not in {"COPY", "REPLACE"}:
        raise XmlRefusal("InvalidArgument", f"{DIRECTIVE} has to be COPY or REPLACE, not {directive[:20]!r}.")
    if directive == "REPLACE":
        return described()
    if (source.bucket, source.name) == (bucket, name):
        raise XmlRefusal("InvalidRequest", f"A copy to itself needs {DIRECTIVE}: REPLACE.")
    return source.description
