"""One connection to one peer, kept from request to request: what both of our planes ask over.

``http.client`` follows no redirect, reads no ``.netrc`` and keeps no cookie; proxies and certificate authorities come
from the environment.
"""

from __future__ import annotations

import base64
import http.client
import select
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from visionbatch.errors import UnsafeUrl
from visionbatch.io.closing import Closable
from visionbatch.io.network import proxy_for, proxy_pair, tls_context
from visionbatch.model.outside import why_address_inside


class Line(Closable):
    """Asks, and leaves the answer to its user; use as a context manager, from one thread at a time.

    :param connect_timeout_s: seconds to make a connection.
    :param read_timeout_s: seconds without a byte in either direction.
    :param outside_only: refuse a host whose address turns out to lie inside a network. What a resolver said before
        does not count, only where the connection leads; a proxy's own address is the proxy's affair.

    :ivar proxy: the one that the connection goes through.
    """

    def __init__(self, connect_timeout_s: float, read_timeout_s: float, *, outside_only: bool = False) -> None:
        self.proxy: str | None = None
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._outside_only = outside_only
        self._connection: http.client.HTTPConnection | None = None
        self._peer: tuple[str, str] | None = None
        self._used = False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def connected(self, url: str) -> http.client.HTTPConnection:
        """A connection to the host of a URL: the one that is there, or a new one.

        :raises OSError: when there is none; nothing was asked. ``http.client.HTTPException`` likewise.
        """
        parts = urlsplit(url)
        peer = (parts.scheme, parts.netloc)
        if self._connection is not None and (peer != self._peer or (self._used and _readable(self._connection))):
            # Readable while idle means that the peer has hung up, or says what nobody asked. A new one may be readable
            # by what belongs to its handshake.
            self.close()
        if self._connection is None:
            self._connection, self._peer, self._used = self._made(url), peer, False
        return self._connection

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> http.client.HTTPConnection:
        """Send the head of a request, and a body that is at hand; gives the connection, from which to read the answer.

        :raises OSError: when the connection breaks; ``http.client.HTTPException`` likewise.
        :raises ValueError: for a header that cannot be sent.
        """
        try:
            connection = self.connected(url)
            has_host = any(name.lower() == "host" for name in headers)
            connection.putrequest(method, self._target(url), skip_host=has_host, skip_accept_encoding=True)
            for name, value in {**self._for_proxy(url), **headers}.items():
                connection.putheader(name, value)
            try:
                connection.endheaders(body)
            except (BrokenPipeError, ConnectionResetError):
                # Who hangs up on a body may have said why.
                if not body:
                    raise
            self._used = True
        except BaseException:
            self.close()
            raise
        return connection

    def _made(self, url: str) -> http.client.HTTPConnection:
        # Once for a connection: it takes a look at the whole environment.
        self.proxy = proxy_for(url)
        connection = self._new_connection(url)
        # The debug output of http.client prints addresses and keys, whoever has switched it on.
        connection.set_debuglevel(0)
        try:
            self._open(connection, urlsplit(url).hostname or "")
        except UnicodeError as error:
            raise http.client.InvalidURL("no such host can be") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, connection: http.client.HTTPConnection, host: str) -> None:
        connection.connect()
        if self._outside_only and self.proxy is None:
            _require_outside(connection.sock, host)
        connection.sock.settimeout(self._read_timeout_s)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _new_connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        via = urlsplit(self.proxy) if self.proxy else None
        # Without a port http.client would look for one in the host, and find one in an address of IPv6.
        own_port = parts.port or (80 if parts.scheme == "http" else 443)
        host, port = (via.hostname, via.port or 80) if via else (parts.hostname, own_port)
        timeout = self._connect_timeout_s
        if parts.scheme == "http":
            return http.client.HTTPConnection(host or "", port, timeout=timeout)
        secure = http.client.HTTPSConnection(host or "", port, timeout=timeout, context=tls_context())
        if via is not None:
            secure.set_tunnel(parts.hostname or "", own_port, headers=_proxy_head(self.proxy))
        return secure

    def _target(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and self.proxy:
            return url
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _for_proxy(self, url: str) -> dict[str, str]:
        """What only a proxy is told: in a tunnel it was told before."""
        return _proxy_head(self.proxy) if self.proxy and url.startswith("http:") else {}


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
    pair = proxy_pair(proxy)
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if pair else {}
