"""Where a batch task's results go: OBS, DIS, a webhook, and the console's event center."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from visionbatch.errors import UnsafeUrl
from visionbatch.model.finding import Finding
from visionbatch.model.outside import outside_url
from visionbatch.model.secret import Secret, SecretUrl
from visionbatch.vias.fields import listed, only, typed, without_none
from visionbatch.vias.rulebook import RULES

MOST_CATEGORIES = 10
MOST_HEADERS = 10

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4096}")


@dataclass(frozen=True)
class ObsOutput:
    """Result files in a bucket (table 9).

    :param path: folder in it; may be empty.
    :param data_category: for the few algorithms that ask for it, such as ``FaceImage`` and ``OriginImage``.
    """

    bucket: str
    path: str
    data_category: tuple[str, ...] | None = None

    def findings(self, path: str) -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["obs-bucket"].on(f"{path}.bucket", self.bucket)
        yield from RULES["obs-path"].on(f"{path}.path", self.path)
        yield from _categories(self.data_category, path)

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        return without_none(vars(self) | {"data_category": _list(self.data_category)})

    @classmethod
    def from_json(cls, value: Any, path: str) -> ObsOutput:
        """Read the documented object.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("bucket", "path", "data_category"), path)
        bucket, folder = (typed(found.get(name), str, f"{path}.{name}") for name in ("bucket", "path"))
        return cls(bucket, folder, _read_categories(found, path))


@dataclass(frozen=True)
class DisOutput:
    """Result records in a stream of the Data Ingestion Service, which has to be there already (table 10)."""

    stream_name: str
    data_category: tuple[str, ...] | None = None

    def findings(self, path: str) -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["dis-stream"].on(f"{path}.stream_name", self.stream_name)
        yield from _categories(self.data_category, path)

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        return without_none(vars(self) | {"data_category": _list(self.data_category)})

    @classmethod
    def from_json(cls, value: Any, path: str) -> DisOutput:
        """Read the documented object.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("stream_name", "data_category"), path)
        return cls(typed(found.get("stream_name"), str, f"{path}.stream_name"), _read_categories(found, path))


@dataclass(frozen=True)
class WebhookOutput:
    """One HTTP POST for each event (table 11).

    :param url: whole address of the receiver; it does not print, for its path may be its secret.
    :param headers: 1 to 10, sent with every event; their values do not print.
    :param allow_inside: the receiver may be inside a network, as for tasks at the edge, which post from there.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str | Secret] = field(repr=False)
    data_category: tuple[str, ...] | None = None
    allow_inside: bool = False

    def findings(self, path: str) -> Iterator[Finding]:
        """What is wrong with it; neither address nor values are repeated."""
        if not RULES["webhook-url"].pattern.fullmatch(self.url):  # type: ignore[union-attr]  # it has one
            yield RULES["webhook-url"].broken(f"{path}.url")
        else:
            yield from self._address_findings(f"{path}.url")
        if not 1 <= len(self.headers) <= MOST_HEADERS:
            yield RULES["webhook-headers"].broken(f"{path}.headers", f"{len(self.headers)} headers, not 1 to 10")
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(_clear(value)):
                yield RULES["webhook-headers"].broken(f"{path}.headers", f"{name!r} is not a header of HTTP")
        yield from _categories(self.data_category, path)

    def _address_findings(self, path: str) -> Iterator[Finding]:
        parts = urlsplit(self.url)
        if parts.scheme == "http":
            yield RULES["webhook-plain-http"].broken(path)
        host = (parts.hostname or "").lower()
        # The vendor's own example has such a name.
        bare = re.fullmatch(r"[a-z][a-z0-9-]*", host) is not None and host != "localhost"
        if bare and not self.allow_inside:
            yield RULES["webhook-bare-name"].broken(path, f"{host} has no domain")
        try:
            outside_url(self.url, what="the URL", schemes=("http", "https"), allow_inside=self.allow_inside or bare)
        except UnsafeUrl as error:
            yield RULES["webhook-inside"].broken(path, error.what)

    def to_json(self) -> dict[str, Any]:
        """The documented object; what may be secret is a `Secret` and prints as ``***``."""
        headers = {name: value if isinstance(value, Secret) else Secret(value) for name, value in self.headers.items()}
        return without_none(
            {"url": SecretUrl(self.url), "headers": headers, "data_category": _list(self.data_category)}
        )

    @classmethod
    def from_json(cls, value: Any, path: str) -> WebhookOutput:
        """Read the documented object.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("url", "headers", "data_category", "allow_inside"), path)
        headers = typed(found.get("headers"), dict, f"{path}.headers")
        return cls(
            typed(found.get("url"), str, f"{path}.url"),
            {str(name): typed(text, str, f"{path}.headers") for name, text in headers.items()},
            _read_categories(found, path),
            typed(found.get("allow_inside", False), bool, f"{path}.allow_inside"),
        )


@dataclass(frozen=True)
class Outputs:
    """At least one of the four (table 8).

    :param event_center: show events in the console; no API reads them back.
    """

    obs: ObsOutput | None = None
    dis: DisOutput | None = None
    webhook: WebhookOutput | None = None
    event_center: bool = False

    def findings(self, path: str = "output") -> Iterator[Finding]:
        """What is wrong with them."""
        given = [(name, output) for name, output in self._pairs() if output is not None]
        if not given and not self.event_center:
            yield RULES["output-missing"].broken(path)
        for name, output in given:
            yield from output.findings(f"{path}.{name}")

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        given = {name: output.to_json() for name, output in self._pairs() if output is not None}
        return {**given, **({"event_center": True} if self.event_center else {})}

    @classmethod
    def from_json(cls, value: Any, path: str = "output") -> Outputs:
        """Read the documented object; ``event_center`` may be 1, as the page says.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("obs", "dis", "webhook", "event_center"), path)
        center = found.get("event_center", False)
        return cls(
            ObsOutput.from_json(found["obs"], f"{path}.obs") if found.get("obs") is not None else None,
            DisOutput.from_json(found["dis"], f"{path}.dis") if found.get("dis") is not None else None,
            WebhookOutput.from_json(found["webhook"], f"{path}.webhook") if found.get("webhook") is not None else None,
            True if center == 1 else typed(center, bool, f"{path}.event_center"),
        )

    def _pairs(self) -> tuple[tuple[str, ObsOutput | DisOutput | WebhookOutput | None], ...]:
        return (("obs", self.obs), ("dis", self.dis), ("webhook", self.webhook))


def _categories(words: tuple[str, ...] | None, path: str) -> Iterator[Finding]:
    if words is not None and (len(words) > MOST_CATEGORIES or len(set(words)) < len(words)):
        yield RULES["data-category"].broken(f"{path}.data_category")


def _read_categories(found: Mapping[str, Any], path: str) -> tuple[str, ...] | None:
    if found.get("data_category") is None:
        return None
    place = f"{path}.data_category"
    return tuple(typed(word, str, place) for word in listed(found["data_category"], place))


def _list(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _clear(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
