"""Where the files of a data export lie in the bucket. The vendor's page leaves that open, so all of it is a setting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from string import Formatter

from visionbatch.errors import ConfigError

DATA_PATTERNS = ("*.jsonl", "*.json")
"""The format is called json and means JSON Lines, so both endings are taken."""

IMAGE = "{site_id}/images/{input_id}{file_extension}"
"""An image is named by its input's id and extension; what stands before is not documented."""

_URI = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(?P<prefix>[^?#]*))?")

_PLACEHOLDERS = {
    "site_id": r"[^/]+",
    "work_order_id": r"[^/]+",
    "work_item_id": r"[^/]+",
    "input_id": r"[^/.]+",
    "file_extension": r"(?:\.[A-Za-z0-9]+)?",
}


def bucket_uri(text: str) -> tuple[str, str]:
    """Bucket and prefix of a ``gs://bucket[/prefix]``; the slash at the end is optional.

    The prefix comes back exact, with a slash at its end: without, ``site1`` would take ``site10`` along.

    :raises ConfigError: rule ``storage-uri``.
    """
    found = _URI.fullmatch(text)
    if found is None or "//" in text.removeprefix("gs://"):
        raise ConfigError(f"storage-uri: {text!r} is not gs://bucket or gs://bucket/prefix")
    prefix = (found["prefix"] or "").strip("/")
    return found["bucket"], f"{prefix}/" if prefix else ""


@dataclass(frozen=True)
class ExportLayout:
    """Which objects of a bucket are an export's data, and which are its images.

    :param prefix: what the names of all of them begin with, exactly.
    :param patterns: shell patterns of the data files, against the name behind the prefix; ``*`` takes slashes too.
    :param image: template of an image's name behind the prefix, with ``{input_id}`` and any of ``{site_id}``,
        ``{work_order_id}``, ``{work_item_id}`` and ``{file_extension}``, the last with its dot.
    :raises ConfigError: rules ``prefix``, ``patterns`` and ``image-template``.
    """

    prefix: str = ""
    patterns: tuple[str, ...] = DATA_PATTERNS
    image: str = IMAGE

    def __post_init__(self) -> None:
        if self.prefix.startswith("/") or (self.prefix and not self.prefix.endswith("/")):
            raise ConfigError(f"prefix: {self.prefix!r} has to end with a slash, and not to begin with one")
        given: object = self.patterns
        if isinstance(given, str) or not self.patterns or not all(self.patterns):
            raise ConfigError("patterns: a list of at least one shell pattern, such as *.jsonl")
        object.__setattr__(self, "patterns", tuple(self.patterns))
        _ = self._image_form

    def relative(self, name: str) -> str | None:
        """What stands behind the prefix; ``None`` for what is elsewhere, or only marks a folder."""
        if not name.startswith(self.prefix) or name.endswith("/"):
            return None
        return name.removeprefix(self.prefix) or None

    def is_data(self, name: str) -> bool:
        """Whether an object is a file of records."""
        relative = self.relative(name)
        return relative is not None and any(fnmatchcase(relative, pattern) for pattern in self.patterns)

    def input_of(self, name: str) -> tuple[str, str] | None:
        """Input id and extension (lower case, with its dot) of an image; ``None`` for what is none."""
        relative = self.relative(name)
        found = self._image_form.fullmatch(relative) if relative is not None and not self.is_data(name) else None
        return None if found is None else (found["input_id"], (found.groupdict().get("file_extension") or "").lower())

    @cached_property
    def _image_form(self) -> re.Pattern[str]:
        form, seen = "", set()
        for text, placeholder, spec, conversion in _pieces(self.image):
            form += re.escape(text)
            if placeholder is None:
                continue
            if placeholder not in _PLACEHOLDERS or spec or conversion:
                known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
                raise ConfigError(f"image-template: {{{placeholder}}} is not one of {known}")
            form += f"(?P={placeholder})" if placeholder in seen else f"(?P<{placeholder}>{_PLACEHOLDERS[placeholder]})"
            seen.add(placeholder)
        if "input_id" not in seen:
            raise ConfigError(f"image-template: {self.image!r} has no {{input_id}}, by which an image is found")
        return re.compile(form)


def _pieces(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"image-template: {template!r} is not a template: {error}") from error
