"""What an upload session answers: what a status means, how much has arrived, and what became of the finished object."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Meaning(StrEnum):
    """What an answer on the session says."""

    COMPLETE = "complete"
    PERSISTED = "persisted"
    DOUBTFUL = "doubtful"
    LOST = "lost"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ELSEWHERE = "elsewhere"
    TOO_LONG = "too long"
    REFUSED = "refused"


_STATUSES = {
    200: Meaning.COMPLETE,
    201: Meaning.COMPLETE,
    308: Meaning.PERSISTED,
    401: Meaning.REJECTED,
    403: Meaning.REJECTED,
    404: Meaning.LOST,
    408: Meaning.DOUBTFUL,
    410: Meaning.LOST,
    413: Meaning.TOO_LONG,
    429: Meaning.DOUBTFUL,
    499: Meaning.CANCELLED,
}
_FAMILIES = {3: Meaning.ELSEWHERE, 4: Meaning.REFUSED, 5: Meaning.DOUBTFUL}


@dataclass(frozen=True)
class Reply:
    """One answer on the session URL.

    :param headers: names in lower case.
    :param body: its beginning, enough for an object resource or an error text.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def meaning(self) -> Meaning:
        """What the status says; a 308 that carries a ``Location`` is a redirect and no progress."""
        if self.status == 308 and "location" in self.headers:
            return Meaning.ELSEWHERE
        return _STATUSES.get(self.status) or _FAMILIES.get(self.status // 100, Meaning.DOUBTFUL)

    @property
    def persisted(self) -> int | None:
        """Bytes that a 308 acknowledges, 0 without ``Range``; ``None`` when the header is malformed."""
        value = self.headers.get("range")
        if value is None:
            return 0
        match = re.fullmatch(r"bytes=0-(\d{1,18})", value.strip())
        return int(match[1]) + 1 if match else None

    @property
    def is_gap(self) -> bool:
        """Whether it is the 503 of a chunk that starts after the persisted end."""
        plain = self.headers.get("content-type", "").startswith("text/plain")
        return self.status == 503 and plain and b"content-range" in self.body.lower()


@dataclass(frozen=True)
class Stored:
    """What the server says of the finished object; each is ``None`` when it does not say.

    :param size: bytes.
    :param crc32c: CRC-32C as a number.
    """

    size: int | None = None
    crc32c: int | None = None

    @classmethod
    def read(cls, reply: Reply) -> Stored | None:
        """From the JSON resource, or from the headers of a session of the other kind.

        ``None`` when there is a body that cannot be read: the answer was cut, and the upload is not known to be done.
        """
        headers = reply.headers
        hashes = dict(part.strip().split("=", 1) for part in headers.get("x-goog-hash", "").split(",") if "=" in part)
        size: Any = headers.get("x-goog-stored-content-length")
        crc: Any = hashes.get("crc32c")
        if reply.body.strip():
            try:
                resource = json.loads(reply.body)
            except (ValueError, RecursionError):
                return None
            if not isinstance(resource, dict):
                return None
            size, crc = resource.get("size", size), resource.get("crc32c", crc)
        return cls(_whole_number(size), _crc_from_base64(crc))


def _whole_number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _crc_from_base64(value: Any) -> int | None:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None
    return int.from_bytes(raw, "big") if len(raw) == 4 else None
