"""A tree whose files go under other names, and which may hold small files that no disk has."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from visionbatch.model.tree import Entry, Kind, Tree


class RenamedTree:
    """Reads a file of another tree by the name that it has in an archive; lists nothing.

    :param origins: path in the tree of each file that is called otherwise; all others go by their path.
    :param extra: content of files that the tree does not have.
    """

    def __init__(self, tree: Tree, origins: Mapping[str, str], extra: Mapping[str, bytes] | None = None) -> None:
        self._tree = tree
        self._origins = origins
        self._extra = extra or {}

    @property
    def location(self) -> str:
        """See `visionbatch.model.tree.Tree.location`."""
        return self._tree.location

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The renamed and the added files, without their sizes."""
        names = () if folder else sorted({*self._origins, *self._extra})
        return (Entry(name, Kind.FILE) for name in names)

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """See `visionbatch.model.tree.Tree.open`."""
        if path in self._extra:
            return io.BytesIO(self._extra[path][offset:])
        return self._tree.open(self._origins.get(path, path), offset)

    def read(self, path: str, size: int) -> bytes:
        """See `visionbatch.model.tree.Tree.read`."""
        if path in self._extra:
            return self._extra[path]
        return self._tree.read(self._origins.get(path, path), size)
