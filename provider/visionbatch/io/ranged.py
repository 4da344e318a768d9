"""Parts of something behind a URL: one GET each, over connections that are kept and shared by threads."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from visionbatch.errors import ObjectChanged, UnreadableAnswer
from visionbatch.flow.call import unhappy
from visionbatch.flow.effects import Request, Response
from visionbatch.io.closing import Closable
from visionbatch.io.wire import WireLimits
from visionbatch.io.wire_body import WireBody
from visionbatch.io.wire_pool import WirePool
from visionbatch.model.secret import Secret, SecretUrl, scrubbed

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_CRC32C = re.compile(r"crc32c=([A-Za-z0-9+/]{6}==)")


class Body(Protocol):
    """What a part is read from."""

    def readinto(self, room: memoryview) -> int:
        """Put some bytes into a buffer, and give their number; 0 at the end."""


@dataclass(frozen=True)
class Part:
    """An answer with bytes of the thing, and what it says of the thing.

    :param start: offset of its first byte; 0 also when the server ignored the range that was asked for.
    :param total: bytes of the whole thing; ``None`` when it does not say.
    :param version: mark that changes with the thing and may stand in ``If-Range``; empty when there is none.
    :param generation: the same as Google's object store counts it; empty elsewhere.
    :param crc32c: of the whole thing as stored, where the server says it.
    :param encoding: its ``Content-Encoding``: the bytes are those that are stored, encoded.
    :param delimited: whether the end of the body can be told from a broken connection.
    """

    body: Body
    start: int
    total: int | None
    version: str
    generation: str = ""
    crc32c: int | None = None
    encoding: str = ""
    delimited: bool = True


class Ranges(Closable):
    """Asks for parts from several threads at once; use as a context manager.

    :param limits: bounds on every exchange.
    """

    def __init__(self, limits: WireLimits | None = None) -> None:
        self._wires = WirePool(limits)

    def close(self) -> None:
        """Close the connections that nobody reads from."""
        self._wires.close()

    @contextmanager
    def part(
        self, url: SecretUrl, headers: Mapping[str, str], start: int, stop: int | None, *, name: str
    ) -> Iterator[Part]:
        """The bytes from ``start`` to ``stop``, or to the end, as they are stored.

        :param name: what to call it in messages; the URL is not shown.
        :raises ObjectChanged: for 412 and 416: it is not what it was.
        :raises ServiceError: for any other unhappy answer.
        :raises UnreadableAnswer: when the answer says that it is another part than was asked for.
        :raises TransportError: when there is none.
        """
        ranged = start > 0 or stop is not None
        span = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if ranged else {}
        with self._wires.wire() as wire, wire.get(url, {**headers, **span}) as body:
            if body.status == 206:
                yield _ranged(body, start, stop, name)
            elif body.status == 200:
                yield _described(body, 0, body.length)
            else:
                raise _refused(body, url, headers, name)


def _ranged(body: WireBody, start: int, stop: int | None, name: str) -> Part:
    told = _CONTENT_RANGE.fullmatch(body.headers.get("content-range", "").strip())
    if told is None or int(told[1]) != start or (stop is not None and int(told[2]) >= stop):
        asked = f"{start}-{'' if stop is None else stop - 1}"
        raise UnreadableAnswer(f"{name}: bytes {asked} were asked for, and another part was given")
    return _described(body, start, None if told[3] == "*" else int(told[3]))


def _described(body: WireBody, start: int, total: int | None) -> Part:
    headers = body.headers
    crc = _CRC32C.search(headers.get("x-goog-hash", ""))
    # A weak ETag does not promise the same bytes.
    etag = headers.get("etag", "")
    validator = "" if etag.startswith("W/") else etag
    return Part(
        body,
        start,
        total,
        validator or headers.get("last-modified", ""),
        headers.get("x-goog-generation", ""),
        crc32c_number(crc[1]) if crc else None,
        headers.get("content-encoding", "").strip().lower().replace("identity", ""),
        body.delimited,
    )


def crc32c_number(text: str | None) -> int | None:
    """A CRC-32C as Google writes it, base64 of four bytes, as a number; ``None`` for anything else."""
    try:
        raw = base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return int.from_bytes(raw, "big") if len(raw) == 4 else None


def _refused(body: WireBody, url: SecretUrl, headers: Mapping[str, str], name: str) -> Exception:
    if body.status in (412, 416):
        return ObjectChanged(f"{name} is not what it was when it was listed (answer {body.status})")
    # A bucket is read with a token, which a proxy's page may repeat as well.
    sent = Secret(headers.get("Authorization", "").rpartition(" ")[2])
    response = Response(body.status, body.headers, scrubbed(body.text(), url, sent))
    return unhappy(Request("GET", name), response, time.time())
