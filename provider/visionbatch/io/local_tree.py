"""A folder on a local or mounted disk, read without ever following a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from visionbatch.io.closing import Closable
from visionbatch.model.tree import Entry, Kind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK a pipe that takes a file's place between listing and opening would hang us.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

FOLDERS_KEPT = 32
"""Folders that stay open: the files of a folder are read one after another, by each thread in another one, and walking
there costs more than reading a photo."""

_NO_NAMES = frozenset({"", ".", ".."})


class LocalTree(Closable):
    """A folder on disk.

    Every path is walked from the root one component at a time, each refused if it is a link, so that
    nothing outside of the root is read even while somebody changes the tree. The folders of the files that were read
    last are kept open: one that is moved away meanwhile is read on from where it went.

    :param root: may be a link itself: whoever names it means what it leads to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, _OpenFolder] = {}

    def close(self) -> None:
        """Let go of the folders that were read last."""
        self._folders.clear()

    @property
    def location(self) -> str:
        """The path as it was given."""
        return str(self._root)

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The names in a folder, sorted; those that are not UTF-8 with Python's surrogate escapes.

        :raises OSError: when it cannot be listed, or is or lies behind a link.
        """
        with self._descend(folder) as descriptor:
            found = list(_scan(descriptor))
        return iter(sorted(found, key=attrgetter("name")))

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """The bytes of a plain file from an offset on.

        :raises OSError: when it is missing, is or lies behind a link, or is anything but a plain file.
        """
        handle = self._open(path, look=True)
        try:
            _require_plain(os.fstat(handle), path)
        except BaseException:
            os.close(handle)
            raise
        stream = os.fdopen(handle, "rb")
        try:
            stream.seek(offset)
        except BaseException:
            stream.close()
            raise
        return stream

    def read(self, path: str, size: int) -> bytes:
        """The bytes of a plain file that was listed with so many; one more shows that it has grown.

        :raises OSError: as `open` does; what is no plain file any more is seen when its length is another.
        """
        # The listing has said that it is a plain file. A photo is not looked at again before it is opened, which would
        # only guard against somebody who puts a device into its place meanwhile; nor is what was read, when it ends
        # where it was listed to end.
        handle = self._open(path)
        try:
            data = os.read(handle, size + 1)
            # One call nearly always: only its end, or a network drive, gives fewer than asked for.
            while len(data) < size and (more := os.read(handle, size + 1 - len(data))):
                data += more
            if len(data) != size:
                _require_plain(os.fstat(handle), path)
        finally:
            os.close(handle)
        return data

    def _open(self, path: str, *, look: bool = False) -> int:
        folder, _, name = path.rpartition("/")
        if name in _NO_NAMES:
            raise _outside(path)
        try:
            kept = self._folder(folder)
            if look:
                # Opening alone already acts on devices.
                _require_plain(os.stat(name, dir_fd=kept.descriptor, follow_symlinks=False), name)
            return os.open(name, _FILE, dir_fd=kept.descriptor)
        except ValueError as error:  # what the system could not take, such as a NUL
            raise _outside(path) from error

    def _folder(self, path: str) -> _OpenFolder:
        """A folder, opened only if no file was read there lately. There is no lock for threads to wait at: one that
        finds its folder forgotten walks there again.
        """  # noqa: D205  # one sentence
        kept = self._folders.get(path)
        if kept is None:
            if len(self._folders) >= FOLDERS_KEPT:
                self._folders.clear()
            try:
                with self._descend(path) as descriptor:
                    kept = _OpenFolder(os.dup(descriptor))
            except OSError:
                # Somebody changes the tree.
                self._folders.clear()
                raise
            self._folders[path] = kept
        return kept

    @contextmanager
    def _descend(self, folder: str) -> Iterator[int]:
        descriptor = os.open(self._root, _FOLDER)
        try:
            for name in _parts(folder) if folder else ():
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


class _OpenFolder:
    """A folder that is closed when nobody holds it any more, so that it never is under the hands of a thread."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


def _parts(path: str) -> list[str]:
    """The components of a path that stays inside."""
    parts = path.split("/")
    if not _NO_NAMES.isdisjoint(parts):
        raise _outside(path)
    return parts


def _outside(path: str) -> OSError:
    return OSError(errno.EINVAL, "not a path inside the source", path)


def _scan(descriptor: int) -> Iterator[Entry]:
    with os.scandir(descriptor) as found:
        for item in found:
            if item.is_dir(follow_symlinks=False):
                # The listing says so itself: no request for each of 70,000 folders on a network disk.
                yield Entry(item.name, Kind.FOLDER)
                continue
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                # What has gone since the folder was read was not there.
                continue
            kind = _kind(status.st_mode)
            yield Entry(item.name, kind, status.st_size if kind is Kind.FILE else 0)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _require_plain(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"not a plain file ({_kind(status.st_mode)})", path)
