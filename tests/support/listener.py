"""Small servers behind real sockets: one that only counts, one that takes any archive, one that forwards."""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

PATIENCE_S = 20.0


class Listener:
    """Accepts connections in a thread and serves each in one of its own until it is left."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._tls = tls
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_S)
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for peer in list(self._open):
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(PATIENCE_S)
        self._socket.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._start(lambda peer=peer: self._served(peer))

    def _served(self, peer: socket.socket) -> None:
        peer.settimeout(PATIENCE_S)
        self._open.append(peer)
        try:
            if self._tls is not None:
                peer = self._tls.wrap_socket(peer, server_side=True)
                self._open.append(peer)
            self.serve(peer)
        except (OSError, ValueError):
            pass
        finally:
            peer.close()

    def serve(self, peer: socket.socket) -> None:
        """What happens on one connection."""


class Silent(Listener):
    """Nobody should ever come here."""


class Scripted(Listener):
    """Reads one request a connection and answers it with given bytes."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._answer = answer
        self.heads: list[str] = []

    def serve(self, peer: socket.socket) -> None:
        head, _ = read_head(peer)
        self.heads.append(head)
        peer.sendall(self._answer)


@dataclass
class Request:
    """The head of one request that a sink was sent."""

    line: str
    headers: dict[str, str]


class Sink(Listener):
    """An upload session that throws away what it takes, and says of it that all is well.

    :param keep: keep it instead, in ``content``.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, keep: bool = False) -> None:
        super().__init__(tls)
        self.content = bytearray()
        self._keep = keep
        self.persisted = 0
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://localhost:{self.port}/session?upload_id=address-of-the-sink"

    def serve(self, peer: socket.socket) -> None:
        room = bytearray(1 << 20)
        while not self._stop.is_set():
            head, rest = read_head(peer)
            if not head:
                return
            line, *fields = head.split("\r\n")
            headers = {name.lower(): value for name, value in (item.split(": ", 1) for item in fields)}
            self.requests.append(Request(line, headers))
            left = int(headers["content-length"]) - len(rest)
            self.content += rest if self._keep else b""
            # What a plain connection throws away need not be copied first; of TLS it has to be decrypted.
            flags = 0 if self._keep or isinstance(peer, ssl.SSLSocket) else socket.MSG_TRUNC
            while left:
                count = peer.recv_into(room, min(left, len(room)), flags)
                if not count:
                    return
                self.content += room[:count] if self._keep else b""
                left -= count
            peer.sendall(self._answer(headers["content-range"]))

    def _answer(self, content_range: str) -> bytes:
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", content_range)
        assert match is not None
        if match[1] is not None:
            if int(match[1]) != self.persisted:
                return b"HTTP/1.1 503 Gap\r\nContent-Length: 0\r\n\r\n"
            self.persisted = int(match[2]) + 1
        if self.persisted == int(match[3]):
            body = b'{"size": "%d"}' % self.persisted
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        span = b"Range: bytes=0-%d\r\n" % (self.persisted - 1) if self.persisted else b""
        return b"HTTP/1.1 308 Resume Incomplete\r\n%sContent-Length: 0\r\n\r\n" % span


class ForwardProxy(Listener):
    """A proxy for plain requests and for tunnels, which notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, peer: socket.socket) -> None:
        head, rest = read_head(peer)
        if not head:
            return
        line, *fields = head.split("\r\n")
        method, target, version = line.split(" ")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        self.asked.append(f"{method} {parts.hostname}")
        with socket.create_connection((parts.hostname, parts.port), PATIENCE_S) as origin:
            self._open.append(origin)
            if method == "CONNECT":
                peer.sendall(f"{version} 200 Connected\r\n\r\n".encode())
            else:
                path = f"{parts.path}?{parts.query}" if parts.query else parts.path
                # One request a connection, so that nothing behind it has to be understood.
                kept = [field for field in fields if not field.lower().startswith("connection:")]
                origin.sendall("\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""]).encode())
            origin.sendall(rest)
            self._relay(peer, origin)

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([one, other], [], [], PATIENCE_S)
            if not ready:
                return
            for side in ready:
                data = side.recv(1 << 16)
                if not data:
                    return
                (other if side is one else one).sendall(data)


def read_head(peer: socket.socket) -> tuple[str, bytes]:
    """The head of a request as text, and what came behind it; empty at the end of the connection."""
    held = b""
    while b"\r\n\r\n" not in held:
        data = peer.recv(1 << 16)
        if not data:
            return "", b""
        held += data
    head, _, rest = held.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest
