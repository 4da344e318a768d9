"""What is known of the bytes that were sent: their CRC-32C, to compare with an earlier try's and with the server's.

Blocks that pass through this process are taken in as they leave. What the kernel sends straight from a file does not:
that is read a second time, behind the upload and in a thread of its own. Reading it again from the page cache costs
less than giving up on the kernel would, and next to a real network it costs no time at all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from visionbatch.errors import Corrupted, InputChanged, SourceUnreadable
from visionbatch.io.closing import Closable
from visionbatch.transfer.checksum import PrefixChecksum
from visionbatch.transfer.read_ahead import ahead
from visionbatch.transfer.source import Source


class SentPrefix(Closable):
    """The checksum of a source's first bytes, as far as they were sent."""

    def __init__(self, source: Source, block_bytes: int) -> None:
        self._source = source
        self._block_bytes = block_bytes
        self._checksum = PrefixChecksum()
        self._is_file = source.span(0, source.size) is not None
        self._thread: ThreadPoolExecutor | None = None
        self._reading: Future[None] | None = None

    def close(self) -> None:
        """Wait for what is being read, at most what was sent between two checkpoints."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = None

    @property
    def whole(self) -> int | None:
        """CRC-32C of the whole source; ``None`` when not all of it was read."""
        return self._checksum.value if self._checksum.position == self._source.size else None

    def sending(self, start: int, stop: int) -> Generator[bytes]:
        """The source's blocks; unless they are of a file, read ahead, and taken in as they are sent."""
        if self._is_file:
            yield from self._readable(self._source.blocks(start, stop, self._block_bytes))
            return
        with closing(ahead(self._source.blocks(start, stop, self._block_bytes))) as blocks:
            for block in self._readable(blocks):
                self._checksum.update(start, block)
                start += len(block)
                yield block

    def follow(self, position: int) -> tuple[int, int]:
        """Begin to read up to a position of a file; gives what is known until then.

        :return: length of the prefix, and its CRC-32C.
        :raises SourceUnreadable: when what was asked for before could not be read.
        """
        self._settle()
        known = self._checksum.position, self._checksum.value
        if self._is_file and position > self._checksum.position:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="checksum")
            self._reading = self._thread.submit(self._read_up_to, position)
        return known

    def compare_with_earlier(self, length: int, crc32c: int) -> None:
        """Read a prefix that an earlier try has sent, and compare.

        :raises InputChanged: when it is not the same.
        """
        self._read_up_to(min(length, self._source.size))
        if (self._checksum.position, self._checksum.value) != (length, crc32c):
            raise InputChanged(f"the first {length} bytes of {self._source.name} are not those that were sent before")

    def compare_with_stored(self, crc32c: int) -> None:
        """Read what is left, and compare the whole with what the server has stored.

        :raises Corrupted: when it is not the same.
        """
        self._settle()
        total = self._source.size
        self._read_up_to(total)
        if crc32c != self._checksum.value:
            what = f"the server's CRC-32C is {crc32c:08x}, the archive's {self._checksum.value:08x}"
            raise Corrupted(what, persisted=total, total=total)

    def _settle(self) -> None:
        if self._reading is not None:
            reading, self._reading = self._reading, None
            reading.result()

    def _read_up_to(self, position: int) -> None:
        start = self._checksum.position
        for block in self._readable(self._source.blocks(start, position, self._block_bytes)):
            self._checksum.update(start, block)
            start += len(block)

    def _readable(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks; the source's own faults must not be taken for the network's."""
        while True:
            try:
                block = next(blocks)
            except StopIteration:
                return
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise SourceUnreadable(f"{self._source.name} cannot be read: {reason}") from error
            yield block
