"""Values that carry authority, wrapped so that printing them shows nothing of use."""

from __future__ import annotations

import hashlib
import json
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from visionbatch.errors import ConfigError

TELLING_CHARS = 12
"""A query value this long may be the one that carries the authority; shorter ones are words like ``resumable``."""


class Secret:
    """A key or token; only `reveal` gives it away.

    It prints, formats, pickles and serialises as ``***``; two are equal when they hide the same value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; called where it goes on the wire and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        """A pickled secret is an empty one: it must be asked for again on the other side."""
        return Secret, ("",)


def usable_key(key: Secret, what: str = "the API key") -> str:
    """A key as it goes on the wire.

    :param what: what it is called, for the message.
    :raises ConfigError: for one that no header can carry, such as one pasted with a line break.
    """
    text = key.reveal()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(f"{what} is empty or has characters that no key has; was it pasted with a line break?")
    return text


def scrubbed(text: bytes, secret: Secret) -> bytes:
    """A foreign text without a secret, as it is and as JSON, HTML and addresses write it."""
    plain = secret.reveal()
    as_json = (json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1])
    quoted = (quote(plain), quote(plain, safe=""), escape(plain))
    ways = {plain, *as_json, *(way.replace("/", "\\/") for way in as_json), *quoted}
    for way in sorted(ways - {""}, key=len, reverse=True):
        text = text.replace(way.encode("utf-8", "surrogatepass"), b"***")
    return text


class SecretUrl(Secret):
    """A URL that itself is the credential: an upload session, a signed download.

    It prints as its host and eight hexadecimal digits of its SHA-256, enough to tell two apart.
    """

    __slots__ = ()

    @property
    def host(self) -> str:
        """Host name, without port."""
        return urlsplit(self._value).hostname or ""

    def scrub(self, text: bytes) -> bytes:
        """A foreign text without this URL's path, query or long query values, which a proxy's page likes to repeat."""
        parts = urlsplit(self._value)
        pieces = [f"{parts.path}?{parts.query}", parts.query, *(value for _, value in parse_qsl(parts.query))]
        for piece in pieces:
            if len(piece) >= TELLING_CHARS:
                text = text.replace(piece.encode(), b"***").replace(quote(piece).encode(), b"***")
        return text

    def __str__(self) -> str:
        digest = hashlib.sha256(self._value.encode()).hexdigest()[:8]
        return f"<{self.host} #{digest}>"

    def __repr__(self) -> str:
        return f"SecretUrl({self})"

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return SecretUrl, ("",)


def written_out(value: Any, *, sort_keys: bool = False) -> bytes:
    """A JSON value as bytes, with every `Secret` in it in clear; called where it goes on the wire, or into a digest.

    :raises TypeError: for what is not JSON.
    :raises ValueError: for a number that is not finite.
    """
    return json.dumps(value, allow_nan=False, sort_keys=sort_keys, default=_revealed).encode()


def _revealed(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is not JSON")
