"""A tar archive that is never written: its bytes at any offset follow from the plan and the files.

Nothing stands in front of a member that depends on its bytes, so each is read once, and a large one that is gone on
with in the middle is read from there.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain

from visionbatch.config import MIB
from visionbatch.model.tree import Tree
from visionbatch.transfer.computed import ComputedArchive
from visionbatch.transfer.members import read_part, read_whole, skipped
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.tar_format import END_OF_ARCHIVE, member_header, member_size, padding

WHOLE_BYTES = 1 * MIB
"""A member up to this size is read with one call; of a larger one never more than a piece is held."""


class TarShard(ComputedArchive):
    """The tar of a plan; see `visionbatch.transfer.computed.ComputedArchive`."""

    def __init__(self, plan: Plan, tree: Tree) -> None:
        super().__init__(plan, tree)
        self._starts = array("Q")
        position = 0
        for path, size in plan:
            self._starts.append(position)
            position += member_size(path, size)
        self._end = position

    @property
    def size(self) -> int:
        """Bytes of the whole archive."""
        return self._end + len(END_OF_ARCHIVE)

    def _pieces(self, offset: int, stop: int) -> Iterator[bytes]:
        first = max(bisect_right(self._starts, offset) - 1, 0)
        for index in range(first, len(self._plan)):
            start = self._starts[index]
            yield from self._member(index, max(offset - start, 0), stop - start)
        yield from skipped([END_OF_ARCHIVE], max(offset - self._end, 0))

    def _member(self, index: int, skip: int, stop: int) -> Iterable[bytes]:
        """Header, bytes and padding of one member, from ``skip`` on; of a large one no further than ``stop``."""
        path, size = self._plan.member(index)
        header, rest = member_header(path, size), bytes(padding(size))
        if size <= WHOLE_BYTES:
            pieces = (header, read_whole(self._tree, path.decode(), size), rest)
            return skipped(pieces, skip) if skip else pieces
        ahead = len(header)
        start, end = min(max(skip - ahead, 0), size), min(stop - ahead, size)
        content = read_part(self._tree, path.decode(), size, start, end)
        return chain(skipped([header], skip), content, skipped([rest], max(skip - ahead - size, 0)))
