"""A folder on a local or mounted disk, read without ever following a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from visionbatch.model.tree import Entry, Kind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK a pipe that takes a file's place between listing and opening would hang us.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class LocalTree:
    """A folder on disk.

    Every path is walked from the root one component at a time, each refused if it is a link, so that
    nothing outside of the root is read even while somebody changes the tree. No descriptor is kept.

    :param root: may be a link itself: whoever names it means what it leads to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def location(self) -> str:
        """The path as it was given."""
        return str(self._root)

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The names in a folder, sorted; those that are not UTF-8 with Python's surrogate escapes.

        :raises OSError: when it cannot be listed, or is or lies behind a link.
        """
        with self._descend(_parts(folder) if folder else []) as descriptor:
            found = list(_scan(descriptor))
        return iter(sorted(found, key=lambda entry: entry.name))

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """The bytes of a plain file from an offset on.

        :raises OSError: when it is missing, is or lies behind a link, or is anything but a plain file.
        """
        *folders, name = _parts(path)
        with self._descend(folders) as descriptor:
            # Looked at before it is opened, for opening alone already acts on pipes and devices; and
            # looked at again afterwards, for it may have been replaced in between.
            _require_plain(os.stat(name, dir_fd=descriptor, follow_symlinks=False), path)
            handle = os.open(name, _FILE, dir_fd=descriptor)
        stream = os.fdopen(handle, "rb")
        try:
            _require_plain(os.fstat(handle), path)
            stream.seek(offset)
        except BaseException:
            stream.close()
            raise
        return stream

    @contextmanager
    def _descend(self, folders: list[str]) -> Iterator[int]:
        descriptor = os.open(self._root, _FOLDER)
        try:
            for name in folders:
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


def _parts(path: str) -> list[str]:
    """The components of a path that stays inside; what the system could not take is refused as well."""
    parts = path.split("/")
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded or any(part in {"", ".", ".."} for part in parts):
        raise OSError(errno.EINVAL, "not a path inside the source", path)
    return parts


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
