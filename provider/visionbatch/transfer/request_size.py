"""How much of an archive the next request carries.

Every request costs one wait for its answer, so the fewest are best: one for all there is. That the session works is
known, for it has just been made, or just been asked where it stands. A break in the middle costs nothing either: the
server keeps what it has, and says so. What speaks for shorter requests is only met on the way, such as a proxy that
refuses long bodies or cuts long connections; so they become short after a failure, and longer again while all is well.
"""

from __future__ import annotations

from visionbatch.config import CHUNK_UNIT, MIB

GROWTH = 8
"""From 8 MiB to 4 GiB in three requests, while a proxy's limit is found by three tries at most."""

AFTER_FAILURE = 8 * MIB
"""What Google suggests for lines that break (its upload documentation)."""

UNLIMITED = 1 << 62


class RequestSize:
    """Bytes of the next request.

    :param longest: of any, a multiple of 256 KiB; 0 is no limit.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest or UNLIMITED
        self._size = self._longest

    def stop(self, start: int, total: int) -> int:
        """Where a request that starts at ``start`` ends."""
        return min(start + self._size, total)

    def worked(self) -> None:
        """Grow."""
        self._size = min(self._size * GROWTH, self._longest)

    def failed(self) -> None:
        """Shrink."""
        shorter = min(self._size // GROWTH, AFTER_FAILURE) // CHUNK_UNIT * CHUNK_UNIT
        self._size = min(max(shorter, CHUNK_UNIT), self._longest)

    @property
    def shortest(self) -> bool:
        """Whether no shorter request is possible."""
        return self._size <= CHUNK_UNIT
