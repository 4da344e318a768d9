"""The listening socket: a thread for each connection, and a stop that leaves none behind."""

import contextlib
import logging
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask

from visionbatch_mock.connection import ConnectionHandler
from visionbatch_mock.gate import Gate

log = logging.getLogger(__name__)

JOIN_S = 10.0
"""Longest wait for one connection's thread at the stop; by then its socket is shut down."""


class Listener(socketserver.TCPServer):
    """Serves an application on a socket of its own.

    Werkzeug's server exits the process when its port is taken, looks up host names, and cannot end
    connections that idle; the mock needs the opposite of each.
    """

    allow_reuse_address = True
    request_queue_size = 128

    # What Werkzeug's request handler asks of its server.
    multithread = True
    multiprocess = False

    def __init__(self, app: Flask, host: str, port: int, gate: Gate, tls: ssl.SSLContext | None = None) -> None:
        self.app = app
        self._gate = gate
        self.ssl_context = tls
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._lock = threading.Lock()
        self._served = threading.Condition()
        self._busy: set[Any] = set()
        self.draining = False
        self._connections: dict[Any, threading.Thread] = {}
        self._accepting: threading.Thread | None = None
        super().__init__((host, port), ConnectionHandler)

    def start(self) -> None:
        """Accept connections in a thread of their own."""
        self._accepting = threading.Thread(target=self.serve_forever, name="visionbatch-mock-accept", daemon=True)
        self._accepting.start()

    @contextlib.contextmanager
    def serving(self, connection: Any) -> Iterator[None]:
        """Mark a connection as busy with a request, so that a stop may wait for it."""
        with self._served:
            self._busy.add(connection)
        try:
            with self._gate.passing():
                yield
        finally:
            with self._served:
                self._busy.discard(connection)
                self._served.notify_all()

    def stop(self, grace_s: float = 0.0) -> None:
        """End the accepting thread, then every connection's: the idle at once, the busy after `grace_s` at most."""
        self.draining = True
        # Shutting the socket down wakes the accepting thread, which would else sleep out its poll.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._accepting is not None:
            self.shutdown()
            self._accepting.join()
        self.server_close()
        with self._served:
            busy = set(self._busy)
        self._hang_up(busy)
        with self._served:
            self._served.wait_for(lambda: not self._busy, grace_s)
        for thread in self._hang_up(set()):
            thread.join(JOIN_S)

    def _hang_up(self, spared: set[Any]) -> list[threading.Thread]:
        """Shut every connection but these down; gives the threads of all."""
        with self._lock:
            alive = dict(self._connections)
        for connection in set(alive) - spared:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return list(alive.values())

    def get_request(self) -> tuple[Any, Any]:
        """A new connection; its handshake is left to its own thread, so that a slow one keeps nobody waiting."""
        connection, address = super().get_request()
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread that `stop` knows."""
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="visionbatch-mock", daemon=True
        )
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            if self.ssl_context is not None:
                request.do_handshake()
            self.finish_request(request, client_address)
        except ssl.SSLError as cause:
            # A client that does not trust the certificate says so by leaving.
            log.debug("no TLS with %s: %s", client_address, cause)
        except Exception:
            log.exception("serving %s failed", client_address)
        finally:
            with self._lock:
                self._connections.pop(request, None)
            self.shutdown_request(request)
