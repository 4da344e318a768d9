"""Request bodies, read in blocks from the stream and never held whole."""

from collections.abc import Iterator
from typing import Protocol

from flask import Request
from werkzeug.exceptions import ClientDisconnected

from visionbatch_mock.storage.chunks import QUANTUM


class Readable(Protocol):
    """What a body needs to offer."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; nothing at the end."""


class Body:
    """The body of the current request.

    `received` counts what arrived, `broken` turns true when it ended before its announced length or
    the connection died. `announced` is None for chunked transfer coding.
    """

    def __init__(self, request: Request, pause: "Pause") -> None:
        self.announced = self.length = request.content_length
        if self.announced is None and "chunked" not in request.headers.get("Transfer-Encoding", ""):
            self.announced = 0
        self.received = 0
        self.broken = False
        self._stream: Readable = request.stream
        self._pause = pause
        self._bytes_per_s = 0
        self._stall: tuple[int, float] | None = None

    def throttle(self, bytes_per_s: int) -> None:
        """Read no faster than this from now on."""
        self._bytes_per_s = bytes_per_s

    def stall(self, after: int, seconds: float) -> None:
        """Read nothing for so long once `after` bytes are here."""
        self._stall = (after, seconds)

    def blocks(self, upto: int | None = None) -> Iterator[bytes]:
        """Blocks of 256 KiB and a shorter last one; stops after `upto` bytes when given."""
        while True:
            room = QUANTUM if upto is None else min(QUANTUM, upto - self.received)
            block = self._fill(room) if room else b""
            if not block:
                return
            yield block

    def drain(self) -> None:
        """Read and forget the rest."""
        for _ in self.blocks():
            pass

    def read_all(self, limit: int) -> bytes | None:
        """A small body as a whole, or None when it is longer than `limit`."""
        parts: list[bytes] = []
        for block in self.blocks():
            parts.append(block)
            if self.received > limit:
                return None
        return b"".join(parts)

    def _fill(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing and not self.broken:
            piece = self._read(missing)
            if not piece:
                break
            parts.append(piece)
            missing -= len(piece)
        self._note_short_end(ended=bool(missing))
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        if self._bytes_per_s:
            size = min(size, max(1, self._bytes_per_s // 20))
        size = self._before_stall(size)
        try:
            piece = self._stream.read(size)
        except (OSError, ClientDisconnected):
            self.broken = True
            return b""
        self.received += len(piece)
        if self._bytes_per_s:
            self._pause(len(piece) / self._bytes_per_s)
        return piece

    def _before_stall(self, size: int) -> int:
        """How much may be read at once so that the stall comes at its place; waits when it is there."""
        if self._stall is None:
            return size
        after, seconds = self._stall
        if self.received < after:
            return min(size, after - self.received)
        self._stall = None
        self._pause(seconds)
        return size

    def _note_short_end(self, *, ended: bool) -> None:
        if ended and self.announced is not None and self.received < self.announced:
            self.broken = True


class Pause(Protocol):
    """Lets real time pass."""

    def __call__(self, seconds: float, /) -> None:
        """Wait that long, or less when the mock stops."""
