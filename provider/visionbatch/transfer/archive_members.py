"""What readers of archives give: one member after the other, and why one of them may not be unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class MemberKind(StrEnum):
    """What a member is; all but the first two are refused, under these names."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    DEVICE = "device"
    SPARSE = "sparse-file"
    ENCRYPTED = "encrypted"
    COMPRESSION = "unknown-compression"
    UNKNOWN = "unknown-kind"


class MemberBody(Protocol):
    """The unpacked bytes of a member."""

    def read(self, size: int, /) -> bytes:
        """At most so many; none at the end.

        :raises Damaged: when the archive ends first, or a checksum of its own does not fit.
        """


@dataclass(frozen=True)
class Member:
    """One member as the archive describes it.

    :param name: as it stands there, unchecked.
    :param size: unpacked bytes that it says it has.
    :param body: to be read before the next member is asked for, or not at all.
    """

    name: str
    kind: MemberKind
    size: int
    body: MemberBody
