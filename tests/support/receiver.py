"""A small HTTP server of this machine: gives files away, takes events and remembers them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PATIENCE_S = 20.0


class Receiver:
    """`statuses` are the answers to the first events; every later one is taken."""

    def __init__(self, files: Mapping[str, bytes] | None = None, statuses: Sequence[int] = ()) -> None:
        self.files = dict(files or {})
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._statuses = list(statuses)
        self._came = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE_S)
        self._server.server_close()

    def wait_for(self, number: int) -> list[dict[str, Any]]:
        """The events, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.events) >= number, PATIENCE_S), self.events
            return list(self.events)

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        with self._came:
            self.events.append(json.loads(body))
            self.headers.append(dict(headers))
            self._came.notify_all()
            return self._statuses.pop(0) if self._statuses else 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = receiver.files.get(self.path.partition("?")[0])
                self._answer(404 if content is None else 200, content or b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(receiver.take(self.headers, body), b"")

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler
