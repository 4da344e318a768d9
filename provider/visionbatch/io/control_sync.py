"""The control plane over ``http.client``, for workers and the command line."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse, IncompleteRead
from threading import Lock
from typing import Any

from visionbatch.config import KIB
from visionbatch.errors import TimedOut, VisionBatchError
from visionbatch.flow.effects import Request, Response
from visionbatch.io.closing import Closable
from visionbatch.io.control import (
    BODY_CAP,
    Credentials,
    HeldCredential,
    Origin,
    add_capped,
    answered,
    authenticated,
    encoded,
    head_of,
    query_of,
    transport_error,
    unsendable,
    with_query,
)
from visionbatch.io.line import Line
from visionbatch.model.credential import Credential, Outgoing

Timeouts = tuple[float, float]

GZIP = b"\x1f"
"""What each member of gzip begins with."""

BLOCK_BYTES = 64 * KIB
"""Most bytes of an answer that are taken at a time."""


class Keyring:
    """The credential of all planes of one client: one thread looks it up, the others wait and use what it found.

    :param now: Unix seconds.
    """

    def __init__(self, credentials: Credentials, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._now = now
        self._held = HeldCredential()
        self._lock = Lock()

    def current(self, refused: int | None) -> tuple[Credential, int] | None:
        """The credential and its number; ``None`` when it was refused and there is no other."""
        with self._lock:
            if self._held.wants_another(refused, self._now()) and not self._renewed(refused):
                return None
            return self._held.credential, self._held.number

    def _renewed(self, refused: int | None) -> bool:
        try:
            found = self._credentials()
        except VisionBatchError as error:
            if not self._held.outlives(error, refused, self._now()):
                raise
            return True
        return self._held.take(found, refused)


class ControlPlane(Closable):
    """Sends control-plane requests with one credential to one origin; use as a context manager.

    Not for use from several threads at once, as little as the connection it holds.

    :param credentials: gives the authenticating headers, when first needed and after a refusal.
    :param timeouts: seconds to connect, and seconds without a byte as well as for the whole body of an answer.
    :param now: Unix seconds, by which tokens run out and signatures are dated.
    :param keyring: of the planes that share one credential; one of its own without.
    """

    def __init__(
        self,
        origin: Origin,
        credentials: Credentials,
        *,
        timeouts: Timeouts = (10.0, 60.0),
        now: Callable[[], float] = time.time,
        keyring: Keyring | None = None,
    ) -> None:
        self._origin = origin
        self._keyring = keyring or Keyring(credentials, now)
        self._timeouts = timeouts
        self._now = now
        self._line = Line(*timeouts)

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def send(self, request: Request, refused: int | None = None) -> Response | None:
        """Send one request; ``None`` when the credential was refused and there is no other.

        :raises TransportError: when there is no answer.
        :raises AnswerTooLarge: when the answer exceeds `BODY_CAP`.
        """
        current = self._keyring.current(refused)
        if current is None:
            return None
        credential, number = current
        url, body = self._origin.at(request), encoded(request.body)
        outgoing = Outgoing(request.method, url, head_of(request), body, self._now())
        try:
            self._line.connected(url)
        except (OSError, HTTPException) as error:
            raise transport_error(error, request, self._origin.host, asked=False) from None
        try:
            with self._exchange(outgoing, credential) as answer:
                read = self._read(answer)
                return answered(answer.status, answer.headers, read, number, request, credential, self._line.proxy)
        except (OSError, HTTPException, zlib.error) as error:
            raise transport_error(error, request, self._origin.host) from None
        except ValueError:
            raise unsendable(request) from None

    @contextmanager
    def _exchange(self, outgoing: Outgoing, credential: Credential) -> Iterator[HTTPResponse]:
        """The answer to a request, while its body is still to be read.

        The connection is kept when the body was read to its end, and closed when it was left.
        """
        headers = authenticated(credential, outgoing)
        if outgoing.body or outgoing.method not in ("GET", "HEAD"):
            headers["Content-Length"] = str(len(outgoing.body))
        url = with_query(outgoing.url, query_of(credential))
        connection = self._line.ask(outgoing.method, url, headers, outgoing.body)
        keep = False
        try:
            with connection.getresponse() as answer:
                yield answer
                keep = not answer.will_close
        finally:
            if not keep:
                self._line.close()

    def _read(self, answer: HTTPResponse) -> bytes:
        # A read time-out only bounds the silence between two bytes; a dripping server needs this too.
        until = time.monotonic() + self._timeouts[1]
        body, unpacker = bytearray(), _Unpacker(answer.getheader("Content-Encoding", ""))
        # What one receive gives: anything that waits for a full block would not see the time pass.
        while block := answer.read1(BLOCK_BYTES):
            add_capped(body, unpacker.plain(block), self._origin.host)
            if time.monotonic() > until:
                raise TimedOut(f"an answer of {self._origin.host} drips in too slowly")
        if answer.length or not unpacker.ended:
            raise IncompleteRead(bytes(body), answer.length)
        return bytes(body)


class _Unpacker:
    """Makes plain bytes of an answer: some gateways compress what nobody asked them to.

    Of one block comes no more than the cap, which is enough to see that it is exceeded.

    :ivar ended: whether what was begun has come to its end.
    """

    def __init__(self, coding: str) -> None:
        self.ended = True
        self._coding = coding.strip().lower()
        self._member: Any = None

    def plain(self, block: bytes) -> bytes:
        if self._coding not in ("gzip", "x-gzip", "deflate"):
            return block
        out = b""
        while block and len(out) <= BODY_CAP:
            if self._member is None:
                self._member = zlib.decompressobj(self._window(block))
            out += self._member.decompress(block, BODY_CAP + 1 - len(out))
            self.ended, rest = self._member.eof, self._member.unused_data
            # Gzip may have several members, and may be padded.
            block = rest if rest[:1] == GZIP else b""
            if self.ended:
                self._member = None
        return out

    def _window(self, block: bytes) -> int:
        # What is called deflate has zlib's head by the standard, and none with some.
        raw = self._coding == "deflate" and int.from_bytes(block[:2], "big") % 31
        return -zlib.MAX_WBITS if raw else 32 + zlib.MAX_WBITS
