"""A tar archive that is never written: its bytes at any offset follow from the plan and the files.

Nothing stands in front of a member that depends on its bytes, so each is read once, straight into the block that is
sent, and one that is gone on with in the middle is read from there.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import closing
from io import BytesIO

from visionbatch.transfer.members import OpenMember, PlannedMember, Readable, opened
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.tar_format import END_OF_ARCHIVE, member_header, member_header_size, member_size, padding


class TarShard:
    """The archive of a plan, as a `visionbatch.transfer.source.Source`.

    :param plan: members in the order the archive has them.
    :param open_member: gives a member's bytes from an offset on, such as ``Tree.open``.
    """

    def __init__(self, plan: Plan, open_member: OpenMember) -> None:
        self._plan = plan
        self._open = open_member
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

    def verify(self) -> None:
        """Nothing to look at in advance: members are compared with the plan while they are read."""

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[memoryview]:
        """See `visionbatch.transfer.source.Source.blocks`; all blocks but the last are full."""
        if offset < stop:
            with closing(self._parts(offset)) as parts:
                yield from _filled(parts, stop - offset, block_bytes)

    def _parts(self, offset: int) -> Generator[Readable]:
        """The archive from an offset on: headers and members in turn, each to be read to its end."""
        first = max(bisect_right(self._starts, offset) - 1, 0)
        for index in range(first, len(self._plan)):
            yield from self._member(index, max(offset - self._starts[index], 0))
        yield BytesIO(END_OF_ARCHIVE[max(offset - self._end, 0) :])

    def _member(self, index: int, skip: int) -> Iterator[Readable]:
        """Header, bytes and padding of one member, from ``skip`` on."""
        path, size = self._plan.path(index), self._plan.size(index)
        ahead = member_header_size(path, size)
        if skip < ahead:
            yield BytesIO(member_header(path, size)[skip:])
        start = max(skip - ahead, 0)
        if start < size or skip < ahead:
            name = path.decode()
            with opened(self._open, name, start) as file:
                yield PlannedMember(file, name, start, size)
        yield BytesIO(bytes(padding(size))[max(start - size, 0) :])


def _filled(parts: Iterator[Readable], length: int, block_bytes: int) -> Iterator[memoryview]:
    """The parts' bytes in blocks: twenty headers and photos are one system call, not forty."""
    block = memoryview(bytearray(min(block_bytes, length)))
    filled = 0
    for part in parts:
        while count := part.readinto(block[filled : filled + length]):
            filled += count
            length -= count
            if filled == len(block) or not length:
                yield block[:filled]
                filled = 0
            if not length:
                return
