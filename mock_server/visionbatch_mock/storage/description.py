"""What an object says of itself besides its bytes: type, encoding and the customer's own metadata."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from visionbatch_mock.text import is_text

DEFAULT_TYPE = "application/octet-stream"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

WIRE: Mapping[str, str] = MappingProxyType(
    {
        "content_type": "contentType",
        "content_encoding": "contentEncoding",
        "content_language": "contentLanguage",
        "content_disposition": "contentDisposition",
        "cache_control": "cacheControl",
        "storage_class": "storageClass",
        "custom_time": "customTime",
    }
)
"""The fields' names in Google's object resource."""


class BadDescription(ValueError):
    """A field that cannot be what it is told to be."""


@dataclass(frozen=True, slots=True)
class Description:
    """The part of an object's resource that its owner writes; a field that is not set is None."""

    content_type: str | None = DEFAULT_TYPE
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    storage_class: str | None = None
    custom_time: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, resource: Mapping[str, Any], content_type: str | None = None) -> Self:
        """What a resource describes; `content_type` is that of the request or of its part.

        Raises `BadDescription`.
        """
        return cls(content_type or DEFAULT_TYPE).changed(resource)

    def changed(self, resource: Mapping[str, Any]) -> Self:
        """The same with the resource's fields put in; null takes a field away, as in a patch."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, wire in WIRE.items():
            if wire in resource:
                told[name] = None if resource[wire] is None else _line(wire, resource[wire])
        if "metadata" in resource:
            told["metadata"] = _merged(self.metadata, resource["metadata"])
        return type(self)(**told)

    def as_json(self) -> dict[str, Any]:
        """The fields that are set, as the resource names them."""
        shown: dict[str, Any] = {wire: getattr(self, name) for name, wire in WIRE.items()}
        shown = {wire: value for wire, value in shown.items() if value is not None}
        return {**shown, "metadata": dict(self.metadata)} if self.metadata else shown

    @property
    def transcodes(self) -> bool:
        """Whether the store may unpack the object for a client that does not take gzip.

        By Google's page on transcoding: a gzip object without `no-transform` in its cache control.
        """
        return self.content_encoding == "gzip" and "no-transform" not in (self.cache_control or "")


def to_header(text: str) -> str | None:
    """A text as a header carries it, which is its UTF-8; None for one that none can carry."""
    if text.isascii() and text.isprintable():
        return text
    return None if _CONTROL.search(text) else text.encode(errors="replace").decode("latin-1")


def from_header(text: str) -> str:
    """The other way round; what is no UTF-8 stays as it came."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _line(wire: str, value: Any) -> str:
    """What goes out as a header: a text in one line."""
    if not is_text(value) or any(unicodedata.category(char) == "Cc" for char in value):
        raise BadDescription(f"Invalid value for {wire}: {value!r}")
    return str(value)


def _merged(before: Mapping[str, str], told: Any) -> dict[str, str]:
    if told is None:
        return dict(before)
    if not isinstance(told, Mapping) or not all(isinstance(each, str | int | float | None) for each in told.values()):
        raise BadDescription("metadata has to be an object of texts")
    merged = {**before, **{str(key): value for key, value in told.items()}}
    return {key: str(value) for key, value in merged.items() if value is not None}
