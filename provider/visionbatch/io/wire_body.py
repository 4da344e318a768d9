"""The body of an answer, read piece by piece."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from visionbatch.config import KIB
from visionbatch.errors import TransportError, Unreachable
from visionbatch.io.body import PaceMeter, Slowness
from visionbatch.io.broken import translated

BODY_READ = 256 * KIB
"""Bytes of an answer that are read for its meaning: more than any object resource or error text has."""


class WireBody:
    """An answer whose body is read piece by piece.

    :ivar headers: names in lower case.
    :ivar length: bytes of the body; ``None`` when it says so by chunks, or not at all.
    :ivar delimited: whether its end can be told from a broken connection.
    :ivar whole: whether it was read to its end.
    """

    def __init__(self, response: http.client.HTTPResponse, host: str, slowness: Slowness) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self.length = response.length
        self.delimited = response.length is not None or bool(response.chunked)
        self.whole = self.length == 0
        self._response = response
        self._host = host
        self._pace = PaceMeter(slowness)
        self._done = 0

    def readinto(self, room: memoryview) -> int:
        """Put what has come into a buffer, by one read of the socket, and give its length; 0 at the end of the body.

        A read that filled the whole buffer would take a peer that drips for one that is busy. The buffer is the
        caller's, to be used again: large blocks that are made anew cost more in page faults than in copying.

        :raises TransportError: when the connection breaks, or the body is shorter than it says, or too slow.
        """
        if self.length is not None:
            room = room[: self.length - self._done]
        if self.whole or not room:
            return 0
        try:
            count = self._once(room)
        except (OSError, http.client.HTTPException) as error:
            raise translated(error, self._host, maybe_received=True) from None
        self._done += count
        if not count and self.length is not None:
            raise Unreachable(f"{self._host}: the body ended after {self._done} of {self.length} bytes")
        self.whole = self._done == self.length if self.length is not None else not count
        self._pace.check(self._done)
        return count

    def _once(self, room: memoryview) -> int:
        if self._response.chunked:
            block = self._response.read1(len(room))
            room[: len(block)] = block
            return len(block)
        stream: Any = self._response.fp
        return int(stream.readinto1(room))

    def text(self) -> bytes:
        """The beginning of the body, for a message; as much of it as comes."""
        held, length = memoryview(bytearray(BODY_READ)), 0
        with suppress(TransportError):
            while count := self.readinto(held[length:]):
                length += count
        return bytes(held[:length])
