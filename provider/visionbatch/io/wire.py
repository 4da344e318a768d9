"""The data plane: one keep-alive connection to an allowed host, without any credential.

It knows nothing of a protocol above HTTP. There are no redirects to follow and no ``.netrc`` to read, because
``http.client`` does neither; proxies and certificate authorities come from the environment.
"""

from __future__ import annotations

import base64
import http.client
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from visionbatch.config import DownloadSettings
from visionbatch.errors import TimedOut, TlsRefused, TransportError, Unreachable
from visionbatch.io.closing import Closable
from visionbatch.io.control import USER_AGENT
from visionbatch.io.network import proxy_for, tls_context
from visionbatch.model.secret import SecretUrl

BODY_READ = 256 * 1024
"""Bytes of an answer that are read: more than any object resource or error text has."""


@dataclass(frozen=True)
class WireAnswer:
    """One answer, its body cut at `BODY_READ`.

    :param headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class WireLimits:
    """Bounds on one exchange.

    :param connect_timeout_s: seconds to make a connection.
    :param read_timeout_s: seconds without a byte in either direction.
    :param min_bytes_per_s: slowest body that is tolerated.
    :param slow_after_s: seconds over which that is measured.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    min_bytes_per_s: int = 1024
    slow_after_s: float = 30.0


def download_limits(settings: DownloadSettings | None) -> WireLimits:
    """The bounds on an exchange that settings for downloads mean."""
    chosen = settings or DownloadSettings()
    return WireLimits(chosen.connect_timeout_s, chosen.read_timeout_s, chosen.min_bytes_per_s, chosen.slow_after_s)


