"""A ready-made archive in an object store, read without a copy on the local disk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from visionbatch.errors import InputChanged, InputMissing, SourceUnreadable
from visionbatch.io.object_tree import as_os_error
from visionbatch.transfer.source import edge_fingerprint

VERSION_KEYS = ("generation", "etag", "ETag", "mtime", "LastModified", "last_modified", "created")
"""What filesystems call the mark that changes when an object is written again, surest first."""


class ObjectSource:
    """An archive behind any fsspec filesystem, as a `visionbatch.transfer.source.Source`.

    :param filesystem: an fsspec filesystem, such as the ``fs`` of an Airflow ``ObjectStoragePath``.
    :param path: in that filesystem, without protocol.
    :raises InputMissing: when it is not there.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self._filesystem = filesystem
        self._path = path
        try:
            info = self._info()
        except FileNotFoundError as error:
            raise InputMissing(f"there is no object {path}") from error
        self._size = int(info["size"])
        self._version = _version(info)

    @property
    def name(self) -> str:
        """The object's last name without extension."""
        return self._path.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """As `visionbatch.transfer.source.FileSource.fingerprint`: the same for the same bytes."""
        with self._filesystem.open(self._path, "rb") as file:
            return edge_fingerprint(file, self._size)

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[bytes]:
        """See `visionbatch.transfer.source.Source.blocks`."""
        with as_os_error(lambda: self._filesystem.open(self._path, "rb"), self._path) as file:
            file.seek(offset)
            while offset < stop:
                length = min(block_bytes, stop - offset)
                block = as_os_error(partial(file.read, length), self._path)
                if not block:
                    raise InputChanged(f"{self._path} became shorter while it was read")
                yield block
                offset += len(block)

    def span(self, offset: int, stop: int) -> None:  # an object is no file
        """There is no file behind an object."""

    @property
    def summary_start(self) -> int:
        """Every byte can be read by itself."""
        return self.size

    def verify(self) -> None:
        """Compare size and version mark with those at the beginning."""
        try:
            info = self._info()
        except FileNotFoundError as error:
            raise InputChanged(f"{self._path} has gone away") from error
        except OSError as error:
            raise SourceUnreadable(f"{self._path} cannot be looked at: {error.strerror or error}") from error
        if (int(info["size"]), _version(info)) != (self._size, self._version):
            raise InputChanged(f"{self._path} was replaced since the run began")

    def _info(self) -> dict[str, Any]:
        self._filesystem.invalidate_cache(self._path)
        info: dict[str, Any] = as_os_error(lambda: self._filesystem.info(self._path), self._path)
        if info.get("type") == "directory":
            raise FileNotFoundError(self._path)
        return info


def _version(info: dict[str, Any]) -> str:
    return next((str(info[key]) for key in VERSION_KEYS if info.get(key)), "")
