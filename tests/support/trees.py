"""A tree in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from visionbatch.model.tree import Entry


class MemoryTree:
    """Files by path, or whatever a function gives for one; remembers which were opened."""

    location = "memory"

    def __init__(self, content: Callable[[str], bytes]) -> None:
        self._content = content
        self.opened: list[str] = []

    def entries(self, folder: str = "") -> Iterator[Entry]:
        raise NotImplementedError

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        self.opened.append(path)
        return io.BytesIO(self._content(path)[offset:])

    def read(self, path: str, size: int) -> bytes:
        with self.open(path) as stream:
            return stream.read(size + 1)