class Wire(Closable):
    """Sends bodies to secret URLs over a connection that it keeps; use as a context manager.

    :param limits: bounds on every exchange.
    """

    def __init__(self, limits: WireLimits | None = None) -> None:
        self._limits = limits or WireLimits()
        self._connection: http.client.HTTPConnection | None = None
        self._peer: tuple[str, str] | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def put(
        self,
        url: SecretUrl,
        headers: Mapping[str, str],
        blocks: Iterable[memoryview],
        length: int,
        sent: Callable[[int], None],
    ) -> WireAnswer:
        """PUT a body of known length and give the answer.

        An answer that comes before the body is through, such as 413, is given instead of the broken pipe that
        follows it.

        :param sent: called with the length of each block that has left.
        :raises TransportError: when there is no answer.
        """
        host = url.host
        try:
            connection = self._connected(url)
            connection.putrequest("PUT", self._target(url), skip_accept_encoding=True)
            for name, value in {"User-Agent": USER_AGENT, "Content-Length": str(length), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _translated(error, host, maybe_received=False) from None
        whole = False
        try:
            whole = self._send(connection, blocks, length, sent)
            return self._answer(connection, keep=whole)
        except (OSError, http.client.HTTPException) as error:
            early = None if whole else self._early_answer(connection)
            self.close()
            if early is not None:
                return early
            raise _translated(error, host, maybe_received=True) from None
        except BaseException:
            # The connection is in the middle of a body: nothing else may be sent on it.
            self.close()
            raise

    @contextmanager
    def get(self, url: SecretUrl, headers: Mapping[str, str]) -> Iterator[WireBody]:
        """GET, and give the answer while its body is still to be read.

        The connection is kept when the body was read to its end, and closed when it was left.

        :raises TransportError: when there is no answer.
        """
        try:
            connection = self._connected(url)
            connection.putrequest("GET", self._target(url), skip_accept_encoding=True)
            for name, value in {"User-Agent": USER_AGENT, **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _translated(error, url.host, maybe_received=False) from None
        except BaseException:
            self.close()
            raise
        body = WireBody(response, url.host, self._limits)
        try:
            yield body
        finally:
            keep = body.whole and not response.will_close
            response.close()
            if not keep:
                self.close()

    def _connected(self, url: SecretUrl) -> http.client.HTTPConnection:
        parts = urlsplit(url.reveal())
        peer = (parts.scheme, parts.netloc)
        if self._connection is not None and (peer != self._peer or _readable(self._connection)):
            # Readable while idle means that the peer has hung up, or says what nobody asked.
            self.close()
        if self._connection is None:
            self._connection = self._new_connection(url)
            # The debug output of http.client prints the session's address, whoever has switched it on.
            self._connection.set_debuglevel(0)
            self._connection.connect()
            self._peer = peer
            self._connection.sock.settimeout(self._limits.read_timeout_s)
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def _new_connection(self, url: SecretUrl) -> http.client.HTTPConnection:
        parts = urlsplit(url.reveal())
        proxy = proxy_for(url.reveal())
        via = urlsplit(proxy) if proxy else None
        host, port = ((via.hostname, via.port or 80) if via else (parts.hostname, parts.port)) or ("", None)
        timeout = self._limits.connect_timeout_s
        if parts.scheme == "http":
            return http.client.HTTPConnection(host or "", port, timeout=timeout)
        secure = http.client.HTTPSConnection(host or "", port, timeout=timeout, context=tls_context())
        if via is not None:
            secure.set_tunnel(parts.hostname or "", parts.port or 443, headers=_proxy_head(proxy))
        return secure

    def _target(self, url: SecretUrl) -> str:
        parts = urlsplit(url.reveal())
        if parts.scheme == "http" and proxy_for(url.reveal()):
            return url.reveal()
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _send(
        self,
        connection: http.client.HTTPConnection,
        blocks: Iterable[memoryview],
        length: int,
        sent: Callable[[int], None],
    ) -> bool:
        """Send the blocks; false when an answer came before the last of them."""
        sock = connection.sock
        plain = not isinstance(sock, ssl.SSLSocket)
        pace = _PaceMeter(self._limits)
        done = 0
        for block in blocks:
            # A TLS socket is readable for session tickets too, so only a plain one can tell an early answer.
            if plain and _readable(connection):
                return False
            sock.sendall(block)
            done += len(block)
            sent(len(block))
            pace.check(done)
        if done != length:
            raise Unreachable(f"the body ended after {done} of {length} bytes")
        return True

    def _early_answer(self, connection: http.client.HTTPConnection) -> WireAnswer | None:
        if connection.sock is None:
            # Reading has failed already, and http.client closes behind a reset.
            return None
        with suppress(OSError, http.client.HTTPException):
            connection.sock.settimeout(min(2.0, self._limits.read_timeout_s))
            return self._answer(connection, keep=False)
        return None

    def _answer(self, connection: http.client.HTTPConnection, *, keep: bool) -> WireAnswer:
        with connection.getresponse() as response:
            body = response.read(BODY_READ)
            ended = response.isclosed()
            headers = {name.lower(): value for name, value in response.getheaders()}
            if response.will_close or not (keep and ended):
                self.close()
            expected = response.length
        if expected and len(body) < BODY_READ and response.status < 300:
            # Shorter than its Content-Length: an end without its size and checksum is none. A refusal stays one.
            raise http.client.IncompleteRead(body, expected)
        return WireAnswer(response.status, headers, body)


class WireBody:
    """An answer whose body is read piece by piece.

    :ivar headers: names in lower case.
    :ivar length: bytes of the body; ``None`` when it says so by chunks, or not at all.
    :ivar delimited: whether its end can be told from a broken connection.
    :ivar whole: whether it was read to its end.
    """

    def __init__(self, response: http.client.HTTPResponse, host: str, limits: WireLimits) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self.length = response.length
        self.delimited = response.length is not None or bool(response.chunked)
        self.whole = self.length == 0
        self._response = response
        self._host = host
        self._pace = _PaceMeter(limits)
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
            raise _translated(error, self._host, maybe_received=True) from None
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


class _PaceMeter:
    """Raises when a window of time saw fewer bytes than the limit asks for."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._since = time.monotonic()
        self._bytes = 0

    def check(self, done: int) -> None:
        now = time.monotonic()
        elapsed = now - self._since
        if elapsed < self._limits.slow_after_s:
            return
        if done - self._bytes < elapsed * self._limits.min_bytes_per_s:
            raise TimedOut(f"{done - self._bytes} bytes moved in {elapsed:.0f} s, too slow to go on")
        self._since, self._bytes = now, done


def _readable(connection: http.client.HTTPConnection) -> bool:
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _proxy_head(proxy: str | None) -> dict[str, str]:
    parts = urlsplit(proxy or "")
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _translated(error: Exception, host: str, *, maybe_received: bool) -> TransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsRefused(f"{host}: the certificate was refused ({error.verify_message})", maybe_received=False)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{host}: no progress in time", maybe_received=maybe_received)
    kind = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Unreachable(f"{host}: no connection, or it broke ({kind})", maybe_received=maybe_received)
