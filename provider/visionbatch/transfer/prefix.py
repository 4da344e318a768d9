"""What is known of the bytes that were sent: their CRC-32C, to compare with an earlier try's and with the server's.

Blocks that pass through this process are taken in as they leave. Two things do not pass, and are read behind the
upload, in a thread of its own: what the kernel sends straight from a file, and what an earlier try has sent. Reading
that once more must not keep the rest from leaving; only the last bytes wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from visionbatch.errors import Corrupted, InputChanged, SourceUnreadable
from visionbatch.io.closing import Closable
from visionbatch.transfer.checksum import PrefixChecksum
from visionbatch.transfer.crc import combined
from visionbatch.transfer.read_ahead import ahead
from visionbatch.transfer.source import Source


class SentPrefix(Closable):
    """The checksum of a source's first bytes, as far as they were sent."""

    def __init__(self, source: Source, block_bytes: int) -> None:
        self._source = source
        self._block_bytes = block_bytes
        self._is_file = source.span(0, source.size) is not None
        # Read behind the upload, from 0 on; and taken in on the way, from where this try began to send.
        self._head = PrefixChecksum()
        self._tail: PrefixChecksum | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checksum")
        self._reading: list[Future[None]] = []
        self._compared = 0
        self._unwanted = False

    def close(self) -> None:
        """Stop reading."""
        self._unwanted = True
        self._thread.shutdown(cancel_futures=True)

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
        self._begin(self._compare, length, crc32c)

    def sending(self, start: int, stop: int) -> Generator[bytes]:
        """The source's blocks; unless they are of a file, read ahead, and taken in as they are sent."""
        if self._is_file:
            yield from self._readable(self._source.blocks(start, stop, self._block_bytes))
            return
        if self._tail is None:
            # What the network still held when an earlier try died was compared, and is sent again.
            self._tail = PrefixChecksum(max(start, self._compared))
            if self._tail.start:
                self._begin(self._read_up_to, self._tail.start)
        with closing(ahead(self._source.blocks(start, stop, self._block_bytes))) as blocks:
            for block in self._readable(blocks):
                self._tail.update(start, block)
                start += len(block)
                yield block

    def follow(self, position: int) -> None:
        """Go on reading behind the upload of a file, if that has come to an end.

        :raises InputChanged: when an earlier try has sent something else.
        :raises SourceUnreadable: when it could not be read.
        """
        if not self.is_busy() and self._is_file and position > self._head.position:
            self._begin(self._read_up_to, position)

    def is_busy(self) -> bool:
        """Whether anything is being read behind the upload; raises as `follow` does."""
        while self._reading and self._reading[0].done():
            self._reading.pop(0).result()
        return bool(self._reading)

    def settle(self) -> None:
        """Wait for what is being read; raises as `follow` does."""
        while self._reading:
            self._reading.pop(0).result()

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

    def _begin(self, work: Callable[..., None], *arguments: int) -> None:
        self._reading.append(self._thread.submit(work, *arguments))

    def _compare(self, length: int, crc32c: int) -> None:
        self._read_up_to(min(length, self._source.size))
        if self._head.known != (length, crc32c):
            raise InputChanged(f"the first {length} bytes of {self._source.name} are not those that were sent before")

    def _read_up_to(self, position: int) -> None:
        start = self._head.position
        if start >= position:
            return
        for block in self._readable(self._source.blocks(start, position, self._block_bytes)):
            self._head.update(start, block)
            start += len(block)
            if self._unwanted:
                return

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
