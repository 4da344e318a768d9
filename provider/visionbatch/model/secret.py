"""Values that carry authority, wrapped so that printing them shows nothing of use."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

from visionbatch.errors import ConfigError

TELLING_CHARS = 12
"""A query value this long may be the one that carries the authority; shorter ones are words like ``resumable``. As long
a piece of base64 is no accident."""


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

    def pieces(self) -> Iterable[str]:
        """What of it may be shown nowhere."""
        yield self._value

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


def scrubbed(text: bytes, *secrets: Secret) -> bytes:
    """A foreign text without these secrets, in whichever way it writes them.

    Gateways and proxies repeat what they were sent: as it is, as JSON, HTML, Python or an address writes it, in base64.
    """
    ways = {way for secret in secrets for piece in secret.pieces() for way in _spellings(piece)}
    for way in sorted(ways - {b""}, key=len, reverse=True):
        text = text.replace(way, b"***")
    return text


def _spellings(plain: str) -> set[bytes]:
    as_json = (json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1])
    as_html = plain.translate(_IN_HTML)
    once = {
        quote(plain, errors="surrogatepass"),
        quote(plain, "", errors="surrogatepass"),
        quote_plus(plain, errors="surrogatepass"),
    }
    quoted = once | {quote(way, "") for way in once}
    ways = {plain, repr(plain)[1:-1], *as_json, as_html, as_html.replace("&#x27;", "&#39;"), *quoted}
    ways |= {way.replace("/", "\\/") for way in as_json} | {
        _ESCAPE.sub(lambda found: found[0].lower(), way) for way in quoted
    }
    raw = [way.encode("utf-8", "surrogatepass") for way in ways]
    return {*raw, *_in_base64(plain.encode("utf-8", "surrogatepass"))}


_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

_ESCAPE = re.compile("%[0-9A-F]{2}")


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What of it stands in base64 whatever is before and behind it, in both alphabets."""
    for ahead, skipped in enumerate((0, 2, 3)):
        core = b64encode(bytes(ahead) + raw)[skipped : (ahead + len(raw)) * 8 // 6]
        if len(core) >= TELLING_CHARS:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))


class SecretUrl(Secret):
    """A URL that itself is the credential: an upload session, a signed download.

    It prints as its host and eight hexadecimal digits of its SHA-256, enough to tell two apart.
    """

    __slots__ = ()

    @property
    def host(self) -> str:
        """Host name, without port."""
        return urlsplit(self._value).hostname or ""

    def pieces(self) -> Iterable[str]:
        """All of it; and path, query and long values of the query, which a page likes to repeat without the rest."""
        parts = urlsplit(self._value)
        values = [pair.partition("=")[2] for pair in parts.query.split("&")]
        found = [f"{parts.path}?{parts.query}", parts.query, *values, *(unquote_plus(value) for value in values)]
        return [self._value, *(piece for piece in (parts.path, *found) if len(piece) >= TELLING_CHARS)]

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


def secrets_in(value: Any) -> Iterator[Secret]:
    """Every `Secret` in a JSON value."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from secrets_in(item)


def _revealed(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is not JSON")
