"""Whole objects in one request, whichever API they come by."""

from collections.abc import Callable, Iterable

from visionbatch_mock.config import SessionKind
from visionbatch_mock.exchange import current
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.sessions import Promise, SessionState, SessionWatcher, UploadSession
from visionbatch_mock.storage.spool import Spool

Put = Callable[[Target, Spool], StoredObject]


class BrokenBody(RuntimeError):
    """The body ended before its announced length."""


def keep_whole(
    target: Target, content: Iterable[bytes], watcher: SessionWatcher, promise: Promise, put: Put | None = None
) -> StoredObject:
    """Spool the content, in a session that nobody else knows and that ends with the request.

    It becomes what `put` makes of it, an object of the tenant's unless told otherwise. Raises `BrokenBody`,
    `ChecksumMismatch` or `PreconditionFailed`, and then nothing is kept.
    """
    tenant = current().tenant
    session = tenant.new_session(target, watcher, SessionKind.JSON)
    try:
        _receive(session, content)
        session.complete(put or tenant.objects.put, promise)
    except Exception:
        session.end(SessionState.CANCELLED)
        raise
    if session.stored is None:
        raise RuntimeError("a completed session has an object")
    return session.stored


def _receive(session: UploadSession, content: Iterable[bytes]) -> None:
    for block in content:
        session.append(session.persisted, memoryview(block))
    if current().body.broken:
        raise BrokenBody("The body ended before its announced length.")
