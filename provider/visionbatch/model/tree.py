"""A folder of work orders, wherever it lies: local disk, object store, or inside a ready-made zip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol, runtime_checkable


class Kind(StrEnum):
    """What stands behind a name in a folder."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


class Trouble(StrEnum):
    """What an archive can do wrong that a folder on disk cannot."""

    NOT_AN_ARCHIVE = "not-an-archive"
    PATH = "path"
    ENCRYPTED = "encrypted"
    COMPRESSION = "compression"
    EXPANSION = "expansion"
    DUPLICATE = "duplicate"
    NAME_ENCODING = "name-encoding"


@dataclass(frozen=True)
class Defect:
    """One trouble of an archive or of one of its members, with the particulars in words."""

    trouble: Trouble
    detail: str


@dataclass(frozen=True)
class Entry:
    """One name in a folder.

    :param name: a single path component, exactly as stored.
    :param kind: a link is reported as one and never followed; `Kind.OTHER` is a pipe, socket or device.
    :param size: bytes, for files.
    :param defect: what is wrong with it as a member of an archive; always ``None`` outside one.
    """

    name: str
    kind: Kind
    size: int = 0
    defect: Defect | None = None


class Tree(Protocol):
    """Reading access to a folder of work orders."""

    @property
    def location(self) -> str:
        """Where it is, for messages; without credentials."""

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The names in the root, or in the folder given, sorted by name.

        :raises OSError: when the folder cannot be listed.
        """

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """The bytes of a file from an offset on; never through a link.

        :raises OSError: when it cannot be read, or is not a plain file.
        """

    def read(self, path: str, size: int) -> bytes:
        """The bytes of a file that was listed with so many, at the least cost; one more shows that it has grown.

        :raises OSError: as `open` does.
        """


@runtime_checkable
class Archive(Tree, Protocol):
    """A tree inside a file, which may be damaged or hold what no folder could show."""

    def defects(self) -> Iterator[tuple[str, Defect]]:
        """Path and defect of whatever `entries` cannot list; path empty for the whole archive."""


@dataclass(frozen=True)
class Member:
    """One file that goes into the archive.

    :param path: ``work order/file name``.
    :param size: bytes when it was listed.
    :param head: its first bytes, at most `HEAD_BYTES`: with path and size they identify it.
    """

    path: str
    size: int
    head: bytes


HEAD_BYTES = 4096
"""A photo's header with its capture time lies in the first 4 KiB, which the image check reads anyway."""


@dataclass(frozen=True)
class WorkOrder:
    """One work order that passed the check, its members in the order the archive has them."""

    name: str
    members: tuple[Member, ...]
