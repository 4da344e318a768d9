"""A server with one thing on it, which misbehaves as it is told, once for each instruction and never otherwise."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from support.listener import Listener, read_head

RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Asked:
    """One request: its path, its headers, and the bytes that were asked for and given."""

    path: str
    headers: dict[str, str]
    start: int
    stop: int
    given: int = 0


Misdeed = Callable[["Shelf", socket.socket, Asked], bool]
"""Answers a request in place of the shelf; true when the connection can be used again."""


@dataclass
class Head:
    """The head of an answer as the shelf would give it."""

    status: str
    fields: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in self.fields.items()), "", ""]
        return "\r\n".join(lines).encode()


class Shelf(Listener):
    """Serves `content` with ranges, ``If-Range`` and an ETag.

    :ivar misdeeds: the next requests are answered by these, one each.
    """

    def __init__(self, content: bytes, etag: str = '"one"') -> None:
        super().__init__()
        self.content = content
        self.etag = etag
        self.fields: dict[str, str] = {}
        self.misdeeds: list[Misdeed] = []
        self.asked: list[Asked] = []
        self._turn = threading.Lock()

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.host}/exports/sig-9f8a7b6c5d4e/export.jsonl?token=very-secret-token"

    @property
    def given(self) -> int:
        return sum(asked.given for asked in self.asked)

    def all_met(self) -> None:
        assert not self.misdeeds, "a misdeed never happened"

    def serve(self, peer: socket.socket) -> None:
        while True:
            head, _ = read_head(peer)
            if not head:
                return
            line, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, value in (item.split(": ", 1) for item in lines)}
            with self._turn:
                told = RANGE.fullmatch(headers.get("range", ""))
                start = int(told[1]) if told else 0
                stop = int(told[2]) + 1 if told and told[2] else len(self.content)
                asked = Asked(line.split(" ")[1], headers, start, min(stop, len(self.content)))
                self.asked.append(asked)
                misdeed = self.misdeeds.pop(0) if self.misdeeds else well
            if not misdeed(self, peer, asked):
                return

    def head(self, asked: Asked) -> Head:
        ranged = "range" in asked.headers and asked.headers.get("if-range", self.etag) == self.etag
        if not ranged:
            asked.start, asked.stop = 0, len(self.content)
        found = Head("206 Partial Content" if ranged else "200 OK", {"Content-Length": str(asked.stop - asked.start)})
        if ranged:
            found.fields["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{len(self.content)}"
        if self.etag:
            found.fields["ETag"] = self.etag
        found.fields.update(self.fields)
        return found

    def give(self, peer: socket.socket, asked: Asked, stop: int | None = None) -> None:
        block = self.content[asked.start : asked.stop if stop is None else stop]
        peer.sendall(block)
        asked.given += len(block)


def well(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
    """As it should be."""
    peer.sendall(shelf.head(asked).encoded())
    shelf.give(peer, asked)
    return True


def status(line: str, **fields: str) -> Misdeed:
    """An answer without anything."""

    def answer(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        peer.sendall(Head(line, {"Content-Length": "0", **named}).encoded())
        return True

    return answer


def cut(after: int, *, reset: bool = False) -> Misdeed:
    """The body breaks off."""

    def answer(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
        peer.sendall(shelf.head(asked).encoded())
        shelf.give(peer, asked, asked.start + after)
        if reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return answer


def whole(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
    """The range is ignored."""
    asked.headers.pop("range", None)
    return well(shelf, peer, asked)


def chunked(after: int | None = None) -> Misdeed:
    """The length is not said; cut after so many bytes."""

    def answer(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
        head = shelf.head(asked)
        del head.fields["Content-Length"]
        head.fields["Transfer-Encoding"] = "chunked"
        peer.sendall(head.encoded())
        block = shelf.content[asked.start : asked.stop][:after]
        peer.sendall(b"%x\r\n%s\r\n" % (len(block), block))
        asked.given += len(block)
        if after is None:
            peer.sendall(b"0\r\n\r\n")
        return after is None

    return answer


def until_closed(after: int | None = None) -> Misdeed:
    """Neither length nor chunks: the end is the end of the connection."""

    def answer(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
        head = shelf.head(asked)
        del head.fields["Content-Length"]
        peer.sendall(head.encoded())
        shelf.give(peer, asked, None if after is None else asked.start + after)
        return False

    return answer


def another_range(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
    """The bytes beside those that were asked for."""
    head = shelf.head(asked)
    head.fields["Content-Range"] = f"bytes {asked.start + 7}-{asked.stop + 6}/{len(shelf.content)}"
    peer.sendall(head.encoded())
    shelf.give(peer, asked)
    return True


def flipped(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
    """One bit of the body is wrong."""
    peer.sendall(shelf.head(asked).encoded())
    block = bytearray(shelf.content[asked.start : asked.stop])
    block[len(block) // 2] ^= 1
    peer.sendall(block)
    asked.given += len(block)
    return True


def replaced(content: bytes, etag: str, then: Misdeed) -> Misdeed:
    """Another thing is put on the shelf just before the request is answered."""

    def answer(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
        shelf.content, shelf.etag = content, etag
        return then(shelf, peer, asked)

    return answer


def dripping(shelf: Shelf, peer: socket.socket, asked: Asked) -> bool:
    """A byte now and then, until the other side has enough of it."""
    peer.sendall(shelf.head(asked).encoded())
    stop = threading.Event()
    for position in range(asked.start, asked.stop):
        try:
            peer.sendall(shelf.content[position : position + 1])
        except OSError:
            return False
        asked.given += 1
        if shelf._stop.is_set() or stop.wait(0.02):
            return False
    return False
