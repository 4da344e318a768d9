"""How the body of a request leaves: straight from a file where the kernel can do that, else in blocks.

On a plain socket a file goes from the page cache to the network without being copied into this process. Under TLS it
has to pass through it, and 256 KiB at a time costs half the CPU of the 8 KiB that ``SSLSocket.sendfile`` reads.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

from visionbatch.config import KIB, MIB
from visionbatch.errors import InputChanged, SourceUnreadable, TimedOut, Unreachable
from visionbatch.io.bandwidth import Bandwidth

TLS_BYTES = 256 * KIB
"""Bytes that are read from a file and encrypted at a time: measured best, see docs/benchmarks.md."""

SPAN_BYTES = 8 * MIB
"""Bytes that one call asks the kernel to send; it takes what fits into the socket's buffer."""

_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""Answers of a file system that cannot feed a socket, as some in user space."""


@dataclass(frozen=True)
class FileSpan:
    """Bytes ``offset`` up to but not including ``stop`` of an open file.

    :param name: what to call the file in a message.
    """

    descriptor: int
    offset: int
    stop: int
    name: str

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from a position on.

        :raises SourceUnreadable: when the disk fails.
        :raises InputChanged: when the file ends before ``stop``.
        """
        try:
            data = os.pread(self.descriptor, min(length, self.stop - offset), offset)
        except OSError as error:
            raise SourceUnreadable(f"{self.name} cannot be read: {error.strerror}") from error
        if not data:
            raise InputChanged(f"{self.name} became shorter while it was read")
        return data


Piece = bytes | memoryview | FileSpan
"""A part of a body."""


@dataclass(frozen=True)
class Slowness:
    """The slowest body that is tolerated.

    :param min_bytes_per_s: below this over a whole window the request is broken off.
    :param window_s: length of the window, in seconds.
    """

    min_bytes_per_s: int = 1024
    window_s: float = 30.0


class BodyPump:
    """Hands the pieces of one body to a connected socket.

    :param timeout_s: seconds without a byte.
    :param sent: called with every number of bytes that has left.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        timeout_s: float,
        slowness: Slowness,
        bandwidth: Bandwidth | None,
        sent: Callable[[int], None],
    ) -> None:
        self._sock = sock
        self._plain = not isinstance(sock, ssl.SSLSocket)
        self._timeout_s = timeout_s
        self._pace = PaceMeter(slowness)
        self._bandwidth = bandwidth
        self._sent = sent
        self._sendfile = True
        self._ready = select.poll()
        self._ready.register(sock, select.POLLIN | select.POLLOUT)
        self._done = 0

    def send(self, pieces: Iterable[Piece], length: int) -> bool:
        """Send a body of known length; false when an answer came before its end.

        :raises OSError: from the socket.
        :raises TimedOut: when it goes too slowly.
        :raises Unreachable: when the pieces end too early.
        """
        for piece in self._excused(pieces):
            if not self._piece(piece):
                return False
        if self._done != length:
            raise Unreachable(f"the body ended after {self._done} of {length} bytes")
        return True

    def _excused(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces; how long they took to come is not the peer's fault."""
        waiting = iter(pieces)
        while True:
            with self._pace.excused():
                piece = next(waiting, None)
            if piece is None:
                return
            yield piece

    def _piece(self, piece: Piece) -> bool:
        """Send one piece; false when an answer came first."""
        span = piece if isinstance(piece, FileSpan) else None
        data = memoryview(b"") if span else memoryview(cast("bytes", piece))
        offset, stop = (span.offset, span.stop) if span else (0, len(data))
        while offset < stop:
            # A TLS socket is readable for session tickets too, so only a plain one can tell an early answer.
            if self._plain and self._answers():
                return False
            step = partial(self._from_file, span, offset) if span else partial(self._from_memory, data[offset:])
            count = self._limited(stop - offset, step)
            offset += count
            self._done += count
            self._sent(count)
            self._pace.check(self._done)
        return True

    def _answers(self) -> bool:
        """Wait until there is room for more, or an answer."""
        events = self._ready.poll(self._timeout_s * 1000)
        if not events:
            raise TimeoutError
        return bool(events[0][1] & select.POLLIN)

    def _from_memory(self, data: memoryview, length: int) -> int:
        if self._plain:
            try:
                # `socket.send` would ask first whether there is room, as `_answers` has.
                return os.write(self._sock.fileno(), data[:length])
            except BlockingIOError:
                return 0
        # Record after record, each with the whole timeout.
        length = min(length, TLS_BYTES)
        self._sock.sendall(data[:length])
        return length

    def _from_file(self, span: FileSpan, offset: int, length: int) -> int:
        if not self._plain or not self._sendfile:
            return self._from_memory(memoryview(span.read(offset, min(length, TLS_BYTES))), length)
        try:
            count = os.sendfile(self._sock.fileno(), span.descriptor, offset, min(length, SPAN_BYTES))
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno in _NO_SENDFILE:
                self._sendfile = False
                return 0
            if error.errno in (errno.EIO, errno.ESTALE):
                raise SourceUnreadable(f"{span.name} cannot be read: {error.strerror}") from error
            raise
        if not count:
            raise InputChanged(f"{span.name} became shorter while it was read")
        return count

    def _limited(self, length: int, send: Callable[[int], int]) -> int:
        """Send at most ``length`` bytes, and no more than the limit allows."""
        if self._bandwidth is None:
            return send(length)
        with self._pace.excused():
            allowed = self._bandwidth.take(length)
        count = 0
        try:
            count = send(allowed)
        finally:
            self._bandwidth.give_back(allowed - count)
        return count


class PaceMeter:
    """Raises when a window of time saw fewer bytes than the limit asks for."""

    def __init__(self, slowness: Slowness) -> None:
        self._slowness = slowness
        self._since = time.monotonic()
        self._bytes = 0

    def check(self, done: int) -> None:
        """Take in that so many bytes have passed since the beginning.

        :raises TimedOut: when it goes too slowly.
        """
        now = time.monotonic()
        elapsed = now - self._since
        if elapsed < self._slowness.window_s:
            return
        if done - self._bytes < elapsed * self._slowness.min_bytes_per_s:
            raise TimedOut(f"{done - self._bytes} bytes moved in {elapsed:.0f} s, too slow to go on")
        self._since, self._bytes = now, done

    @contextmanager
    def excused(self) -> Iterator[None]:
        """Leave out what happens meanwhile."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began
