"""An ASGI application behind a real server on a port of its own, and bytes sent to it as they are."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from support.patience import wait_until


class Served:
    """Where it listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def exchange(self, *pieces: bytes, then: bytes = b"", timeout: float = 60.0) -> bytes:
        """Send pieces on one connection, and give all that comes back; ``then`` follows the first answer's bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as peer:
            for piece in pieces:
                peer.sendall(piece)
            answer = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while block := peer.recv(65536):
                    answer += block
                    if then:
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            peer.sendall(then)
                        then = b""
            return bytes(answer)


@contextlib.contextmanager
def served(app: Any) -> Iterator[Served]:
    """Serve an application from a thread, until the block is left."""
    import uvicorn  # noqa: PLC0415  # comes with Airflow only

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield Served(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
