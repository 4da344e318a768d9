"""A folder in an object store, through any filesystem object with fsspec's interface."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol, TypeVar

from visionbatch.config import KIB, MIB
from visionbatch.model.tree import Entry, Kind

FIRST_READ_BYTES = 64 * KIB
"""Length of a stream's first request: a photo's header lies in it, and seldom more is wanted."""

LARGEST_READ_BYTES = 8 * MIB
"""Requests double up to this, for who reads on wants the whole file."""

_HADOOP_MARKER = "_$folder$"
_KINDS = {"file": Kind.FILE, "directory": Kind.FOLDER, "link": Kind.LINK}
_T = TypeVar("_T")


class FileSystem(Protocol):
    """The part of fsspec's interface that is used."""

    def ls(self, path: str, detail: bool = True) -> list[dict[str, Any]]:
        """Objects and folders directly below."""

    def info(self, path: str) -> dict[str, Any]:
        """Size and type of one object."""

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """A range of an object's bytes."""


class ObjectTree:
    """A folder in an object store.

    Listings are asked for anew each time and not left in the filesystem's cache, which would hold every
    photo's record by the end of a check.

    :param fs: a filesystem of fsspec, or anything with the methods of `FileSystem`.
    :param root: ``bucket/prefix``, with or without a scheme.
    """

    def __init__(self, fs: FileSystem, root: str) -> None:
        self._fs = fs
        self._scheme, _, path = root.rpartition("://")
        self._root = path.rstrip("/")

    @property
    def location(self) -> str:
        """Scheme and path, without user information."""
        host, slash, rest = self._root.partition("/")
        place = f"{host.rpartition('@')[2]}{slash}{rest}"
        return f"{self._scheme}://{place}" if self._scheme else place

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The names in a folder, sorted; objects that only mark a folder are left out.

        :raises OSError: when it cannot be listed.
        """
        base = self._path(folder) if folder else self._root
        prefix = f"{base.lstrip('/')}/" if base else ""
        self._forget(base)
        listed = as_os_error(lambda: self._fs.ls(base, detail=True), base)
        self._forget(base)
        found: dict[str, Entry] = {}
        for item in listed:
            entry = _entry(prefix, item)
            if entry is not None and _says_more(entry, found.get(entry.name)):
                found[entry.name] = entry
        return iter(sorted(found.values(), key=lambda entry: entry.name))

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """The bytes of an object from an offset on, in ranged requests that grow as reading goes on.

        :raises OSError: here or while reading, when it is missing or cannot be read.
        """
        return io.BufferedReader(_Ranges(self._fs, self._path(path), offset), 4 * KIB)

    def read(self, path: str, size: int) -> bytes:
        """See `visionbatch.model.tree.Tree.read`."""
        with self.open(path) as stream:
            return stream.read(size + 1)

    def _path(self, path: str) -> str:
        if any(part in {"", ".", ".."} for part in path.split("/")):
            raise OSError(errno.EINVAL, "not a path inside the source", path)
        return f"{self._root}/{path}" if self._root else path

    def _forget(self, path: str) -> None:
        invalidate = getattr(self._fs, "invalidate_cache", None)
        if callable(invalidate):
            invalidate(path)


def _entry(prefix: str, item: dict[str, Any]) -> Entry | None:
    """One line of a listing; ``None`` for the folder itself and for what only looks like its content.

    A store that lists by prefix answers ``site10/x`` to ``site1``.
    """
    full = str(item["name"]).rpartition("://")[2].lstrip("/")
    if not full.startswith(prefix):
        return None
    name = full.removeprefix(prefix)
    is_marker = name.endswith(("/", _HADOOP_MARKER))
    name = name.removesuffix("/").removesuffix(_HADOOP_MARKER)
    if not name or "/" in name:
        return None
    if is_marker:
        return Entry(name, Kind.FOLDER)
    kind = Kind.LINK if item.get("islink") else _KINDS.get(str(item.get("type")), Kind.OTHER)
    return Entry(name, kind, int(item.get("size") or 0) if kind is Kind.FILE else 0)


def _says_more(entry: Entry, known: Entry | None) -> bool:
    """Whether an entry takes the place of one with the same name, which stores allow.

    An empty object named like a folder marks it; one with bytes is a mistake that must be seen.
    """
    if known is None or known.kind is entry.kind:
        return known is None
    return entry.size > 0 if entry.kind is Kind.FILE else known.size == 0


def as_os_error(act: Callable[[], _T], path: str) -> _T:
    """Do something with a filesystem; whatever error its backend has of its own is an `OSError`."""
    try:
        return act()
    except OSError:
        raise
    except Exception as error:  # each backend of fsspec has errors of its own
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", path) from error


class _Ranges(io.RawIOBase):
    """An object as a stream, one ranged request after the other.

    fsspec's own files fetch blocks of megabytes for a header of bytes, which a check of many photos
    cannot afford.
    """

    def __init__(self, fs: FileSystem, path: str, offset: int) -> None:
        super().__init__()
        self._fs = fs
        self._path = path
        self._next = offset
        self._length = FIRST_READ_BYTES
        self._window = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._window and not self._ended:
            self._fetch()
        count = min(len(buffer), len(self._window))
        buffer[:count] = self._window[:count]
        self._window = self._window[count:]
        return count

    def _fetch(self) -> None:
        data = self._request(self._next, self._next + self._length)
        # Fewer bytes than asked for can only mean the end: stores answer a range in full.
        self._ended = len(data) < self._length
        self._next += len(data)
        self._length = min(2 * self._length, LARGEST_READ_BYTES)
        self._window = memoryview(data)

    def _request(self, start: int, end: int) -> bytes:
        try:
            return as_os_error(lambda: self._fs.cat_file(self._path, start, end), self._path)
        except OSError:
            # Some stores answer a range that begins at the very end with an error.
            if start == 0 or start < self._size():
                raise
            return b""

    def _size(self) -> int:
        info = as_os_error(lambda: self._fs.info(self._path), self._path)
        return int(info["size"])
