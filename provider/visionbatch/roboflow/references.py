"""Files named by address: what a list of them may say, judged before the first request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urlsplit

from visionbatch.errors import InvalidInput, UnsafeUrl
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.outside import outside_url
from visionbatch.model.text import printable
from visionbatch.roboflow.media import FINDINGS_KEPT

NAME_CHARS = 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """One file.

    :param name: unique in its batch.
    :param url: signed, and so a secret.
    """

    name: str
    url: str = field(repr=False)


class ReferenceList(Protocol):
    """References that were judged, and can be read as often as needed."""

    @property
    def location(self) -> str:
        """Where they come from, for messages."""

    @property
    def fingerprint(self) -> str:
        """Identity of what they lead to: names and addresses without signatures, which differ each time."""

    def __len__(self) -> int:
        """How many there are."""

    def chunk(self, start: int, stop: int) -> Sequence[Reference]:
        """Some of them."""


@dataclass(frozen=True)
class References:
    """A list of references in memory, half a KiB each."""

    location: str
    fingerprint: str
    found: Sequence[Reference] = field(repr=False)

    def __len__(self) -> int:
        return len(self.found)

    def chunk(self, start: int, stop: int) -> Sequence[Reference]:
        """See `ReferenceList.chunk`."""
        return self.found[start:stop]


def references_of(items: Iterable[object], location: str, *, allow_inside: bool = False) -> References:
    """Judge references.

    :param items: `Reference`, or objects with ``name`` and ``url``, or lines of JSON with these; blank ones count not.
    :param allow_inside: accept addresses inside a network, and http there, as mocks and tests have them.
    :raises InvalidInput: with the findings, or when there are none at all.
    """
    found: list[Reference] = []
    names: set[str] = set()
    findings: list[Finding] = []
    digest = sha256(b"references:")
    refused = 0
    for number, item in enumerate(items, 1):
        if isinstance(item, str | bytes) and not item.strip():
            continue
        try:
            reference = _read(item)
            _require(reference, names, allow_inside=allow_inside)
        except _Wrong as wrong:
            refused += 1
            if len(findings) < FINDINGS_KEPT:
                place = f"{location}:{number}"
                findings.append(Finding(wrong.rule, Severity.ERROR, place, str(wrong), "Mend or remove the line."))
            continue
        found.append(reference)
        digest.update(_identity(reference))
    if refused:
        raise InvalidInput(f"{location} was refused: {refused} references", findings=findings)
    if not found:
        raise InvalidInput(f"{location} holds no reference")
    return References(location, digest.hexdigest(), found)


class _Wrong(ValueError):
    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def _read(item: object) -> Reference:
    if isinstance(item, Reference):
        return item
    told: Any = item
    if isinstance(item, str | bytes):
        try:
            told = json.loads(item)
        except (ValueError, RecursionError) as error:
            raise _Wrong("reference-line", "it is not JSON") from error
    if not isinstance(told, dict) or set(told) != {"name", "url"}:
        raise _Wrong("reference-line", "it is not an object with name and url, and nothing else")
    if not all(isinstance(value, str) for value in told.values()):
        raise _Wrong("reference-line", "name and url are texts")
    return Reference(told["name"], told["url"])


def _require(reference: Reference, names: set[str], *, allow_inside: bool) -> None:
    """Judge one reference, and note its name."""
    name = reference.name
    if not name.strip() or not name.isprintable() or "\\" in name or len(name) > NAME_CHARS:
        raise _Wrong("reference-name", f"{printable(name, 60)!r} is no name of a file")
    if name in names:
        raise _Wrong("reference-name-twice", f"{printable(name, 60)} is there already; take the whole key, not its end")
    names.add(name)
    schemes = ("https", "http") if allow_inside else ("https",)
    try:
        outside_url(reference.url, what="url", schemes=schemes, allow_inside=allow_inside)
    except UnsafeUrl as error:
        raise _Wrong("reference-url", error.what) from None


def _identity(reference: Reference) -> bytes:
    parts = urlsplit(reference.url)
    return json.dumps([reference.name, parts.scheme, parts.netloc, parts.path]).encode()
