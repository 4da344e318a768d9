"""A server that says back what it was sent, as error pages of gateways and proxies do, in every way of writing it."""

from __future__ import annotations

import base64
import html
import json
import socket
from collections.abc import Callable, Mapping
from urllib.parse import quote

from support.listener import Listener, read_head

AUTHORITY = ("authorization", "proxy-authorization", "x-auth-token", "x-security-token")
"""Headers that come first in what is said back: only the beginning of a foreign text is ever shown."""

Way = Callable[[str], bytes]


def _complaint(text: str) -> bytes:
    """A refusal in each of the shapes that one of the services has."""
    return json.dumps({"error": text, "error_code": "GATE.1", "error_msg": text, "detail": text}).encode()


WAYS: Mapping[str, Way] = {
    "as it is": str.encode,
    "for urls": lambda text: quote(text, safe="").encode(),
    "for urls, twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "for pages": lambda text: html.escape(text).encode(),
    "as a complaint": _complaint,
    "as Python": lambda text: repr(text).encode(),
    "in base64": lambda text: base64.b64encode(text.encode()),
    "in base64 for urls": lambda text: base64.urlsafe_b64encode(b"?" + text.encode()),
}


class Echo(Listener):
    """Answers with the request itself.

    :param answers: what requests of a method are answered with instead, as status and body.
    :param begin: where in a body it begins to say it back.
    """

    def __init__(self, answers: Mapping[str, tuple[int, bytes]] | None = None, begin: bytes = b"") -> None:
        super().__init__()
        self.status = 500
        self.way = "as it is"
        self.body_first = False
        self.told = 0
        self._answers = answers or {}
        self._begin = begin

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, peer: socket.socket) -> None:
        head, rest = read_head(peer)
        if not head:
            return
        line, *fields = head.split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        body = rest
        while len(body) < int(headers.get("content-length", "0")):
            body += peer.recv(1 << 16)
        method, target, _ = line.split(" ")
        status, said = self._answers.get(method) or (self.status, self._said(target, headers, body))
        # A wait that nobody has ends the tries at once.
        told = {
            "Content-Length": len(said),
            "Connection": "close",
            "Retry-After": 999_999,
            "Location": f"{self.url}/else?{target}",
        }
        heads = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        peer.sendall(f"HTTP/1.1 {status} Echo\r\n{heads}\r\n".encode() + said)

    def _said(self, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        self.told += 1
        first = [f"{name}: {headers[name]}" for name in AUTHORITY if name in headers]
        parts = [*first, target, body[max(body.find(self._begin), 0) :].decode("utf-8", "replace")]
        return WAYS[self.way]("\n".join(parts[::-1] if self.body_first else parts))
