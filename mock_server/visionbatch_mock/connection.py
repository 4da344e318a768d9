"""One HTTP/1.1 connection that stays open between requests, and the ways to end it badly.

Werkzeug's stock handler closes after every answer, because it does not know where an unread body
ends. This one bounds every body, so it knows; what the application left unread it reads to the end,
up to a limit, before it takes the next request.
"""

import fcntl
import io
import os
import socket
import struct
import termios
import time
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

from werkzeug.http import http_date
from werkzeug.serving import WSGIRequestHandler

from visionbatch_mock.hangup import Ending, Hangup, wished
from visionbatch_mock.head import BadHead, read_head
from visionbatch_mock.text import whole_number

if TYPE_CHECKING:
    from visionbatch_mock.listener import Listener

DRAIN_BYTES = 64 * 1024 * 1024
"""Ours: how much of a body nobody wanted is read to keep a connection; beyond, it is closed."""

BLOCK_BYTES = 64 * 1024


ACKNOWLEDGE_S, ACKNOWLEDGE_POLL_S = 5.0, 0.002
"""Ours: how long and how often a broken answer waits for its first bytes to arrive."""

_CUTS = frozenset({Ending.CUT, Ending.CUT_SILENTLY, Ending.CUT_AND_RESET})


class BoundedInput(io.RawIOBase):
    """A request body that cannot be read beyond its end.

    `finished` tells whether all of it has been read. An expected `100 Continue` is sent with the
    first read, so that an application may refuse a body before it is sent.
    """

    def __init__(self, stream: IO[bytes], length: int | None, on_first_read: "_Continue") -> None:
        super().__init__()
        self._stream = stream
        self._left = length
        self._on_first_read = on_first_read
        self.finished = length == 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end. Raises `OSError` when the connection dies."""
        if self.finished:
            return b""
        self._on_first_read()
        wanted = size if self._left is None else min(size, self._left) if size >= 0 else self._left
        data = self._stream.read(wanted)
        if self._left is not None:
            self._left -= len(data)
        self.finished = not data if self._left is None else self._left == 0
        return data

    def readinto(self, buffer: Any) -> int:
        """The same into a buffer, which is how the framework reads a body that it limits."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Continue:
    """Sends `100 Continue` once, if the client waits for it."""

    def __init__(self, wfile: Any, *, expected: bool) -> None:
        self._wfile = wfile
        self.owed = expected

    def __call__(self) -> None:
        if self.owed:
            self.owed = False
            self._wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._wfile.flush()


