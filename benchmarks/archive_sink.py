"""The sink of uploads, which also takes bodies of unknown length, and no faster than a given rate.

Run: ``python -m benchmarks.archive_sink [--latency 0.02] [--rate 100]``; it prints its URL.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time

from benchmarks.sink import BLOCK, Sink, _parsed

MB = 1_000_000


class ArchiveSink(Sink):
    """All sessions and counts.

    :param rate: bytes a second of a body; 0 is as fast as it comes.
    """

    def __init__(self, latency_s: float, rate: float) -> None:
        super().__init__(latency_s)
        self._rate = rate

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
                if head.headers.get("expect") == "100-continue":
                    peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = _Body(peer, held, self._rate)
                length = body.chunked() if "chunked" in head.headers.get("transfer-encoding", "") else head.length
                if "content-length" in head.headers:
                    body.drop(length)
                head.headers["content-length"] = str(length)
                held = body.held
                peer.sendall(self._answer(head))


class _Body:
    """One body, thrown away; what came behind it stays in ``held``."""

    def __init__(self, peer: socket.socket, held: bytes, rate: float) -> None:
        self.held = held
        self._peer = peer
        self._rate = rate
        self._began = time.monotonic()
        self._dropped = 0

    def drop(self, length: int) -> None:
        taken = min(length, len(self.held))
        self.held = self.held[taken:]
        self._paced(taken)
        room = bytearray(BLOCK if length > taken else 0)
        while taken < length:
            count = self._peer.recv_into(room, min(length - taken, BLOCK), socket.MSG_TRUNC)
            if not count:
                raise ConnectionError("the body ended early")
            taken += count
            self._paced(count)

    def chunked(self) -> int:
        total = 0
        while True:
            while b"\r\n" not in self.held:
                self.held += self._peer.recv(1 << 16) or _ended()
            line, _, self.held = self.held.partition(b"\r\n")
            size = int(line, 16)
            self.drop(size + 2)
            total += size
            if not size:
                return total

    def _paced(self, count: int) -> None:
        self._dropped += count
        if self._rate:
            ahead = self._dropped / self._rate - (time.monotonic() - self._began)
            if ahead > 0.001:
                time.sleep(ahead)


def _ended() -> bytes:
    raise ConnectionError("the body ended early")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--rate", type=float, default=0.0, help="megabytes a second of a body; 0 is no limit")
    told = parser.parse_args()
    sink = ArchiveSink(told.latency, told.rate * MB)
    sys.stdout.write(f"{sink.url}\n")
    sys.stdout.flush()
    sink.serve()
