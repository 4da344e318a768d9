"""Google's XML API on the same store: which call a request is, and errors as documents.

obstore speaks it, and so do public and signed URLs. Arguments that name a sub-resource which is not there
are refused: a listing or an object in its place would be a wrong answer.
"""

from collections.abc import Callable

from flask import Blueprint, Response, request

from visionbatch_mock.answers import error_for, xml_error
from visionbatch_mock.exchange import Unacceptable, current
from visionbatch_mock.storage import part_calls, xml_calls
from visionbatch_mock.storage.objects import NoSuchBucket
from visionbatch_mock.storage.parts import XmlRefusal
from visionbatch_mock.storage.session_routes import is_session_request, serve_session
from visionbatch_mock.storage.sessions import ChecksumMismatch
from visionbatch_mock.storage.whole import BrokenBody
from visionbatch_mock.storage.xml_documents import MalformedDocument
from visionbatch_mock.storage.xml_listing import list_objects

bp = Blueprint("xml_api", __name__)

_ABSENT = frozenset(
    {
        "acl", "billing", "compose", "cors", "encryption", "generation-marker", "lifecycle", "location", "logging",
        "policy", "retention", "storageClass", "tagging", "uploads", "versioning", "versions", "website",
    }
)  # fmt: skip
"""Sub-resources, and arguments that change what is listed, by Google's reference of the XML API."""

OBJECT = "/<bucket:bucket>/<object:name>"


@bp.get("/<bucket:bucket>")
def get_bucket(bucket: str) -> Response:
    """A bucket's objects, a page of them."""
    _refuse_absent()
    return list_objects(bucket)


@bp.get(OBJECT)
def get_object(bucket: str, name: str) -> Response:
    """An object's content; for HEAD what is said of it in headers."""
    _refuse_absent()
    serve = xml_calls.head if request.method == "HEAD" else xml_calls.download
    return serve(bucket, name)


@bp.put(OBJECT)
def put_object(bucket: str, name: str) -> Response:
    """A whole object, a part of one, a copy of another, or a chunk of a session."""
    if is_session_request():
        return serve_session()
    _refuse_absent()
    if "uploadId" in request.args:
        return part_calls.put(bucket, name)
    serve = xml_calls.copy if xml_calls.COPY_SOURCE in request.headers else xml_calls.insert
    return serve(bucket, name)


@bp.post(OBJECT)
def post_object(bucket: str, name: str) -> Response:
    """What begins a session or an upload in parts, and what ends the latter."""
    if is_session_request():
        return serve_session()
    calls: dict[str, Callable[[str, str], Response]] = {"uploads": part_calls.begin, "uploadId": part_calls.complete}
    serve = next((call for argument, call in calls.items() if argument in request.args), None)
    if serve is None and request.headers.get("x-goog-resumable") == "start":
        serve = xml_calls.begin_session
    if serve is None:
        current().matched = False
        current().body.drain()
        return error_for(request.path, 405, "A POST begins or completes an upload; whole objects are PUT.")
    return serve(bucket, name)


@bp.delete(OBJECT)
def delete_object(bucket: str, name: str) -> Response:
    """Remove an object, cancel a session, or abort an upload in parts."""
    if is_session_request():
        return serve_session()
    _refuse_absent()
    serve = part_calls.abort if "uploadId" in request.args else xml_calls.delete
    return serve(bucket, name)


def _refuse_absent() -> None:
    if absent := sorted(_ABSENT & set(request.args)):
        raise XmlRefusal("NotImplemented", f"The mock's XML API does not have {absent}.", 501)


@bp.app_errorhandler(XmlRefusal)
def _refused(error: XmlRefusal) -> Response:
    return xml_error(error.code, str(error), error.status)


@bp.errorhandler(NoSuchBucket)
def _no_bucket(_: NoSuchBucket) -> Response:
    # These routes take whatever no other route wants; nobody can have meant a bucket that is not there.
    current().matched = False
    return xml_error("NoSuchBucket", "The specified bucket does not exist.", 404)


@bp.errorhandler(Unacceptable)
def _unacceptable(error: Unacceptable) -> Response:
    message = error.body.get("error", {}).get("message", str(error))
    return error_for(request.path, error.status, message)


@bp.errorhandler(MalformedDocument)
def _malformed(error: MalformedDocument) -> Response:
    return xml_error("MalformedXML", str(error), 400)


@bp.errorhandler(BrokenBody)
def _broken(error: BrokenBody) -> Response:
    return xml_error("IncompleteBody", str(error), 400)


@bp.errorhandler(ChecksumMismatch)
def _mismatch(error: ChecksumMismatch) -> Response:
    return xml_error("BadDigest", str(error), 400)
