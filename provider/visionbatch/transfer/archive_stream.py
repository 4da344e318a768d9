"""An archive as a stream of bytes, expanded when it is gzip, each of which is counted against the budget."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from visionbatch.config import MIB
from visionbatch.errors import Damaged
from visionbatch.transfer.tar_reader import Stream
from visionbatch.transfer.unpack_budget import Spending, UnpackBudget

HEAD_BYTES = 4
_GZIP = b"\x1f\x8b"


class ArchiveStream(io.RawIOBase):
    """The bytes of an archive as they are stored.

    :param archive: open for reading; stays the caller's to close.
    :param name: what to call it in messages.
    """

    def __init__(self, archive: BinaryIO, spending: Spending, name: str) -> None:
        super().__init__()
        self._archive = archive
        self._spending = spending
        self._name = name
        self.head = archive.read(HEAD_BYTES)
        self._left = self.head

    def expanded(self) -> Stream:
        """What a tar is read from."""
        source = gzip.GzipFile(fileobj=cast("BinaryIO", self), mode="rb") if self.head.startswith(_GZIP) else self
        return _Counted(cast("Stream", source), self._spending, self._name)

    def readable(self) -> bool:
        """See `io.IOBase.readable`."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, at most so many; none at the end."""
        block, self._left = self._left[:size], self._left[size:]
        block = block or self._archive.read(size)
        self._spending.packed(len(block))
        return block


def gunzipped(stored: BinaryIO, name: str) -> Iterator[bytes]:
    """What a file that is stored as gzip holds, in blocks: all of its members, within the budget of an archive.

    :param name: what to call it in messages.
    :raises Damaged: when it is no gzip, damaged or cut, or has other bytes behind its last member.
    :raises UnsafeArchive: beyond the budget.
    """
    stream = ArchiveStream(stored, Spending(UnpackBudget(), name), name)
    if not stream.head.startswith(_GZIP):
        raise Damaged(f"{name} is said to be stored as gzip, and is not")
    whole = stream.expanded()
    while block := whole.read(MIB):
        yield block


class _Counted:
    """The bytes that come out."""

    def __init__(self, source: Stream, spending: Spending, name: str) -> None:
        self._source = source
        self._spending = spending
        self._name = name

    def read(self, size: int) -> bytes:
        """Some bytes, at most so many; none at the end.

        :raises Damaged: when what is compressed is damaged or cut.
        :raises UnsafeArchive: beyond the budget.
        """
        try:
            block = self._source.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            what = "is cut" if isinstance(error, EOFError) else f"is a damaged gzip: {error}"
            raise Damaged(f"{self._name} {what}", next_step="Fetch or make the archive again.") from error
        self._spending.unpacked(len(block))
        return block
