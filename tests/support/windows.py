"""A source as a seekable file."""

from __future__ import annotations

import io
import os

from visionbatch.transfer.source import Source


class Window(io.RawIOBase):
    """A seekable file over a source, for readers of archives."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}[whence]
        return self._position

    def read(self, size: int = -1) -> bytes:
        stop = self._source.size if size < 0 else min(self._position + size, self._source.size)
        data = b"".join(bytes(block) for block in self._source.blocks(self._position, stop, 1 << 20))
        self._position += len(data)
        return data
