"""Upload sessions that throw away what they take, as cheaply as a kernel can.

It speaks Google's resumable protocol, makes batches as Deepomatic does, and counts. A body is dropped in the kernel and
never copied, so that the sink is not what is measured; only under TLS it has to be decrypted. One thread for each
connection.

Run: ``python -m benchmarks.sink [--latency 0.02] [--cap 100e6] [--certificate chain-and-key.pem]``; it prints its URL.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

BLOCK = 1 << 20
PAUSE_S = 0.001
"""A shorter pause is put off to the next piece: it would last longer than asked for."""
RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")


@dataclass
class Head:
    """The head of one request."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return int(self.headers.get("content-length", "0"))


class Body:
    """One body on its way into nothing.

    :param held: what came with the head.
    :param cap: bytes a second, in whatever pieces it comes; 0 for as many as come.
    """

    def __init__(self, peer: socket.socket, held: bytes, cap: float) -> None:
        self.held = held
        self._peer = peer
        self._cap = cap
        self._due = time.monotonic()

    def drop(self, length: int) -> None:
        """Throw a number of bytes away."""
        left = length - len(self.held)
        self.held = self.held[length:]
        room = bytearray(BLOCK if left > 0 else 0)
        flags = 0 if isinstance(self._peer, ssl.SSLSocket) else socket.MSG_TRUNC
        while left > 0:
            count = self._peer.recv_into(room, min(left, BLOCK), flags)
            if not count:
                raise ConnectionError("the body ended early")
            left -= count
            self._keep_to_cap(count)

    def drop_chunks(self) -> int:
        """Throw away a body of unknown length, in HTTP chunks; gives its length."""
        total = 0
        while True:
            while b"\r\n" not in self.held:
                data = self._peer.recv(1 << 16)
                if not data:
                    raise ConnectionError("the body ended early")
                self.held += data
            line, _, self.held = self.held.partition(b"\r\n")
            size = int(line, 16)
            self.drop(size + 2)
            total += size
            if not size:
                return total

    def _keep_to_cap(self, count: int) -> None:
        if not self._cap:
            return
        self._due = max(self._due, time.monotonic() - 0.1) + count / self._cap
        ahead = self._due - time.monotonic()
        if ahead > PAUSE_S:
            time.sleep(ahead)


class Sink:
    """All sessions and counts.

    :param latency_s: seconds before each answer.
    :param cap: bytes that a connection brings in a second; 0 for as many as come.
    :param certificate: file with a certificate chain and its key, for TLS.
    """

    def __init__(self, latency_s: float = 0.0, cap: float = 0.0, certificate: str = "") -> None:
        self._latency_s = latency_s
        self._cap = cap
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._numbers = itertools.count(1)
        self._persisted: dict[str, int] = {}
        self._counts = {"requests": 0, "connections": 0, "bytes": 0}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        if cap:
            # A link with a cap has no megabytes of buffer behind it.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BLOCK // 4)
        self.url = f"{'https' if certificate else 'http'}://localhost:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until the process is ended."""
        while True:
            peer, _ = self._listener.accept()
            self._counts["connections"] += 1
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            peer = self._tls.wrap_socket(peer, server_side=True)
        held = b""
        with peer, suppress(ConnectionError):
            while True:
                while b"\r\n\r\n" not in held:
                    data = peer.recv(1 << 16)
                    if not data:
                        return
                    held += data
                text, _, held = held.partition(b"\r\n\r\n")
                head = _parsed(text)
                body = Body(peer, held, self._cap)
                if head.headers.get("expect") == "100-continue":
                    peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                if "chunked" in head.headers.get("transfer-encoding", ""):
                    head.headers["content-length"] = str(body.drop_chunks())
                else:
                    body.drop(head.length)
                held = body.held
                peer.sendall(self._answer(head))

    def _answer(self, head: Head) -> bytes:
        if head.path == "/books":
            counts, self._counts = self._counts, dict.fromkeys(self._counts, 0)
            return response("200 OK", json.dumps(counts))
        self._counts["requests"] += 1
        self._counts["bytes"] += head.length
        time.sleep(self._latency_s)
        return self.reply(head)

    def reply(self, head: Head) -> bytes:
        """The answer of the service that this one stands for."""
        if head.method == "POST":
            number = next(self._numbers)
            session = f"{self.url}/session/{number}"
            made = {"batch_id": f"batch-{number}", "upload_url": session, "status": "created"}
            return response("201 Created" if "batches" in head.path else "200 OK", json.dumps(made), Location=session)
        return self._stored(head)

    def _stored(self, head: Head) -> bytes:
        told = RANGE.fullmatch(head.headers.get("content-range", ""))
        start, stop, total = (0, head.length, head.length)
        if told is not None:
            total = int(told[3])
            start, stop = (int(told[1]), int(told[2]) + 1) if told[1] else (0, 0)
        persisted = self._persisted.get(head.path, 0)
        if start <= persisted < stop:
            persisted = self._persisted[head.path] = stop
        if persisted == total:
            return response("200 OK", json.dumps({"size": str(total)}))
        span = {"Range": f"bytes=0-{persisted - 1}"} if persisted else {}
        return response("308 Resume Incomplete", "", **span)


def _parsed(text: bytes) -> Head:
    first, *lines = text.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return Head(method, path.partition("?")[0], {name.lower(): value.strip() for name, _, value in pairs})


def response(status: str, body: str, **headers: str) -> bytes:
    """An answer as it goes on the wire."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    return "\r\n".join([f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in fields.items()), "", body]).encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--cap", type=float, default=0.0)
    parser.add_argument("--certificate", default="")
    told = parser.parse_args()
    sink = Sink(told.latency, told.cap, told.certificate)
    sys.stdout.write(f"{sink.url}\n")
    sys.stdout.flush()
    sink.serve()
