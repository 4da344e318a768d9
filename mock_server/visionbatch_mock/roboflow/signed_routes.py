"""Signed URLs, in the manner of an object store: no key, errors in XML, and a life on the tenant's clock."""

import hmac

from flask import Blueprint, Response, request

from visionbatch_mock.answers import empty_answer, xml_error
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.faults import Fault, Outlook
from visionbatch_mock.hangup import reset_connection
from visionbatch_mock.operations import Operation
from visionbatch_mock.roboflow.grants import SIGNATURE, Grant
from visionbatch_mock.storage.disturbing import disturb
from visionbatch_mock.storage.downloads import content, outlook_of
from visionbatch_mock.storage.objects import StoredObject

bp = Blueprint("roboflow_signed", __name__)

VENDOR_HEADERS = ("x-goog-", "x-amz-", "x-ms-")
"""Headers of these families change what a signature covers."""


def _outlook(link: str) -> Outlook:
    return outlook_of(_stored(_alive(link)))


@bp.get("/staged/<link>")
@operation(Operation.ROBOFLOW_FILES_GET, _outlook)
def download(link: str) -> Response:
    """A file of a batch, or a range of it."""
    grant = _grant(link)
    if isinstance(grant, Response):
        return grant
    if grant.file is None:
        return xml_error("AccessDenied", "The URL was signed for another method.", 403)
    stored = _stored(grant)
    if stored is not None:
        disturb(stored.bucket, stored.name)
        stored = _stored(grant)
    return xml_error("NoSuchKey", "The file is gone.", 404) if stored is None else content(stored)


@bp.put("/staged/<link>")
@operation(Operation.ROBOFLOW_FILES_PUT)
def upload(link: str) -> Response:
    """The body of a shard or of a video, whole and in one request."""
    grant = _grant(link)
    refusal = grant if isinstance(grant, Response) else _refusal(grant)
    if refusal is not None or isinstance(grant, Response) or grant.receive is None:
        current().body.drain()
        return refusal or xml_error("AccessDenied", "The URL was signed for another method.", 403)
    exchange, room = current(), current().tenant.roboflow
    stored = room.staging.warehouse.keep(exchange.body.blocks())
    if exchange.body.broken:
        return reset_connection()
    with room.lock:
        room.settle()
        grant.receive(stored)
    # The archive may name a subscriber, which is known only when it is opened.
    room.expect_events()
    answer = empty_answer(200)
    answer.headers["ETag"] = f'"{stored.digests.md5}"'
    return answer


def _alive(link: str) -> Grant | None:
    grant = current().tenant.roboflow.staging.grants.get(link)
    return grant if grant is not None and current().tenant.clock.now() < grant.expires else None


def _stored(grant: Grant | None) -> StoredObject | None:
    if grant is None or grant.file is None:
        return None
    room = current().tenant.roboflow
    with room.lock:
        made = room.staging.warehouse.object_of(grant.file)
    # A fault plan may have put another generation in its place, or none.
    return current().tenant.objects.get(made.bucket, made.name)


def _grant(link: str) -> Grant | Response:
    """The grant of the URL, or the refusal of one that is damaged or too old."""
    exchange = current()
    grant = exchange.tenant.roboflow.staging.grants.get(link)
    signature = request.args.get(SIGNATURE, "")
    if grant is None or not hmac.compare_digest(grant.signature.encode(), signature.encode()):
        return xml_error("SignatureDoesNotMatch", "The signature does not match the request.", 403)
    if exchange.met is not None and exchange.met.fault is Fault.EXPIRE_LINK:
        grant.expires = min(grant.expires, exchange.tenant.clock.now())
    if exchange.tenant.clock.now() >= grant.expires:
        return xml_error("ExpiredToken", "The URL has expired.", 403)
    return grant


def _refusal(grant: Grant) -> Response | None:
    """What is wrong with a write before its body is looked at."""
    announced, most = current().body.announced, current().tenant.behaviour.roboflow_max_file_bytes
    for name, value in grant.headers.items():
        if request.headers.get(name) != value:
            return xml_error("SignatureDoesNotMatch", f"The signed header {name} is missing or differs.", 403)
    signed = {name.lower() for name in grant.headers}
    for name in request.headers.keys():  # noqa: SIM118 - headers give pairs when they are gone through
        if name.lower().startswith(VENDOR_HEADERS) and name.lower() not in signed:
            return xml_error("SignatureDoesNotMatch", f"The header {name} is not part of the signature.", 403)
    if announced is None:
        return xml_error("MissingContentLength", "The length of the body has to be announced.", 411)
    if announced > most:
        return xml_error("EntityTooLarge", f"The body has {announced} bytes; the limit is {most}.", 400)
    return None
