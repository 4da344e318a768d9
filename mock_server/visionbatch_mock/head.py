"""The head of a request, its first line and its headers, read as strictly as RFC 9112 writes it.

The standard library reads it with the parser of e-mails, which takes twice as long, takes much for a head that is none,
and leaves out without a word whatever follows a line that it cannot read.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedIOBase

from werkzeug.datastructures import Headers

LINE_BYTES = 64 * 1024
"""Ours: longest line of a head, its end included."""
MOST_FIELDS = 100
"""Ours: headers of one request."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_WORD}) ([!-~\x80-\xff]+) (HTTP/[0-9]\.[0-9])")
_NAME = re.compile(_WORD)


class BadHead(ValueError):
    """A head that is refused with `status`; what follows it on its connection cannot be read either."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """What a request begins with. `target` is the path with its query, as it was sent; texts are Latin-1."""

    method: str
    target: str
    version: str
    headers: Headers

    @property
    def keeps_connection(self) -> bool:
        """Whether the client means to send another request after this one."""
        wishes = {wish.strip() for wish in ",".join(self.headers.getlist("Connection")).lower().split(",")}
        return "keep-alive" in wishes if self.version == "HTTP/1.0" else "close" not in wishes


def read_head(first_line: bytes, stream: BufferedIOBase) -> Head:
    """The head that begins with a line, and goes on in the stream.

    Raises `BadHead`, or `ConnectionError` when the stream ends before it does.
    """
    method, target, version = _request_line(_text(first_line))
    fields: list[tuple[str, str]] = []
    while line := _text(_line(stream)):
        if len(fields) == MOST_FIELDS:
            raise BadHead(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Too many headers")
        fields.append(_field(line))
    head = Head(method, target, version, Headers(fields))
    _require_one_reading(head)
    return head


def _require_one_reading(head: Head) -> None:
    """Where a request ends and whom it asks must not be read in two ways: sections 3.2, 6.1 and 6.3 there."""
    lengths, codings = head.headers.getlist("Content-Length"), head.headers.getlist("Transfer-Encoding")
    if len(lengths) > 1:
        raise BadHead(HTTPStatus.BAD_REQUEST, "More than one Content-Length")
    if codings and (lengths or [coding.lower() for coding in codings] != ["chunked"] or head.version == "HTTP/1.0"):
        raise BadHead(HTTPStatus.BAD_REQUEST, "A Transfer-Encoding other than chunked, or beside a Content-Length")
    hosts = head.headers.getlist("Host")
    if len(hosts) > 1 or (not hosts and head.version != "HTTP/1.0"):
        raise BadHead(HTTPStatus.BAD_REQUEST, "Not exactly one Host")


def _request_line(line: str) -> tuple[str, str, str]:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise BadHead(HTTPStatus.BAD_REQUEST, "Bad request line")
    method, target, version = found.groups()
    if not version.startswith("HTTP/1."):
        raise BadHead(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.0 and HTTP/1.1 are spoken here")
    # What begins with two slashes would else be read as the name of a host.
    return method, f"/{target.lstrip('/')}" if target.startswith("//") else target, version


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(LINE_BYTES + 1)
    if len(line) > LINE_BYTES:
        raise BadHead(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Line too long")
    if not line.endswith(b"\n"):
        raise ConnectionAbortedError("the client left in the middle of a head")
    return line


def _text(line: bytes) -> str:
    return line.removesuffix(b"\n").removesuffix(b"\r").decode("latin-1")


def _field(line: str) -> tuple[str, str]:
    """Name and value. A line that continues the one before it is refused, as that document asks for."""
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name) or "\r" in value or "\0" in value:
        raise BadHead(HTTPStatus.BAD_REQUEST, "Bad header")
    return name, value.strip(" \t")
