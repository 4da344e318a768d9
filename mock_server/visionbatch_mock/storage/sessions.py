"""Upload sessions: the only truth about how many bytes of an upload are persisted.

```
open ──▶ complete        every byte is there and the checksums agree
  ├────▶ cancelled       DELETE on the session URL; 499 from then on
  ├────▶ terminated      bad checksum or a service error; 410 from then on
  └────▶ expired         older than its life; 404 from then on
```

Requests are served in parallel: a body is received without holding the lock and handed over block
by block. A block knows its offset, so two clients that send the same chunk at once still leave one
copy, and a request that stalls does not keep a probe waiting.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from visionbatch_mock.config import SessionKind
from visionbatch_mock.snapshots import copied
from visionbatch_mock.storage.chunks import QUANTUM, Standing
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.spool import Spool


class SessionState(StrEnum):
    """Where a session stands."""

    OPEN = "open"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    EXPIRED = "expired"


DEAD: Mapping[SessionState, int] = MappingProxyType(
    {SessionState.CANCELLED: 499, SessionState.TERMINATED: 410, SessionState.EXPIRED: 404}
)
"""The answer to every request on a session that is over without an object."""


class ChecksumMismatch(RuntimeError):
    """The content is not what a checksum of the client promised."""


class SessionWatcher(Protocol):
    """Whoever opened a session learns here what is committed on it, while it happens."""

    def persisted(self, start: int, stop: int) -> None:
        """Bytes `start` to `stop` (exclusive) are on disk."""

    def completed(self, stored: StoredObject) -> None:
        """The object exists."""

    def cancelled(self) -> None:
        """The session was cancelled on its URL."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Checksums that came with a request, base64."""

    crc32c: str | None = None
    md5: str | None = None


class UploadSession:
    """One session. Methods take its lock; `status` and `persisted` can be read at any time."""

    def __init__(
        self,
        session_id: str,
        kind: SessionKind,
        target: Target,
        spool: Spool,
        watcher: SessionWatcher,
        *,
        now: Callable[[], float],
        life_s: float,
        total: int | None = None,
    ) -> None:
        self.id = session_id
        self.kind = kind
        self.target = target
        self.lock = threading.RLock()
        self.total = total
        self.stored: StoredObject | None = None
        self.origin: str | None = None
        """Of the page that began it, if one did."""
        self.requests: list[int] = []
        """Numbers in the tenant's journal of all that was asked of it."""
        self._spool = spool
        self._watcher = watcher
        self._now = now
        self._expires = now() + life_s
        self._state = SessionState.OPEN

    @property
    def status(self) -> SessionState:
        """The state, with the clock taken into account."""
        if self._state in {SessionState.OPEN, SessionState.COMPLETE} and self._now() > self._expires:
            return SessionState.EXPIRED
        return self._state

    @property
    def persisted(self) -> int:
        """Bytes on disk. It only grows."""
        return self._spool.size

    def inner_view(self) -> dict[str, str | int | None]:
        """What a test wants to know of it."""
        state = self.status.value
        return {"id": self.id, "state": state, "persisted": self.persisted, "total": self.total}

    @property
    def unfinished(self) -> bool:
        """Whether its file may still grow."""
        return self._state is SessionState.OPEN

    def copy_file(self, target: Path) -> Path:
        """Copy what has arrived."""
        return copied(self._spool.path, target)

    def take_file(self, source: Path, path: Path) -> None:
        """Go on in a new file at `path` with what has arrived in `source`."""
        self._spool.path = copied(source, path)

    def recover(self) -> None:
        """After a restart, count the bytes that were on disk before anybody could write that down."""
        if self._state is SessionState.OPEN:
            before = self.persisted
            self._spool.recover(QUANTUM)
            self.note_persisted(before, self.persisted)

    def standing(self, *, strict: bool) -> Standing:
        """What the rules need to know."""
        return Standing(self.persisted, self.total, strict)

    def append(self, offset: int, block: memoryview) -> range:
        """Persist the part of a block that is new; returns the offsets that this added."""
        with self.lock:
            before = self.persisted
            skip = before - offset
            if self.status is not SessionState.OPEN or not 0 <= skip < len(block):
                return range(before, before)
            self._spool.append(block[skip:])
            return range(before, self.persisted)

    def note_persisted(self, start: int, stop: int) -> None:
        """Report a run of new bytes to the watcher."""
        if stop > start:
            self._watcher.persisted(start, stop)

    def complete(self, put: Callable[[Target, Spool], StoredObject], promise: Promise) -> None:
        """Turn the persisted bytes into an object.

        Raises `ChecksumMismatch`, which terminates the session, or what `put` raises.
        """
        with self.lock:
            if self._state is not SessionState.OPEN:
                return
            self._check(promise)
            self.stored = put(self.target, self._spool)
            self.total = self.stored.size
            self._state = SessionState.COMPLETE
            self._watcher.completed(self.stored)

    def cancel(self) -> bool:
        """End an open session at its owner's wish; False when it was over already."""
        ended = self.end(SessionState.CANCELLED)
        if ended:
            self._watcher.cancelled()
        return ended

    def end(self, state: SessionState, *, even_complete: bool = False) -> bool:
        """End the session without an object, or, if asked, forget a complete one's answer."""
        with self.lock:
            mortal = {SessionState.OPEN} | ({SessionState.COMPLETE} if even_complete else set())
            if self._state not in mortal:
                return False
            if self._state is SessionState.OPEN:
                self._spool.discard()
            self._state = state
            return True

    def _check(self, promise: Promise) -> None:
        actual = self._spool.digests()
        promised = [
            (promise.crc32c, actual.crc32c),
            (promise.md5, actual.md5),
            (self.target.crc32c, actual.crc32c),
            (self.target.md5, actual.md5),
        ]
        for told, found in promised:
            if told is not None and told != found:
                self.end(SessionState.TERMINATED)
                raise ChecksumMismatch(f"The checksum {told} does not match the content's {found}.")
