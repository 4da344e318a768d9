"""The resumable-upload protocol of Google Cloud Storage, client side, as a table of states.

Nothing here opens a socket or a file, or knows the time. `ResumableUpload` says what to send next; whoever sends it
tells what came back; and so on until it is done or raises. Three rules carry the whole module:

* The server's count of persisted bytes is the only truth. It only grows, and what it covers cannot be changed.
* After any doubtful answer the upload is *unsure*, and the only way on is to ask the server where it stands.
* Once the last byte has been sent, a lost session may be a finished one: that is for the control plane to say.

=========  ===============  ======================================  =============================
standing   answer           next standing                           why
=========  ===============  ======================================  =============================
any        complete         done, if the size is right              sizes are compared, never assumed
any        persisted        ready, at the count the server gives    it may be less than was sent
ready      fewer than       unsure                                  a stale answer; ask
           ever before
unsure     fewer than       raise `SessionLost`                     the server lost bytes it had acknowledged
           ever before
any        more than sent   raise `Corrupted`                       going on would skip bytes; on a resumed session
                                                                    an earlier process may have sent them
any        doubtful         unsure                                  5xx, 408, 429, gap, garbled end, no answer
any        lost             raise `SessionLost`                     404, 410
any        cancelled        raise `UploadCancelled`                 499
any        rejected         raise `SessionRejected`                 401, 403: never with a key
any        elsewhere        raise `Redirected`                      the URL is pinned
any        too long         unsure, with shorter requests           413; `UploadRefused` when they are the shortest
any        refused          raise `UploadRefused`                   other 4xx
=========  ===============  ======================================  =============================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from visionbatch.errors import (
    Corrupted,
    Redirected,
    SessionLost,
    SessionRejected,
    UploadCancelled,
    UploadError,
    UploadRefused,
    UploadStalled,
)
from visionbatch.model.text import excerpt
from visionbatch.transfer.request_size import RequestSize
from visionbatch.transfer.session_reply import Meaning, Reply, Stored


class Standing(StrEnum):
    """What the client knows of the server's count."""

    READY = "ready"
    UNSURE = "unsure"
    DONE = "done"


@dataclass(frozen=True)
class Probe:
    """Ask where the server stands: an empty PUT."""

    total: int

    @property
    def content_range(self) -> str:
        """Value of the ``Content-Range`` header."""
        return f"bytes */{self.total}"


@dataclass(frozen=True)
class Put:
    """Send bytes ``start`` up to but not including ``stop``."""

    start: int
    stop: int
    total: int

    @property
    def content_range(self) -> str:
        """Value of the ``Content-Range`` header."""
        return f"bytes {self.start}-{self.stop - 1}/{self.total}"


