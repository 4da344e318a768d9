"""Bytes did not arrive: those of an archive at the service, or those of a file here."""

from __future__ import annotations

from typing import Any

from visionbatch.errors.base import ExitCode, VisionBatchError


class UploadError(VisionBatchError):
    """The archive did not arrive.

    :param persisted: bytes that the server had acknowledged.
    :param total: bytes of the whole archive.
    """

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True

    def __init__(self, what: str, *, persisted: int = 0, total: int = 0, **about: Any) -> None:
        super().__init__(what, **about)
        self.persisted = persisted
        self.total = total


class SessionLost(UploadError):
    """404 or 410: the upload session is gone.

    :param all_sent: the last byte had been sent before, so that the server may have finished: only
        the control plane can say whether the archive arrived.
    """

    default_next_step = "Run again: the batch is asked for a new session."

    def __init__(self, what: str, *, all_sent: bool = False, **about: Any) -> None:
        super().__init__(what, **about)
        self.all_sent = all_sent


class SessionRejected(UploadError):
    """401 or 403 on the session URL; never tried again with a key, which it must not see."""

    exit_code = ExitCode.NOT_AUTHORIZED
    default_retry_safe = False
    default_next_step = "The session URL was altered or its bucket closed: ask for a new batch."


class UploadCancelled(UploadError):
    """499: somebody cancelled the session."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "If that was not meant, start a new run: it makes a new batch."


class UploadRefused(UploadError):
    """The server says that the request is wrong (400, 412, 413 and the like)."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False


class UploadStalled(UploadError):
    """The budget of retries or the deadline is spent; what has arrived stays there.

    :param retry_after_s: seconds the server asked to be left alone; ``None`` when it did not say.
    """

    def __init__(self, what: str, *, retry_after_s: float | None = None, **about: Any) -> None:
        super().__init__(what, **about)
        self.retry_after_s = retry_after_s

    default_next_step = "Run again: the upload goes on where it stopped."


class Corrupted(UploadError):
    """What arrived is not what was sent, or the server acknowledged what was never sent."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "Do not use the results of this batch; delete it and start a new run."


class DownloadError(VisionBatchError):
    """A file was not fetched.

    :param persisted: bytes that are on the disk and will not be asked for again.
    :param total: bytes of the whole file; 0 when not known.
    """

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = "Run again: what has arrived is kept, and only the rest is asked for."

    def __init__(self, what: str, *, persisted: int = 0, total: int = 0, **about: Any) -> None:
        super().__init__(what, **about)
        self.persisted = persisted
        self.total = total


class LinkExpired(DownloadError):
    """403, 404 or 410 on a link that carries its own authority: it is not valid any more."""

    exit_code = ExitCode.NOT_AUTHORIZED
    default_retry_safe = False
    default_next_step = "Have the link sent again, and run with the new one: what has arrived is kept."


class ObjectChanged(DownloadError):
    """The object was replaced or deleted while it was read, so that parts of two could have been mixed."""

    default_next_step = "Run again: the object is fetched anew as it is now."


class Damaged(DownloadError):
    """What arrived is not what is stored: another size or checksum, twice."""

    default_next_step = "Run again; if it stays, look for a proxy that changes content on the way."


class NoRoom(DownloadError):
    """The disk is full; what has arrived is kept beside the target."""

    default_next_step = "Make room, then run again: only the rest is asked for."


class UnsafeName(DownloadError):
    """A name from outside that leads out of the target folder, or that no disk takes; nothing was written."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "Ask who writes these files; the others can be fetched by a narrower pattern."


class UnsafeArchive(DownloadError):
    """An archive with a member that may not be unpacked, or that is over the budget; nothing of it was kept."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "Ask who made the archive; if it can be trusted, raise the budget or skip bad members."
