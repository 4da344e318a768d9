"""The four things a flow may ask for, and the values that come back."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from visionbatch.errors import UnreadableAnswer
from visionbatch.model.secret import Secret, scrubbed
from visionbatch.model.text import excerpt

MAX_DEPTH = 64
"""Nesting of a JSON answer beyond which it is taken for an attack; the vendors' answers stay below 10."""


@dataclass(frozen=True)
class Body:
    """A body that is not JSON, such as a form with a small file.

    :param kind: its content type.
    """

    content: bytes = field(repr=False)
    kind: str


@dataclass(frozen=True)
class Request:
    """One control-plane request, to the service's own origin.

    Only a path can be named, never a host, and no credential: both belong to the plane that sends it.

    :param path: absolute path on the service's origin.
    :param query: pairs, in order.
    :param body: JSON value to send, or a `Body`; ``None`` sends an empty body.
    :param repeatable: whether sending it twice does no more than sending it once.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    repeatable: bool = True

    @property
    def kind(self) -> str:
        """The content type of the body."""
        return self.body.kind if isinstance(self.body, Body) else "application/json"


@dataclass(frozen=True)
class Response:
    """One whole answer, its body below the cap of the plane.

    :param headers: names in lower case.
    :param credential: which of the plane's credentials it was asked with; see `Send`.
    :param secrets: what was secret in the request, and is in no text about the answer, should that repeat it.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    credential: int = 0
    secrets: tuple[Secret, ...] = field(default=(), repr=False, compare=False)

    def shown(self, text: bytes | None = None) -> str:
        """The beginning of the body, or of a text out of it, safe to print."""
        return excerpt(scrubbed(self.body if text is None else text, *self.secrets))

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        :raises UnreadableAnswer: for anything else, with its beginning in the message.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise UnreadableAnswer(f"the answer is JSON but not an object: {self.shown()}")
        return value

    def json(self) -> Any:
        """The body as JSON.

        :raises UnreadableAnswer: when it is HTML, cut, not UTF-8, or nested beyond `MAX_DEPTH`.
        """
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.shown(self.headers.get("content-type", "no content type").encode("utf-8", "replace"))
            # A decoder's error holds the whole document.
            raise UnreadableAnswer(
                f"the answer with status {self.status} is not JSON ({kind}): {self.shown()}"
            ) from None
        if _deeper_than(value, MAX_DEPTH):
            raise UnreadableAnswer(f"the answer is JSON nested deeper than {MAX_DEPTH} levels")
        return value


def _deeper_than(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            child
            for item in layer
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True


@dataclass(frozen=True)
class Send:
    """Ask for the request to be sent; answered with a `Response`, or a `TransportError` is thrown in.

    :param refused: number of the credential that was refused. The plane renews it, once for all who share
        it, and sends with the new one; when there is no other, nothing is sent and the answer is ``None``.
    """

    request: Request
    refused: int | None = None


@dataclass(frozen=True)
class Pause:
    """Ask to go on later, at a moment drawn evenly from the range; answered with ``None``.

    :param at_least: seconds.
    :param at_most: seconds; the spread keeps thousands of watchers from asking in step.
    """

    at_least: float
    at_most: float

    def capped(self, seconds: float) -> Pause:
        """The same pause, no end of its range later than ``seconds``."""
        ceiling = max(seconds, 0.0)
        return Pause(min(self.at_least, ceiling), min(self.at_most, ceiling))


@dataclass(frozen=True)
class Now:
    """Ask for the time; answered with Unix seconds, which mean the same in every process."""


@dataclass(frozen=True)
class Together:
    """Ask for flows that have nothing to do with each other; answered with ``None`` when the last one has ended.

    A loop runs some of them at a time, a thread one after the other. An error that leaves one of them ends the others,
    and is thrown in.

    :param flows: taken from one by one, so that thousands need not be there at once.
    """

    flows: Iterator[Flow[None]]


Effect: TypeAlias = Send | Pause | Now | Together
T = TypeVar("T")
Flow: TypeAlias = Generator[Effect, Any, T]
