"""A service that only tells the state of batches, 20 ms after it is asked, over connections that stay open.

It stands in for the mock server where thousands of requests a second are asked: it has the same two routes, every batch
is running for ever, and answering costs it some tens of microseconds. Below ``/strict`` there is no list. Of VIAS it
has the list of batches and the list of a batch's tasks, and looks at no signature.

Run: ``python -m benchmarks.status_server [--batches 10000]``; it prints its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

LATENCY_S = 0.02
BATCHES = "/v0.2/batches"


def batch_id(number: int) -> str:
    """The id of a batch: as long as the service's own."""
    return f"00000000-0000-4000-8000-{number:012d}"


class Books:
    """What was asked since the last look."""

    def __init__(self) -> None:
        self.looks = self.lists = self.connections = self.open = 0


class Peer(asyncio.Protocol):
    """One connection; requests on it are answered in order."""

    def __init__(self, books: Books, count: int) -> None:
        self._books = books
        self._count = count
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._books.connections += 1
        self._books.open += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._books.open -= 1
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            if target == "/books":
                self._write(200, json.dumps(vars(self._books)).encode())
                self._books.looks = self._books.lists = self._books.connections = 0
                continue
            status, body = self._answer(target)
            asyncio.get_running_loop().call_later(LATENCY_S, self._write, status, body)

    def _answer(self, target: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        if parts.path.startswith("/v2/"):
            return self._of_vias(parts.path, parse_qs(parts.query))
        strict, path = parts.path.startswith("/strict"), parts.path.removeprefix("/strict")
        if path == BATCHES:
            self._books.lists += 1
            if strict:
                return 404, b'{"detail": "Not found."}'
            query = parse_qs(parts.query)
            return 200, self._page(int(query["offset"][0]), int(query["limit"][0]))
        self._books.looks += 1
        return 200, json.dumps(described(path.rpartition("/")[2])).encode()

    def _of_vias(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith("/tasks"):
            self._books.looks += 1
            return 200, json.dumps({"count": 1, "tasks": [{"id": query["batch_id"][0], "state": "RUNNING"}]}).encode()
        self._books.lists += 1
        size, number = int(query["page_size"][0]), int(query["page_num"][0])
        shown = range((number - 1) * size, min(number * size, self._count))
        listed = [vias_batch(batch_id(place)) for place in shown]
        return 200, json.dumps({"count": self._count, "batch_task_list": listed}).encode()

    def _page(self, offset: int, limit: int) -> bytes:
        stop = min(offset + limit, self._count)
        following = f"{BATCHES}?limit={limit}&offset={stop}" if stop < self._count else None
        results = [described(batch_id(number)) for number in range(offset, stop)]
        return json.dumps({"count": self._count, "next": following, "previous": None, "results": results}).encode()

    def _write(self, status: int, body: bytes) -> None:
        if self._transport is not None:
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


def described(ref: str) -> dict[str, object]:
    """A batch as the service shows it."""
    return {"batch_id": ref, "filename": f"batch-{ref[-6:]}", "status": "processing", "upload_url": None}


def vias_batch(ref: str) -> dict[str, object]:
    """A batch task as VIAS lists it."""
    return {"id": ref, "batch_task_name": ref[-6:], "num_task": 1, "batch_task_status_info": {"RUNNING": 1}}


async def serve(count: int) -> None:
    """Serve until the process is ended."""
    books = Books()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Peer(books, count), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await listener.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=10_000)
    asyncio.run(serve(parser.parse_args().batches))
