"""A zip archive that is never written: its bytes at any offset follow from the plan and the files.

Members are stored, for photos hardly deflate, so every offset is known before a file is read, the bytes are the same on
every machine, and an upload can go on at any of them in another process.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from visionbatch.config import MIB
from visionbatch.errors import InputChanged
from visionbatch.model.tree import Tree
from visionbatch.transfer.checksum import crc32
from visionbatch.transfer.computed import ComputedArchive
from visionbatch.transfer.members import read_part, read_whole, skipped
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.zip_format import (
    central_record,
    central_record_size,
    end_of_directory,
    local_header,
    local_header_size,
)

WHOLE_BYTES = 8 * MIB
"""A member up to this size is read once and kept while it is sent; a larger one is read twice, because its CRC stands
in front of its bytes. Data descriptors would spare the second pass, but some readers refuse them on stored members."""

_UNKNOWN = -1


class ZipArchive(ComputedArchive):
    """The zip of a plan; see `visionbatch.transfer.computed.ComputedArchive`."""

    def __init__(self, plan: Plan, tree: Tree) -> None:
        super().__init__(plan, tree)
        self._starts = array("Q")
        self._crcs = array("q", [_UNKNOWN]) * len(plan)
        # Of the large members that were left in the middle: which, up to where, and the CRC so far.
        self._left_at: deque[tuple[int, int, int]] = deque(maxlen=4)
        position = directory_size = 0
        for path, size in plan:
            self._starts.append(position)
            directory_size += central_record_size(path, size, position)
            position += local_header_size(path, size) + size
        self._directory_start = position
        self._directory_size = directory_size
        self._end = end_of_directory(len(plan), directory_size, position)

    @property
    def size(self) -> int:
        """Bytes of the whole archive."""
        return self._directory_start + self._directory_size + len(self._end)

    @property
    def summary_start(self) -> int:
        """Where the directory starts, which holds the CRC of every member."""
        return self._directory_start

    def _pieces(self, offset: int, stop: int) -> Iterator[bytes]:
        if offset < self._directory_start:
            first = bisect_right(self._starts, offset) - 1
            for index in range(first, len(self._plan)):
                start = self._starts[index]
                yield from self._member(index, max(offset - start, 0), stop - start)
            offset = self._directory_start
        yield from skipped(self._directory(), offset - self._directory_start)

    def _member(self, index: int, skip: int, stop: int) -> Iterable[bytes]:
        """Header and bytes of one member, from ``skip`` on; of a large one no further than ``stop``."""
        path, size = self._plan.member(index)
        if size <= WHOLE_BYTES:
            pieces = self._whole(index, path, size)
            return skipped(pieces, skip) if skip else pieces
        header = local_header(path, size, self._crc(index))
        start, stop = max(skip - len(header), 0), min(stop - len(header), size)
        return chain(skipped([header], min(skip, len(header))), self._large(index, start, stop))

    def _whole(self, index: int, path: bytes, size: int) -> tuple[bytes, bytes]:
        """Header and bytes of a member that is read once."""
        content = read_whole(self._tree, path.decode(), size)
        crc = crc32(content)
        self._confirm(index, crc)
        return local_header(path, size, crc), content

    def _large(self, index: int, start: int, stop: int) -> Iterator[bytes]:
        """Part of a large member's bytes.

        Its CRC has been sent before them, and a change since then must not go unnoticed when the member is spread over
        many requests: the checksum of what was read goes on from one part to the next.
        """
        crc = self._crc_up_to(index, start)
        try:
            for piece in self._read(index, start, stop):
                start, crc = start + len(piece), crc32(piece, crc)
                yield piece
        finally:
            self._left_at.append((index, start, crc))
        if start == self._plan.size(index):
            self._confirm(index, crc)

    def _crc_up_to(self, index: int, position: int) -> int:
        """CRC of a member's first bytes: remembered when reading goes on, computed after a jump."""
        # A copy, for the checksum of an earlier try may be computed by another thread meanwhile.
        for left_index, left_at, crc in tuple(self._left_at):
            if (left_index, left_at) == (index, position):
                return crc
        crc = 0
        for piece in self._read(index, 0, position):
            crc = crc32(piece, crc)
        return crc

    def _read(self, index: int, start: int, stop: int) -> Iterator[bytes]:
        path, size = self._plan.member(index)
        return read_part(self._tree, path.decode(), size, start, stop)

    def _crc(self, index: int) -> int:
        if self._crcs[index] == _UNKNOWN:
            self._confirm(index, self._crc_up_to(index, self._plan.size(index)))
        return self._crcs[index]

    def _confirm(self, index: int, crc: int) -> None:
        """Remember a member's CRC, or compare it with the one remembered."""
        if self._crcs[index] not in (_UNKNOWN, crc):
            path, _ = self._plan.member(index)
            raise InputChanged(f"{path.decode()} was written to while the archive was sent")
        self._crcs[index] = crc

    def _directory(self) -> Iterator[bytes]:
        for index, (path, size) in enumerate(self._plan):
            yield central_record(path, size, self._crc(index), self._starts[index])
        yield self._end
