"""The sink of uploads, which also takes bodies of unknown length.

Run: ``python -m benchmarks.archive_sink [--latency 0.02] [--cap 100e6]``; it prints its URL.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
import time

from benchmarks.sink import BLOCK, Sink, _parsed

PAUSE_S = 0.001
"""A shorter pause is put off to the next piece: it would last longer than asked for."""


class ArchiveSink(Sink):
    """All sessions and counts; the cap holds for a body, whatever pieces it comes in."""

    def __init__(self, latency_s: float, cap: float) -> None:
        super().__init__(latency_s, cap)
        self._body = threading.local()

    def _talk(self, peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        with peer:
            while True:
                while b"\r\n\r\n" not in held:
                    data = peer.recv(1 << 16)
                    if not data:
                        return
                    held += data
                text, _, held = held.partition(b"\r\n\r\n")
                head = _parsed(text)
                self._body.due = time.monotonic()
                if head.headers.get("expect") == "100-continue":
                    peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                if "chunked" in head.headers.get("transfer-encoding", ""):
                    length, held = self._chunked(peer, held)
                    head.headers["content-length"] = str(length)
                else:
                    held = self._dropped(peer, held, head.length)
                peer.sendall(self._answer(head))

    def _drop(self, peer: socket.socket, left: int) -> bool:
        room = bytearray(BLOCK if left > 0 else 0)
        while left > 0:
            count = peer.recv_into(room, min(left, BLOCK), socket.MSG_TRUNC)
            if not count:
                return False
            left -= count
            if self._cap:
                self._body.due = max(self._body.due, time.monotonic() - 0.1) + count / self._cap
                ahead = self._body.due - time.monotonic()
                if ahead > PAUSE_S:
                    time.sleep(ahead)
        return True

    def _dropped(self, peer: socket.socket, held: bytes, length: int) -> bytes:
        """Throw a number of bytes away; gives what was held beyond them."""
        if not self._drop(peer, length - len(held)):
            raise ConnectionError("the body ended early")
        return held[length:]

    def _chunked(self, peer: socket.socket, held: bytes) -> tuple[int, bytes]:
        """The length of a body in HTTP chunks, and what was held beyond it."""
        total = 0
        while True:
            while b"\r\n" not in held:
                held += peer.recv(1 << 16) or _ended()
            line, _, held = held.partition(b"\r\n")
            size = int(line, 16)
            held = self._dropped(peer, held, size + 2)
            total += size
            if not size:
                return total, held


def _ended() -> bytes:
    raise ConnectionError("the body ended early")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--cap", type=float, default=0.0, help="bytes a second of a body; 0 for as many as come")
    told = parser.parse_args()
    sink = ArchiveSink(told.latency, told.cap)
    sys.stdout.write(f"{sink.url}\n")
    sys.stdout.flush()
    sink.serve()