class ConnectionHandler(WSGIRequestHandler):
    """Serves the requests of one connection, one after the other."""

    server: "Listener"  # type: ignore[assignment]  # Werkzeug expects its own server, of which this one has all it asks
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server_version = "visionbatch-mock"
    sys_version = ""

    def parse_request(self) -> bool:
        """Read the head of the next request; one that is refused ends its connection."""
        self.command, self.request_version, self.close_connection = "", self.protocol_version, True
        try:
            head = read_head(self.raw_requestline, self.rfile)
        except BadHead as refused:
            self.send_error(refused.status, str(refused))
            return False
        self.command, self.path, self.request_version = head.method, head.target, head.version
        self.headers = head.headers  # type: ignore[assignment]  # all that is asked of them is what both can do
        self.close_connection = not head.keeps_connection
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the journal knows more, and standard error stays quiet."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - Werkzeug's name
        """Nothing, for the same reason."""

    def finish(self) -> None:
        """Close both directions; who has left in the middle of an answer does not get the rest, and that is all."""
        try:
            super().finish()
        except OSError:
            self.rfile.close()

    def run_wsgi(self) -> None:
        """Serve one request."""
        with self.server.serving(self.connection):
            self._serve()
        if self.server.draining:
            self.close_connection = True

    def _serve(self) -> None:
        environ = self.make_environ()
        # Only the first read of the body sends the interim answer, and not the reading of the head.
        expected = environ.get("HTTP_EXPECT", "").lower() == "100-continue"
        interim = _Continue(self.wfile, expected=expected)
        length = self._body_length(environ)
        body = BoundedInput(environ["wsgi.input"], length, interim)
        environ["wsgi.input"] = body
        environ["wsgi.input_terminated"] = True
        try:
            self._answer(environ)
            self._finish_body(body, interim)
        except OSError:
            # The peer is gone, or this side has just reset the connection.
            self.close_connection = True

    def _body_length(self, environ: dict[str, Any]) -> int | None:
        if environ.get("wsgi.input_terminated"):
            return None
        length = whole_number(environ.get("CONTENT_LENGTH", "0"))
        if length is None:
            self.close_connection = True
        return length or 0

    def _answer(self, environ: dict[str, Any]) -> None:
        head: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> "_Write":
            head[:] = [(status, headers)]
            return _no_write

        content = self.server.app(environ, start_response)
        try:
            wish = wished(environ)
            if wish is not None and wish.ending is Ending.RESET:
                self._reset()
                return
            self._send(*head[0], content, wish)
        finally:
            if hasattr(content, "close"):
                content.close()

    def _send(
        self,
        status: str,
        headers: list[tuple[str, str]],
        content: Iterable[bytes],
        wish: Hangup | None,
    ) -> None:
        code = int(status[:3])
        bodyless = self.command == "HEAD" or code in {204, 304} or code < 200
        measured = bodyless or "content-length" in {name.lower() for name, _ in headers}
        silent = wish is not None and wish.ending is Ending.CUT_SILENTLY
        chunked = not (measured or silent) and self.request_version == "HTTP/1.1"
        if wish is not None or not (measured or chunked):
            self.close_connection = True
        lines = [f"{self.protocol_version} {status}", f"Server: {self.server_version}", f"Date: {http_date()}"]
        lines += [f"{name}: {_as_bytes(value)}" for name, value in headers]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        self._send_body(content, wish, chunked=chunked)

    def _send_body(self, content: Iterable[bytes], wish: Hangup | None, *, chunked: bool) -> None:
        left = wish.after if wish is not None and wish.ending in _CUTS else None
        for block in content:
            piece = block if left is None else block[:left]
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                # What comes before a stall has to leave before it.
                self.wfile.flush()
            if left is not None and (left := left - len(piece)) <= 0:
                break
        if chunked and left is None:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        if wish is not None and wish.ending is Ending.CUT_AND_RESET:
            self._wait_until_received()
            self._reset()

    def _wait_until_received(self) -> None:
        """Let the peer acknowledge what was sent, because a reset throws away what is still queued."""
        deadline = time.monotonic() + ACKNOWLEDGE_S
        while time.monotonic() < deadline:
            queued = fcntl.ioctl(self.connection.fileno(), termios.TIOCOUTQ, bytes(4))
            if not struct.unpack("i", queued)[0]:
                return
            time.sleep(ACKNOWLEDGE_POLL_S)

    def _finish_body(self, body: BoundedInput, interim: _Continue) -> None:
        """Make the next request readable, or close: unread bytes would be taken for it."""
        if self.close_connection:
            return
        if interim.owed:
            # The client still holds its body back, or sends it unasked; nobody can tell which.
            self.close_connection = True
            return
        read = 0
        while not body.finished and read <= DRAIN_BYTES:
            data = body.read(BLOCK_BYTES)
            read += len(data)
            if not data:
                break
        self.close_connection = not body.finished

    def _reset(self) -> None:
        """End with a TCP reset: closing a socket that must not linger discards what is queued."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())


def _as_bytes(value: str) -> str:
    """A header in Latin-1, whose characters stand for the bytes that leave; what is beyond it goes as UTF-8."""
    return value if value.isascii() or max(value) <= "\xff" else value.encode(errors="replace").decode("latin-1")


class _Write:
    """The callable of the WSGI specification that no application uses any more."""

    def __call__(self, data: bytes) -> None:
        raise NotImplementedError("the mock's answers are iterables")


_no_write = _Write()
