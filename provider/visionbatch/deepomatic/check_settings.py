"""What the check of the work orders should know and how far it may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch.config import MIB
from visionbatch.errors import ConfigError

VALUE_TYPES = ("text", "number", "boolean")
"""Types of metadata on Deepomatic's page on configuring metadata."""


@dataclass(frozen=True)
class CheckSettings:
    """What the check of the work orders should know and how far it may go.

    :param task_groups: names that photos may begin with; ``None`` when they are not known, so that any
        name passes. They are listed on the page of the application version.
    :param required_metadata: name of a value in ``metadata.json`` → ``text``, ``number``, ``boolean``.
    :param required_parameters: the same for ``parameters.json``, which older applications ask for.
    :param max_image_bytes: size from which a photo gets a warning. Deepomatic's page on the analyze
        endpoint says 5 MB, for archives nothing is documented; so it only warns, and counts a
        megabyte as a million to warn early rather than late.
    :param max_document_bytes: size of a JSON document that is refused; it is parsed in memory.
    :param max_pixels: width times height that is refused. The default is where Pillow stops: twice its
        ``MAX_IMAGE_PIXELS``.
    :param max_files: files in one work order; keeps the memory of the check flat.
    :param deep: decode every photo wholly, which needs the package ``pillow`` and much time.
    :raises ConfigError: for a value that makes no sense.
    """

    task_groups: tuple[str, ...] | None = None
    required_metadata: Mapping[str, str] = field(default_factory=dict)
    required_parameters: Mapping[str, str] = field(default_factory=dict)
    max_image_bytes: int = 5_000_000
    max_document_bytes: int = 1 * MIB
    max_pixels: int = 178_956_970
    max_files: int = 5_000
    deep: bool = False

    def __post_init__(self) -> None:
        if self.task_groups is not None:
            object.__setattr__(self, "task_groups", _names(self.task_groups))
        for name in ("required_metadata", "required_parameters"):
            _refuse_unknown_types(name, getattr(self, name))
        for name in ("max_image_bytes", "max_document_bytes", "max_pixels", "max_files"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be greater than 0")

    def required(self, document: str) -> Mapping[str, str]:
        """What ``metadata.json`` or ``parameters.json`` must hold."""
        by_document = {
            "metadata.json": self.required_metadata,
            "parameters.json": self.required_parameters,
        }
        return by_document[document]


def _names(given: Any) -> tuple[str, ...]:
    # A single string is a tuple of letters to Python, and would pass none of the photos.
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise ConfigError("task_groups must be a list of names")
    return tuple(given)


def _refuse_unknown_types(setting: str, required: Mapping[str, str]) -> None:
    for name, kind in required.items():
        if kind not in VALUE_TYPES:
            raise ConfigError(f"{setting} gives {name!r} the type {kind!r}; known are {', '.join(VALUE_TYPES)}")
