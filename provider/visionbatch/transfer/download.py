"""Fetching files: ranged requests, verified on the way, resumed after anything, and never half under the final name."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from functools import partial as partial_call
from pathlib import Path
from typing import BinaryIO

from visionbatch.config import KIB, MIB, DownloadSettings
from visionbatch.errors import (
    Damaged,
    LinkExpired,
    ObjectChanged,
    Unreachable,
    UnreadableAnswer,
    UnsafeArchive,
    VisionBatchError,
)
from visionbatch.flow.retry import RetryPolicy, transient, wait_asked_by
from visionbatch.io.clock import Clock, SystemClock
from visionbatch.io.partial import Partial, Span
from visionbatch.io.ranged import Part
from visionbatch.transfer.archive_stream import gunzipped
from visionbatch.transfer.crc import combined
from visionbatch.transfer.in_threads import in_parallel
from visionbatch.transfer.remote import Downloaded, Progress, RemoteObject

log = logging.getLogger(__name__)

FRESH_STARTS = 3
"""Times that a file is begun anew, or its link renewed, before its trouble is told."""

WRITE_BYTES = 256 * KIB
"""Bytes that are gathered before they are written: TLS gives 16 KiB at a time."""

TRIAL_BYTES = 8 * MIB
"""Bytes that one connection fetches of a large file before it is decided whether others would help."""


class _Unranged(Exception):  # it says what happened
    """The server gives the whole where a part was asked for."""


_TROUBLES = (ObjectChanged, LinkExpired, Damaged, UnreadableAnswer, _Unranged)


class Download:
    """One file on its way.

    :param target: final path; see `visionbatch.io.partial.safe_target` for names from outside.
    """

    def __init__(
        self,
        remote: RemoteObject,
        target: Path,
        *,
        settings: DownloadSettings | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._remote = remote
        self._target = target
        self._settings = settings or DownloadSettings()
        self._clock = clock or SystemClock()
        self._progress = progress
        self._retry = RetryPolicy(attempts=self._settings.attempts)
        self._stop = threading.Event()
        self._counted = threading.Lock()
        self._fetched = 0
        self._ranged = True
        self._damaged = False
        self._crc32c: int | None = None
        self._gzipped = False

    def run(self) -> Downloaded:
        """Fetch what is missing, verify, and give the file its name.

        What has arrived stays for a later try, whatever is raised here.

        :raises DownloadError: `LinkExpired`, `ObjectChanged`, `Damaged`, `NoRoom`, `UnsafeArchive`.
        :raises VisionBatchError: what the server or the network says, after the retries.
        :raises AlreadyRunning: when another process fetches the same file.
        """
        with Partial(self._target, self._remote.version, checkpoint_s=self._settings.checkpoint_s) as partial:
            for fresh_start in range(FRESH_STARTS + 1):
                try:
                    return self._fetched_whole(partial)
                except _TROUBLES as error:
                    if fresh_start < FRESH_STARTS and self._mended(error, partial):
                        continue
                    if isinstance(error, _Unranged):
                        raise Unreachable(f"{error}, and the whole does not come through") from None
                    raise
        raise AssertionError  # the last start either returns or raises

    def _fetched_whole(self, partial: Partial) -> Downloaded:
        kept = partial.kept
        self._crc32c = self._remote.crc32c
        self._fill(partial)
        crc32c = self._verified(partial)
        version = partial.version
        try:
            size = partial.finish(self._expanded if self._gzipped else None)
        except UnsafeArchive as error:
            partial.reset(version)
            error.next_step = "Ask who wrote the file; the store's own tool fetches it as it is stored."
            raise
        return Downloaded(self._target, version, size, crc32c, self._fetched, kept)

    def _expanded(self, stored: BinaryIO) -> Iterator[bytes]:
        return gunzipped(stored, str(self._target))

    def _mended(self, error: Exception, partial: Partial) -> bool:
        """Prepare another start after a trouble, if there is a way.

        :raises DownloadError: when what is behind the file is gone.
        """
        log.warning("%s; %s", error, "beginning anew" if partial.arrived else "trying again")
        if isinstance(error, (ObjectChanged, LinkExpired)):
            self._remote = self._remote.renewed(error)
            if isinstance(error, ObjectChanged) or self._remote.version not in ("", partial.version):
                partial.reset(self._remote.version)
            return True
        if isinstance(error, Damaged):
            # Once more may help, for ever does not; a store that knows no conditions may have given another version.
            again, self._damaged = not self._damaged, True
            self._remote = self._remote.renewed(error)
        else:
            # Neither the whole nor another part than was asked for may be mixed with what is there.
            again, self._ranged = self._ranged or isinstance(error, _Unranged), False
        partial.reset(self._remote.version)
        return again

    def _fill(self, partial: Partial) -> None:
        if not partial.version and partial.arrived:
            # Without a mark nobody can say whether the rest belongs to what is there.
            partial.reset()
        parts = self._parts(partial.missing(partial.begin(self._remote.size)))
        partial.spans = [span for span in partial.spans if span.position > span.start] + parts
        self._stop.clear()
        if parts:
            began = time.monotonic()
            self._fetch(partial, parts[0])
            fast = parts[0].length >= self._settings.enough_bytes_per_s * (time.monotonic() - began)
            work = [partial_call(self._fetch, partial, part) for part in parts[1:]]
            in_parallel(work, 1 if fast else self._settings.connections, self._stop)

    def _parts(self, missing: list[Span]) -> list[Span]:
        """Cut what is missing where several connections can share it; the first part is short, to tell their use."""
        most = self._settings.part_bytes if self._ranged and self._settings.connections > 1 else None
        found: list[Span] = []
        for span in missing:
            start = span.start
            while most and span.stop is not None and span.stop - start > most:
                stop = start + (most if found else min(most, TRIAL_BYTES))
                found.append(Span.missing(start, stop))
                start = stop
            found.append(Span.missing(start, span.stop))
        return found

    def _fetch(self, partial: Partial, span: Span) -> None:
        """Fetch one part, with patience: each byte that arrives renews it."""
        failures, began = 0, self._clock.now()
        while not self._stop.is_set() and (span.stop is None or span.position < span.stop):
            before = span.position
            try:
                self._stream(partial, span)
            except VisionBatchError as error:
                now = self._clock.now()
                if span.position > before:
                    failures, began = 0, now
                failures += 1
                asked = wait_asked_by(error)
                if not transient(error) or self._retry.gives_up(failures, now - began, asked):
                    raise
                log.warning("%s at %d: %s; going on from there", self._remote.name, span.position, error.what)
                self._clock.pause(self._retry.pause_after(failures, asked))
                if not partial.version:
                    raise ObjectChanged(f"{self._remote.name} has no mark by which to go on in its middle") from error

    def _stream(self, partial: Partial, span: Span) -> None:
        stop = span.stop if self._ranged else None
        if (span.start, span.stop) == (0, self._remote.size):
            # The whole is asked for as such: a server without ranges then has nothing to ignore.
            stop = None
        with self._remote.fetch(span.position, stop, partial.version) as part:
            self._accept(partial, span, part)
            buffer, held = memoryview(bytearray(self._settings.block_bytes)), 0
            try:
                while not self._stop.is_set():
                    room = buffer[held:] if span.stop is None else buffer[held : span.stop - span.position]
                    count = part.body.readinto(room) if room else 0
                    held += count
                    if not count:
                        break
                    if held >= min(WRITE_BYTES, self._settings.block_bytes):
                        # Forgotten first: what could only be written in part must not be written again.
                        block, held = buffer[:held], 0
                        self._write(partial, span, block)
            finally:
                self._write(partial, span, buffer[:held])
            self._ended(partial, span)

    def _write(self, partial: Partial, span: Span, block: memoryview) -> None:
        if not block:
            return
        partial.write(span, block)
        with self._counted:
            self._fetched += len(block)
        if self._progress is not None:
            self._progress(partial.arrived, partial.total or 0)

    def _accept(self, partial: Partial, span: Span, part: Part) -> None:
        """See whether a part is one of what is on its way, before a byte of it is written."""
        name = self._remote.name
        if partial.version and part.version and part.version != partial.version:
            raise ObjectChanged(f"{name} was replaced while it was read")
        if part.start != span.position:
            raise _Unranged(f"{name} comes whole where a part was asked for")
        if span.stop is not None and part.total is not None and part.total < span.stop:
            raise ObjectChanged(f"{name} has {part.total} bytes now, {span.stop} were expected")
        if self._remote.size is None and partial.total not in (None, part.total):
            raise ObjectChanged(f"{name} has another size than before")
        crc32c = self._remote.crc32c if self._remote.crc32c is not None else part.crc32c
        if part.total is None and self._remote.size is None and crc32c is None and not part.delimited:
            raise UnreadableAnswer(f"{name}: the end of the answer cannot be told from a broken connection")
        self._crc32c = crc32c
        self._gzipped = part.encoding == "gzip"
        partial.version = partial.version or part.version
        if span.stop is None and part.total is not None:
            span.stop = partial.total = part.total

    def _ended(self, partial: Partial, span: Span) -> None:
        if self._stop.is_set():
            return
        if span.stop is None:
            span.stop = partial.total = span.position
        elif span.position < span.stop:
            raise Unreachable(f"{self._remote.name}: the answer ended at {span.position} of {span.stop} bytes")

    def _verified(self, partial: Partial) -> int:
        """The CRC-32C of the whole, from those of its spans.

        :raises Damaged: when it, or the size, is not what is stored.
        """
        crc32c = position = 0
        for span in sorted(partial.spans, key=lambda span: span.start):
            if span.start != position:
                raise Damaged(f"{self._remote.name} has a gap at {position}")
            crc32c = combined(crc32c, span.crc32c, span.position - span.start)
            position = span.position
        if self._remote.size not in (None, position):
            raise Damaged(f"{self._remote.name} has {position} bytes, {self._remote.size} are stored")
        if self._crc32c is not None and crc32c != self._crc32c:
            raise Damaged(f"{self._remote.name} has CRC-32C {crc32c:08x}, stored is {self._crc32c:08x}")
        if self._crc32c is None and self._remote.md5 is not None and _md5(partial) != self._remote.md5:
            raise Damaged(f"{self._remote.name} has another MD5 than is stored")
        return crc32c


def _md5(partial: Partial) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    for block in partial.read(0, partial.arrived):
        digest.update(block)
    return digest.digest()
