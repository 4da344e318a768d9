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
from visionbatch.transfer.members import packed, read_part, read_whole, skipped
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.tar_format import END_OF_ARCHIVE, member_header, member_size, padding

WHOLE_BYTES = 1 * MIB
"""A member up to this size is read with one call; of a larger one never more than a piece is held."""


class TarShard:
    """The archive of a plan, as a `visionbatch.transfer.source.Source`.

    :param plan: members in the order the archive has them.
    :param tree: has the members' bytes.
    """

    def __init__(self, plan: Plan, tree: Tree) -> None:
        self._plan = plan
        self._tree = tree
        self._starts = array("Q")
        position = 0
        for path, size in plan:
            self._starts.append(position)
            position += member_size(path, size)
        self._end = position

    @property
    def name(self) -> str:
        """The plan's name."""
        return self._plan.name

    @property
    def size(self) -> int:
        """Bytes of the whole archive."""
        return self._end + len(END_OF_ARCHIVE)

    @property
    def fingerprint(self) -> str:
        """The plan's identity."""
        return self._plan.fingerprint

    @property
    def summary_start(self) -> int:
        """Nothing in a tar sums up what stands before."""
        return self.size

    def verify(self) -> None:
        """Nothing to look at in advance: members are compared with the plan while they are read."""

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[bytes]:
        """See `visionbatch.transfer.source.Source.blocks`."""
        return packed(self._pieces(offset, stop), stop - offset, block_bytes)

    def span(self, offset: int, stop: int) -> None:  # there is no such file
        """There is no file that holds the archive."""

    def _pieces(self, offset: int, stop: int) -> Iterator[bytes]:
        """The archive from an offset on, in pieces of any size; a large member ends with ``stop``."""
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
