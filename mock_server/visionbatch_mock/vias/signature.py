"""`SDK-HMAC-SHA256`: what a request's signature should be, computed from the request as it arrived.

By Huawei's guide on signing API requests. Which headers are signed is the client's choice and is read
from its header; only `x-sdk-date` has to be among them.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from urllib.parse import quote, unquote, unquote_plus

ALGORITHM = "SDK-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{{64}})")
_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Credential:
    """What an `Authorization` header says."""

    access_key: str
    signed: tuple[str, ...]
    signature: str

    @classmethod
    def of(cls, header: str) -> Self | None:
        """The parts of a header, or None when it is not one of this kind."""
        found = _AUTHORIZATION.fullmatch(header.strip())
        return found and cls(found[1], tuple(found[2].split(";")), found[3])


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came off the wire. Header names are lower case, `target` is percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> str:
        """The text of `X-Sdk-Date`, empty without one."""
        return self.headers.get("x-sdk-date", "")

    @property
    def signed_at(self) -> float | None:
        """Epoch seconds of `X-Sdk-Date`; None when it is missing or no date."""
        try:
            return datetime.strptime(self.date, _DATE).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None


def canonical_requests(received: Received, signed: tuple[str, ...]) -> list[str]:
    """The forms of which a right signature may have been made; two only when the body is empty."""
    path, _, query = received.target.partition("?")
    head = [received.method.upper(), _path(path), _query(query), _headers(received, signed), ";".join(signed)]
    return ["\n".join([*head, digest]) for digest in _digests(received)]


def signature(secret: str, date: str, canonical: str) -> str:
    """Lower-case hexadecimal HMAC of the text to sign."""
    text = "\n".join([ALGORITHM, date, hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def verified(received: Received, credential: Credential, secret: str) -> bool:
    """Whether the request was signed with `secret`."""
    return any(
        hmac.compare_digest(signature(secret, received.date, canonical), credential.signature)
        for canonical in canonical_requests(received, credential.signed)
    )


def _path(raw: str) -> str:
    joined = "/".join(_encoded(unquote(segment)) for segment in raw.split("/"))
    return joined if joined.endswith("/") else joined + "/"


def _query(raw: str) -> str:
    pairs = [pair.partition("=") for pair in raw.split("&") if pair]
    encoded = sorted((_encoded(unquote_plus(name)), _encoded(unquote_plus(value))) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _headers(received: Received, signed: tuple[str, ...]) -> str:
    return "".join(f"{name}:{received.headers.get(name, '').strip()}\n" for name in signed)


def _digests(received: Received) -> list[str]:
    actual = hashlib.sha256(received.body).hexdigest()
    told = received.headers.get("x-sdk-content-sha256", actual)
    if told == UNSIGNED_PAYLOAD:
        # The official client hashes an empty body even then.
        return [told] if received.body else [told, actual]
    # A declared hash of other bytes is what somebody in the middle would send.
    return [actual] if told == actual else []


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