class ResumableUpload:
    """Where one upload stands, and what to send next.

    :param total: bytes of the whole archive, at least 1.
    :param sizes: how much a PUT carries.
    :param attempts: failures in a row, without one more byte acknowledged, before `UploadStalled`.
    :param resumed: the session was used before, perhaps by another process, so the first step asks.
    """

    def __init__(self, total: int, *, sizes: RequestSize, attempts: int, resumed: bool = False) -> None:
        self.total = total
        self.standing = Standing.UNSURE if resumed else Standing.READY
        self.offset = 0
        self.best = 0
        self.failures = 0
        self.gaps = 0
        self.stored = Stored()
        self._sizes = sizes
        self._attempts = attempts
        # A session used before may hold anything: nobody here knows what was sent to it.
        self._sent_to = total if resumed else 0
        self._first_look = resumed
        # The process that used it before may not know yet that it has been replaced, and send a little more. Its bytes
        # are the same bytes; the checksum of the whole has the last word.
        self._shared = resumed

    @property
    def done(self) -> bool:
        """Whether the server has the whole archive."""
        return self.standing is Standing.DONE

    @property
    def all_sent(self) -> bool:
        """Whether the last byte may have reached the server."""
        return self._sent_to >= self.total

    def next_step(self) -> Probe | Put:
        """What to send now."""
        if self.standing is Standing.UNSURE or self.offset >= self.total:
            return Probe(self.total)
        return Put(self.offset, self._sizes.stop(self.offset, self.total), self.total)

    def sending(self, position: int) -> None:
        """Note that bytes up to this position have left, answered or not."""
        self._sent_to = max(self._sent_to, position)

    def broke(self, step: Probe | Put, reason: str) -> None:
        """Take in that there was no answer.

        :raises UploadStalled: when that happened too often.
        """
        self._doubt(step, reason)

    def answered(self, step: Probe | Put, reply: Reply) -> None:
        """Take an answer in.

        :raises UploadError: as the table at the top of this module says.
        :raises Redirected: for an answer that leads elsewhere.
        """
        match reply.meaning:
            case Meaning.COMPLETE:
                self._completed(step, reply)
            case Meaning.PERSISTED:
                self._persisted(step, reply)
            case Meaning.DOUBTFUL:
                self.gaps += reply.is_gap
                self._doubt(step, f"the session answered {reply.status}: {excerpt(reply.body)}")
            case Meaning.TOO_LONG if isinstance(step, Put) and not self._sizes.shortest:
                self._doubt(step, f"the session answered {reply.status} to {step.stop - step.start} bytes")
            case Meaning.ELSEWHERE:
                target = urlsplit(reply.headers.get("location", "")).hostname or "nowhere"
                raise Redirected(f"the session answered {reply.status} and points to {target}")
            case meaning:
                raise self._ending(meaning, reply)

    def _ending(self, meaning: Meaning, reply: Reply) -> UploadError:
        what = f"the session answered {reply.status}: {excerpt(reply.body)}"
        if meaning is Meaning.LOST:
            return self._lost(what)
        kinds: dict[Meaning, type[UploadError]] = {
            Meaning.CANCELLED: UploadCancelled,
            Meaning.REJECTED: SessionRejected,
        }
        return kinds.get(meaning, UploadRefused)(what, persisted=self.best, total=self.total)

    def _lost(self, what: str) -> SessionLost:
        return SessionLost(what, persisted=self.best, total=self.total, all_sent=self.all_sent)

    def _completed(self, step: Probe | Put, reply: Reply) -> None:
        stored = Stored.read(reply)
        if stored is None:
            self._doubt(step, "the session's last answer was cut")
            return
        if stored.size is not None and stored.size != self.total:
            raise Corrupted(
                f"the server has {stored.size} bytes where the archive has {self.total}",
                persisted=stored.size,
                total=self.total,
            )
        if stored.size is None and not self.all_sent:
            raise Corrupted(
                f"the server calls the upload complete after {self._sent_to} of {self.total} bytes",
                persisted=self.best,
                total=self.total,
            )
        self.stored = stored
        self.best = self.offset = self.total
        self.failures = 0
        self.standing = Standing.DONE

    def _persisted(self, step: Probe | Put, reply: Reply) -> None:
        count = reply.persisted
        if count is None:
            self._doubt(step, f"the session answered with the range {excerpt(reply.headers['range'].encode())}")
        elif count > (self.total if self._shared else self._sent_to):
            raise Corrupted(
                f"the server acknowledges {count} bytes where {self._sent_to} of {self.total} were sent",
                persisted=self.best,
                total=self.total,
            )
        elif count < self.best:
            what = f"the server acknowledges {count} bytes after it had acknowledged {self.best}"
            if isinstance(step, Probe):
                raise self._lost(what)
            self._doubt(step, what)
        else:
            self._stands_at(step, count)

    def _stands_at(self, step: Probe | Put, count: int) -> None:
        advanced = count > self.best
        if advanced and isinstance(step, Put):
            self._sizes.worked()
        if self._first_look and count:
            # Now it is known what an earlier process had achieved, and that it had not finished. An answer without
            # a range would not show that: it may have been left out.
            self._sent_to, self._first_look = max(count, step.stop if isinstance(step, Put) else 0), False
        self._sent_to = max(self._sent_to, count)
        self.standing = Standing.READY
        self.offset = self.best = count
        if advanced:
            self.failures = 0
        elif isinstance(step, Put) or count == self.total:
            # Bytes that never count, or a whole archive that never completes, would go on for ever.
            self._fail(f"the server stays at {count} of {self.total} bytes")

    def _doubt(self, step: Probe | Put, reason: str) -> None:
        self.standing = Standing.UNSURE
        if isinstance(step, Put):
            self._sizes.failed()
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        self.failures += 1
        if self.failures >= self._attempts:
            raise UploadStalled(
                f"no progress in {self.failures} tries at {self.best} of {self.total} bytes; last: {reason}",
                persisted=self.best,
                total=self.total,
            )
