"""A member's bytes while an archive is computed, and how one that is no longer what was planned is noticed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import BinaryIO, Protocol

from visionbatch.errors import InputChanged

OpenMember = Callable[[str, int], BinaryIO]
"""Gives a member's bytes from an offset on, such as ``Tree.open``."""

_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOMEM})
"""Troubles of a disk or network drive that say nothing about the file."""


class Readable(Protocol):
    """Bytes in order, and nothing more at the end."""

    def readinto(self, room: memoryview, /) -> int:
        """Fill room as far as possible; 0 at the end."""


def opened(open_member: OpenMember, path: str, offset: int) -> BinaryIO:
    """A member from an offset on.

    :raises InputChanged: when it has gone, became a link, or may not be read any more.
    :raises OSError: for a trouble that may pass.
    """
    try:
        return open_member(path, offset)
    except OSError as error:
        if error.errno is None or error.errno in _PASSING:
            raise
        raise InputChanged(f"{path} can no longer be read: {error.strerror or error}") from error


class PlannedMember:
    """A member's bytes from an offset to its planned end, which must also be its real one.

    :param file: stands at the offset already.
    :param size: bytes of the whole member, as planned.
    """

    def __init__(self, file: BinaryIO, path: str, offset: int, size: int) -> None:
        self._file = file
        self._path = path
        self._position = offset
        self._size = size
        self._ended = False

    def readinto(self, room: memoryview, /) -> int:
        """See `Readable.readinto`.

        :raises InputChanged: when the file ends before its planned end, or goes on behind it.
        """
        left = self._size - self._position
        count = 0
        if left:
            count = self._file.readinto(room[:left])  # type: ignore[attr-defined]  # every binary reader has it
            self._position += count
            if not count:
                raise self._changed(self._position)
        if count == left and not self._ended:
            self._ended = True
            if self._file.read(1):
                raise self._changed(self._size + 1)
        return count

    def _changed(self, found: int) -> InputChanged:
        return InputChanged(f"{self._path} is not what was planned: {found} bytes instead of {self._size}")
