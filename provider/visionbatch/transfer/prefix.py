"""What is known of the bytes that were sent: their CRC-32C, to compare with an earlier try's and with the server's.

Blocks that pass through this process are taken in as they leave. Two things do not pass, and are read behind the
upload, in a thread of its own: what the kernel sends straight from a file, and what an earlier try has sent. Reading
that once more must not keep the rest from leaving; only the last bytes wait for it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import partial

from visionbatch.config import KIB
from visionbatch.errors import Corrupted, InputChanged
from visionbatch.io.behind import Behind
from visionbatch.io.closing import Closable
from visionbatch.transfer.checksum import PrefixChecksum
from visionbatch.transfer.crc import combined
from visionbatch.transfer.read_ahead import ahead, readable
from visionbatch.transfer.source import Source

CHECK_BYTES = 256 * KIB
"""Bytes that are read at a time to be checksummed only: they need not be in memory beside those that are sent."""


class SentPrefix(Closable):
    """The checksum of a source's first bytes, as far as they were sent."""

    def __init__(self, source: Source, block_bytes: int) -> None:
        self._source = source
        self._block_bytes = block_bytes
        self._is_file = source.span(0, source.size) is not None
        # Read behind the upload, from 0 on; and taken in on the way, from where this try began to send.
        self._head = PrefixChecksum()
        self._tail: PrefixChecksum | None = None
        self._behind = Behind("checksum")
        self._compared = 0
        self._unwanted = False

    def close(self) -> None:
        """Stop reading."""
        self._unwanted = True
        self._behind.close()

    @property
    def known(self) -> tuple[int, int]:
        """Length of the prefix that is known, and its CRC-32C."""
        position, value = self._head.known
        if self._tail is None or self._tail.start != position:
            return position, value
        end, more = self._tail.known
        return end, combined(value, more, end - position)

    @property
    def whole(self) -> int | None:
        """CRC-32C of the whole source; ``None`` when not all of it was read."""
        position, value = self.known
        return value if position == self._source.size else None

    def compare_with_earlier(self, length: int, crc32c: int) -> None:
        """Begin to compare with a prefix that an earlier try has sent."""
        self._compared = length
        self._behind.do(partial(self._compare, length, crc32c))

    def starting(self, start: int) -> None:
        """Say where this try begins to send; what lies before is read behind the upload."""
        if self._tail is not None or self._is_file:
            return
        # What the network still held when an earlier try died was compared, and is sent again.
        self._tail = PrefixChecksum(max(start, self._compared))
        if self._tail.start:
            self._behind.do(partial(self._read_up_to, self._tail.start))

    def sending(self, start: int, stop: int) -> Generator[bytes]:
        """The source's blocks; unless they are of a file, read ahead, and taken in as they are sent."""
        blocks = readable(self._source, start, stop, self._block_bytes)
        if self._tail is None:
            yield from blocks
            return
        with closing(ahead(blocks)) as blocks_ahead:
            for block in blocks_ahead:
                self._tail.update(start, block)
                start += len(block)
                yield block

    def follow(self, position: int) -> None:
        """Go on reading behind the upload of a file, if that has come to an end.

        :raises InputChanged: when an earlier try has sent something else.
        :raises SourceUnreadable: when it could not be read.
        """
        if not self.is_busy() and self._is_file and position > self._head.position:
            self._behind.do(partial(self._read_up_to, position))

    def is_busy(self) -> bool:
        """Whether anything is being read behind the upload; raises as `follow` does."""
        return self._behind.is_busy()

    def settle(self) -> None:
        """Wait for what is being read; raises as `follow` does."""
        self._behind.settle()

    def compare_with_stored(self, crc32c: int) -> None:
        """Read what is left, and compare the whole with what the server has stored.

        :raises Corrupted: when it is not the same.
        """
        self.settle()
        if self.whole is None:
            self._read_up_to(self._source.size)
        _, value = self.known
        if crc32c != value:
            total = self._source.size
            what = f"the server's CRC-32C is {crc32c:08x}, the archive's {value:08x}"
            raise Corrupted(what, persisted=total, total=total)

    def _compare(self, length: int, crc32c: int) -> None:
        self._read_up_to(min(length, self._source.size))
        if self._head.known != (length, crc32c):
            raise InputChanged(f"the first {length} bytes of {self._source.name} are not those that were sent before")

    def _read_up_to(self, position: int) -> None:
        start = self._head.position
        if start >= position:
            return
        for block in readable(self._source, start, position, min(self._block_bytes, CHECK_BYTES)):
            self._head.update(start, block)
            start += len(block)
            if self._unwanted:
                return
