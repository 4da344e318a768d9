"""The answer that begins an upload session, of either API."""

from urllib.parse import quote

from flask import Response, request

from visionbatch_mock.answers import empty_answer
from visionbatch_mock.config import SessionKind
from visionbatch_mock.exchange import current
from visionbatch_mock.storage.objects import Target
from visionbatch_mock.storage.session_answers import allow_origin
from visionbatch_mock.storage.sessions import UploadSession
from visionbatch_mock.storage.watching import ObjectWatcher

_STATUS = {SessionKind.JSON: 200, SessionKind.XML: 201}


def begin(target: Target, kind: SessionKind, total: int | None = None) -> Response:
    """A new session and its URL in `Location`: 200 for the JSON API, 201 for the XML API."""
    tenant = current().tenant
    watcher = ObjectWatcher(tenant.ledger, target.bucket, target.name)
    session = tenant.open_session(target, watcher, kind, total=total)
    session.origin = request.headers.get("Origin")
    response = empty_answer(_STATUS[kind])
    response.headers["Location"] = session_url(session)
    response.headers["X-GUploader-UploadID"] = session.id
    return allow_origin(session, response)


def session_url(session: UploadSession) -> str:
    """The absolute URL of a session, on the scheme, host and port that the client used."""
    base, target = request.host_url.rstrip("/"), session.target
    bucket = quote(target.bucket, safe="")
    if session.kind is SessionKind.XML:
        return f"{base}/{bucket}/{quote(target.name)}?upload_id={session.id}"
    return f"{base}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={session.id}"
