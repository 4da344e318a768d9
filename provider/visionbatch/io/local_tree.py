"""A folder on a local or mounted disk, read without ever following a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from visionbatch.io.closing import Closable
from visionbatch.model.tree import Entry, Kind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK a pipe that takes a file's place between listing and opening would hang us.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_NO_NAMES = frozenset({"", ".", ".."})


class LocalTree(Closable):
    """A folder on disk.

    Every path is walked from the root one component at a time, each refused if it is a link, so that
    nothing outside of the root is read even while somebody changes the tree. The folder of the file that was read last
    is kept open: one that is moved away meanwhile is read on from where it went.

    :param root: may be a link itself: whoever names it means what it leads to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last = _LastFolder()

    def close(self) -> None:
        """Let go of the folder that was read last."""
        self._last.close()

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
        return iter(sorted(found, key=lambda entry: entry.name))

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """The bytes of a plain file from an offset on.

        :raises OSError: when it is missing, is or lies behind a link, or is anything but a plain file.
        """
        handle = self._open(path, look=True)
        stream = os.fdopen(handle, "rb")
        try:
            stream.seek(offset)
        except BaseException:
            stream.close()
            raise
        return stream

    def read(self, path: str, size: int) -> bytes:
        """The bytes of a plain file that was listed with so many; one more shows that it has grown.

        :raises OSError: as `open` does.
        """
        # The listing has said that it is a plain file, and the open file is looked at: a third look at each photo
        # would only guard against somebody who puts a device into its place meanwhile.
        handle = self._open(path, look=False)
        try:
            data = os.read(handle, size + 1)
            # One call nearly always: only its end, or a network drive, gives fewer than asked for.
            while len(data) < size and (more := os.read(handle, size + 1 - len(data))):
                data += more
        finally:
            os.close(handle)
        return data

    def _open(self, path: str, *, look: bool) -> int:
        folder, _, name = path.rpartition("/")
        if name in _NO_NAMES:
            raise _outside(path)
        try:
            handle = self._last.open(folder, name, self._descend, look=look)
        except ValueError as error:  # what the system could not take, such as a NUL
            raise _outside(path) from error
        try:
            _require_plain(os.fstat(handle), path)
        except BaseException:
            os.close(handle)
            raise
        return handle

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


class _LastFolder(Closable):
    """The folder of the file that was opened last, kept open.

    The files of a folder are read one after another, and walking there costs more than reading a photo.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._folder = ""
        self._descriptor = -1

    def open(self, folder: str, name: str, descend: Callable[[str], AbstractContextManager[int]], *, look: bool) -> int:
        """Open a plain file in a folder, going there only if the last file lay elsewhere.

        :param look: see that it is a plain file before it is opened, for opening alone already acts on devices.
        """
        with self._lock:
            if self._descriptor < 0 or folder != self._folder:
                self._forget()
                with descend(folder) as descriptor:
                    self._descriptor = os.dup(descriptor)
                self._folder = folder
            if look:
                _require_plain(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False), name)
            return os.open(name, _FILE, dir_fd=self._descriptor)

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


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
            # What has gone since the folder was read was not there.
            with suppress(FileNotFoundError):
                status = item.stat(follow_symlinks=False)
                kind = _kind(status.st_mode)
                yield Entry(item.name, kind, status.st_size if kind is Kind.FILE else 0)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _require_plain(status: os.stat_result, path: str) -> None:
    kind = _kind(status.st_mode)
    if kind is not Kind.FILE:
        raise OSError(errno.EINVAL, f"not a plain file ({kind})", path)
