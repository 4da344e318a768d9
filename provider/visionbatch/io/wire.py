"""The data plane: one keep-alive connection to an allowed host, without any credential.

It knows nothing of a protocol above HTTP. There are no redirects to follow and no ``.netrc`` to read, because
``http.client`` does neither; proxies and certificate authorities come from the environment.
"""

from __future__ import annotations

import base64
import http.client
import select
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from visionbatch.config import DownloadSettings, TransferSettings
from visionbatch.errors import UnsafeUrl
from visionbatch.io.bandwidth import Bandwidth
from visionbatch.io.body import BodyPump, Piece, Slowness
from visionbatch.io.broken import translated
from visionbatch.io.closing import Closable
from visionbatch.io.control import USER_AGENT
from visionbatch.io.network import proxy_for, tls_context
from visionbatch.io.wire_body import BODY_READ, WireBody
from visionbatch.model.outside import why_address_inside
from visionbatch.model.secret import SecretUrl


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
    :param slowness: slowest body that is tolerated.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    slowness: Slowness = field(default_factory=Slowness)

    @classmethod
    def of(cls, settings: TransferSettings | DownloadSettings) -> WireLimits:
        """The limits that settings ask for."""
        slowness = Slowness(settings.min_bytes_per_s, settings.slow_after_s)
        return cls(settings.connect_timeout_s, settings.read_timeout_s, slowness)


class Wire(Closable):
    """Sends bodies to secret URLs over a connection that it keeps; use as a context manager.

    :param limits: bounds on every exchange.
    :param bandwidth: a limit that may be shared with other wires.
    :param outside_only: refuse a host whose address turns out to lie inside a network. What a resolver said before
        does not count, only where the connection leads; a proxy's own address is the proxy's affair.
    """

    def __init__(
        self, limits: WireLimits | None = None, bandwidth: Bandwidth | None = None, *, outside_only: bool = False
    ) -> None:
        self._limits = limits or WireLimits()
        self._outside_only = outside_only
        self._bandwidth = bandwidth
        self._connection: http.client.HTTPConnection | None = None
        self._peer: tuple[str, str] | None = None
        self._proxy: str | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def put(
        self,
        url: SecretUrl,
        headers: Mapping[str, str],
        body: Iterable[Piece],
        length: int,
        sent: Callable[[int], None],
    ) -> WireAnswer:
        """PUT a body of known length and give the answer.

        An answer that comes before the body is through, such as 413, is given instead of the broken pipe that
        follows it.

        :param sent: called with every number of bytes that has left.
        :raises TransportError: when there is no answer.
        """
        connection = self._asked("PUT", url, {"Content-Length": str(length), **headers})
        whole = False
        try:
            whole = self._pump(connection, sent).send(body, length)
            return self._answer(connection, keep=whole)
        except (OSError, http.client.HTTPException) as error:
            early = None if whole else self._early_answer(connection)
            self.close()
            if early is not None:
                return early
            raise translated(error, url.host, maybe_received=True) from None
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
        connection = self._asked("GET", url, headers)
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise translated(error, url.host, maybe_received=False) from None
        except BaseException:
            self.close()
            raise
        body = WireBody(response, url.host, self._limits.slowness)
        try:
            yield body
        finally:
            keep = body.whole and not response.will_close
            response.close()
            if not keep:
                self.close()

    def _asked(self, method: str, url: SecretUrl, headers: Mapping[str, str]) -> http.client.HTTPConnection:
        """A connection over which the head of a request has left."""
        try:
            connection = self._connected(url)
            connection.putrequest(method, self._target(url), skip_accept_encoding=True)
            for name, value in {"User-Agent": USER_AGENT, **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise translated(error, url.host, maybe_received=False) from None
        except BaseException:
            self.close()
            raise
        return connection

    def _connected(self, url: SecretUrl) -> http.client.HTTPConnection:
        parts = urlsplit(url.reveal())
        peer = (parts.scheme, parts.netloc)
        if self._connection is not None and (peer != self._peer or _readable(self._connection)):
            # Readable while idle means that the peer has hung up, or says what nobody asked.
            self.close()
        if self._connection is None:
            # Once for a connection: it takes a look at the whole environment.
            self._proxy = proxy_for(url.reveal())
            self._connection = self._new_connection(url)
            # The debug output of http.client prints the session's address, whoever has switched it on.
            self._connection.set_debuglevel(0)
            self._connection.connect()
            if self._outside_only and self._proxy is None:
                _require_outside(self._connection.sock, url.host)
            self._peer = peer
            self._connection.sock.settimeout(self._limits.read_timeout_s)
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def _new_connection(self, url: SecretUrl) -> http.client.HTTPConnection:
        parts = urlsplit(url.reveal())
        via = urlsplit(self._proxy) if self._proxy else None
        host, port = ((via.hostname, via.port or 80) if via else (parts.hostname, parts.port)) or ("", None)
        timeout = self._limits.connect_timeout_s
        if parts.scheme == "http":
            return http.client.HTTPConnection(host or "", port, timeout=timeout)
        secure = http.client.HTTPSConnection(host or "", port, timeout=timeout, context=tls_context())
        if via is not None:
            secure.set_tunnel(parts.hostname or "", parts.port or 443, headers=_proxy_head(self._proxy))
        return secure

    def _target(self, url: SecretUrl) -> str:
        parts = urlsplit(url.reveal())
        if parts.scheme == "http" and self._proxy:
            return url.reveal()
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _pump(self, connection: http.client.HTTPConnection, sent: Callable[[int], None]) -> BodyPump:
        limits = self._limits
        return BodyPump(
            connection.sock,
            timeout_s=limits.read_timeout_s,
            slowness=limits.slowness,
            bandwidth=self._bandwidth,
            sent=sent,
        )

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


def _require_outside(sock: socket.socket, host: str) -> None:
    """Nothing has been asked over this connection yet.

    :raises UnsafeUrl: when its other end is inside a network.
    """
    reason = why_address_inside(str(sock.getpeername()[0]).partition("%")[0])
    if reason:
        raise UnsafeUrl(f"{host} has an address {reason}", next_step="Give an address on the Internet.")


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
