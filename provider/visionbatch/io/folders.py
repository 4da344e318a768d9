"""Where an export is fetched to: a folder on the disk, or one behind any fsspec filesystem."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import google_crc32c

from visionbatch.config import MIB
from visionbatch.errors import InputMissing, NoRoom, Unreachable
from visionbatch.io.partial import safe_target
from visionbatch.model.bucket_file import BucketFile


class Folder(Protocol):
    """A place for fetched files; names have ``/`` between their parts."""

    @property
    def location(self) -> str:
        """For people."""

    @property
    def spooled(self) -> bool:
        """Whether a target is a way station on this disk, and `keep` takes the file elsewhere."""

    def target(self, name: str) -> Path:
        """The path on the disk to which a file is fetched.

        :raises UnsafeName: for a name that leads elsewhere.
        """

    def has(self, name: str, file: BucketFile, noted: int | None) -> bool:
        """Whether an object is there already.

        :param noted: the generation that an earlier run says it has put there.
        """

    def keep(self, name: str) -> str:
        """Put a file that has been fetched in its place, and give its location."""

    def opened(self, name: str) -> BinaryIO:
        """The bytes of a file that is there."""

    def read(self, name: str) -> bytes | None:
        """A small file; ``None`` when there is none."""

    def write(self, name: str, content: bytes) -> str:
        """Write a small file at once, and give its location."""


class LocalFolder:
    """A folder on the disk."""

    spooled = False

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def location(self) -> str:
        """See `Folder.location`."""
        return str(self._path)

    def target(self, name: str) -> Path:
        """See `Folder.target`."""
        return safe_target(self._path, name)

    def has(self, name: str, file: BucketFile, noted: int | None) -> bool:
        """See `Folder.has`; the bytes say it, so that no note can be wrong, and without a checksum the note."""
        target = self.target(name)
        try:
            if target.stat().st_size != file.size:
                return False
        except OSError:
            return False
        return noted == file.generation if file.crc32c is None else _crc32c(target) == file.crc32c

    def keep(self, name: str) -> str:
        """See `Folder.keep`: it is there already."""
        return str(self._path / name)

    def opened(self, name: str) -> BinaryIO:
        """See `Folder.opened`."""
        return self.target(name).open("rb")

    def read(self, name: str) -> bytes | None:
        """See `Folder.read`."""
        try:
            return self.target(name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> str:
        """See `Folder.write`."""
        target = self.target(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.new")
        try:
            partial.write_bytes(content)
            partial.replace(target)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise NoRoom(f"no room for {target} ({error.strerror})") from error
        return str(target)


class ObjectFolder:
    """A folder behind any fsspec filesystem.

    A file is fetched to a spool on the disk, verified there, and then put: of an object store's upload that is broken
    off nobody can say whether it counts.

    :param path: in that filesystem, without protocol.
    :param location: the same for people, with protocol.
    :param spool: folder on the disk, of which each file takes its size for a while.
    """

    spooled = True

    def __init__(self, filesystem: Any, path: str, location: str, spool: Path) -> None:
        self._filesystem = filesystem
        self._path = path.rstrip("/")
        self._location = location.rstrip("/")
        self._spool = spool

    @property
    def location(self) -> str:
        """See `Folder.location`."""
        return self._location

    def target(self, name: str) -> Path:
        """See `Folder.target`."""
        return safe_target(self._spool, name)

    def has(self, name: str, file: BucketFile, noted: int | None) -> bool:
        """See `Folder.has`; stores do not agree about checksums, so the note says it, and the size must fit."""
        if noted != file.generation:
            return False
        with self._translated(name):
            path = self._at(name)
            return bool(self._filesystem.exists(path) and self._filesystem.info(path)["size"] == file.size)

    def keep(self, name: str) -> str:
        """See `Folder.keep`."""
        target = self.target(name)
        with self._translated(name):
            self._filesystem.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self._filesystem.put_file(str(target), self._at(name))
        target.unlink()
        return f"{self._location}/{name}"

    def opened(self, name: str) -> BinaryIO:
        """See `Folder.opened`."""
        with self._translated(name):
            file: BinaryIO = self._filesystem.open(self._at(name), "rb")
        return file

    def read(self, name: str) -> bytes | None:
        """See `Folder.read`."""
        with self._translated(name):
            self._filesystem.invalidate_cache()
            path = self._at(name)
            return bytes(self._filesystem.cat_file(path)) if self._filesystem.exists(path) else None

    def write(self, name: str, content: bytes) -> str:
        """See `Folder.write`."""
        with self._translated(name):
            self._filesystem.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self._filesystem.pipe_file(self._at(name), content)
        return f"{self._location}/{name}"

    def _at(self, name: str) -> str:
        self.target(name)
        return f"{self._path}/{name}"

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Each backend of fsspec has errors of its own."""
        try:
            yield
        except FileNotFoundError as error:
            raise InputMissing(f"there is no {self._location}/{name}") from error
        except OSError as error:
            raise Unreachable(f"{self._location}/{name}: {error.strerror or type(error).__name__}") from error
        except Exception as error:
            if type(error).__module__.startswith("visionbatch"):
                raise
            raise Unreachable(f"{self._location}/{name} is out of reach ({type(error).__name__})") from error


def _crc32c(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(MIB):
            value = google_crc32c.extend(value, block)
    return value
