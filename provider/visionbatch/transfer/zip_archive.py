"""A zip archive that is never written: its bytes at any offset follow from the plan and the files.

Members are stored, for photos hardly deflate, so every offset is known before a file is read, the bytes are the same on
every machine, and an upload can go on at any of them in another process.
"""

from __future__ import annotations

import errno
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from visionbatch.config import MIB
from visionbatch.errors import InputChanged
from visionbatch.model.tree import Tree
from visionbatch.transfer.checksum import crc32
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

_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOMEM})
"""Troubles of a disk or network drive that say nothing about the file."""


class ZipArchive:
    """The archive of a plan, as a `visionbatch.transfer.source.Source`.

    :param plan: members in the order the archive has them.
    :param tree: has the members' bytes.
    """

    def __init__(self, plan: Plan, tree: Tree) -> None:
        self._plan = plan
        self._tree = tree
        self._starts = array("Q")
        self._crcs = array("q", [_UNKNOWN]) * len(plan)
        # Of the large member that was read last: which, up to where, and the CRC so far.
        self._part = (-1, 0, 0)
        position = directory_size = 0
        for path, size in plan:
            self._starts.append(position)
            directory_size += central_record_size(path, size, position)
            position += local_header_size(path, size) + size
        self._directory_start = position
        self._directory_size = directory_size
        self._end = end_of_directory(len(plan), directory_size, position)

    @property
    def name(self) -> str:
        """The plan's name."""
        return self._plan.name

    @property
    def size(self) -> int:
        """Bytes of the whole archive."""
        return self._directory_start + self._directory_size + len(self._end)

    @property
    def fingerprint(self) -> str:
        """The plan's identity."""
        return self._plan.fingerprint

    def verify(self) -> None:
        """Nothing to look at in advance: members are compared with plan and CRC while they are read."""

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[bytes]:
        """See `visionbatch.transfer.source.Source.blocks`."""
        return _packed(self._pieces(offset, stop), stop - offset, block_bytes)

    def span(self, offset: int, stop: int) -> None:  # there is no such file
        """There is no file that holds the archive."""

    def _pieces(self, offset: int, stop: int) -> Iterator[bytes]:
        """The archive from an offset on, in pieces of any size; a large member ends with ``stop``."""
        if offset < self._directory_start:
            first = bisect_right(self._starts, offset) - 1
            for index in range(first, len(self._plan)):
                start = self._starts[index]
                yield from self._member(index, max(offset - start, 0), stop - start)
            offset = self._directory_start
        yield from _skipped(self._directory(), offset - self._directory_start)

    def _member(self, index: int, skip: int, stop: int) -> Iterable[bytes]:
        """Header and bytes of one member, from ``skip`` on; of a large one no further than ``stop``."""
        path, size = self._plan.member(index)
        if size <= WHOLE_BYTES:
            pieces = self._whole(index, path, size)
            return _skipped(pieces, skip) if skip else pieces
        header = local_header(path, size, self._crc(index))
        start, stop = max(skip - len(header), 0), min(stop - len(header), size)
        return chain(_skipped([header], min(skip, len(header))), self._large(index, start, stop))

    def _whole(self, index: int, path: bytes, size: int) -> tuple[bytes, bytes]:
        """Header and bytes of a member that is read once."""
        name = path.decode()
        try:
            content = self._tree.read(name, size)
        except OSError as error:
            _complain(name, error)
            raise
        crc = crc32(content)
        self._confirm(index, len(content), crc)
        return local_header(path, size, crc), content

    def _large(self, index: int, start: int, stop: int) -> Iterator[bytes]:
        """Part of a large member's bytes.

        Its CRC has been sent before them, and a change since then must not go unnoticed when the member is spread over
        many requests: the checksum of what was read goes on from one part to the next.
        """
        crc = self._crc_up_to(index, start)
        for piece in self._read(index, start, stop):
            start += len(piece)
            crc = crc32(piece, crc)
            self._part = (index, start, crc)
            yield piece
        if start == self._plan.size(index):
            self._confirm(index, start, crc)

    def _crc_up_to(self, index: int, position: int) -> int:
        """CRC of a member's first bytes: remembered when reading goes on, computed after a jump."""
        if self._part[:2] == (index, position):
            return self._part[2]
        crc = 0
        for piece in self._read(index, 0, position):
            crc = crc32(piece, crc)
        return crc

    def _read(self, index: int, start: int, stop: int) -> Iterator[bytes]:
        """A member's bytes between two positions.

        :raises InputChanged: when it ends before the second, or has grown beyond its planned end.
        """
        with self._opened(index, start) as file:
            while start < stop:
                piece = file.read(min(MIB, stop - start))
                if not piece:
                    self._confirm(index, start, 0)
                yield piece
                start += len(piece)
            if stop == self._plan.size(index) and file.read(1):
                self._confirm(index, stop + 1, 0)

    def _crc(self, index: int) -> int:
        if self._crcs[index] == _UNKNOWN:
            size = self._plan.size(index)
            self._confirm(index, size, self._crc_up_to(index, size))
        return self._crcs[index]

    def _confirm(self, index: int, size: int, crc: int) -> None:
        """Remember a member's CRC, or compare it with the one remembered."""
        if size != self._plan.size(index) or self._crcs[index] not in (_UNKNOWN, crc):
            path, planned = self._plan.member(index)
            raise InputChanged(
                f"{path.decode()} is not what was planned: {size} bytes instead of {planned}"
                if size != planned
                else f"{path.decode()} was written to while the archive was sent"
            )
        self._crcs[index] = crc

    def _opened(self, index: int, offset: int) -> BinaryIO:
        name = self._plan.member(index)[0].decode()
        try:
            return self._tree.open(name, offset)
        except OSError as error:
            _complain(name, error)
            raise

    def _directory(self) -> Iterator[bytes]:
        for index, (path, size) in enumerate(self._plan):
            yield central_record(path, size, self._crc(index), self._starts[index])
        yield self._end


def _complain(name: str, error: OSError) -> None:
    """Tell a file that has changed from a disk in trouble.

    :raises InputChanged: unless the trouble may pass.
    """
    if error.errno is not None and error.errno not in _PASSING:
        raise InputChanged(f"{name} can no longer be read: {error.strerror or error}") from error


def _skipped(pieces: Iterable[bytes], skip: int) -> Iterator[bytes]:
    for piece in pieces:
        if skip < len(piece):
            yield piece[skip:] if skip else piece
        skip = max(skip - len(piece), 0)


def _packed(pieces: Iterable[bytes], length: int, block_bytes: int) -> Iterator[bytes]:
    """Collect pieces into blocks: twenty headers and photos are one system call, not forty."""
    held: list[bytes | memoryview] = []
    filled = 0
    for piece in pieces:
        rest: bytes | memoryview = piece
        if filled + len(piece) >= min(block_bytes, length):
            rest = memoryview(piece)[: length - filled]
            while filled + len(rest) >= block_bytes:
                cut = block_bytes - filled
                yield b"".join([*held, rest[:cut]])
                held.clear()
                rest, filled, length = rest[cut:], 0, length - block_bytes
        held.append(rest)
        filled += len(rest)
        if filled == length:
            break
    if filled:
        yield b"".join(held)
