"""A ready-made zip archive, seen as the folder it would unpack to, without unpacking it."""

from __future__ import annotations

import errno
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from visionbatch.config import KIB, MIB
from visionbatch.model.text import printable
from visionbatch.model.tree import Defect, Entry, Kind, Trouble

MAX_RATIO = 100
"""Unpacked to packed size of a large member: photos hardly shrink, deflate cannot pass about 1000."""

SMALL_BYTES = 1 * MIB
"""Below this the ratio does not matter: a small document of blanks is no attack."""

MAX_INFLATED_BYTES = 1024 * MIB
"""Size of a member that is still inflated; stored members need no inflating and may be larger."""

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OverflowError,
)
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
_UNIX = 3
_ENCRYPTED, _UTF8 = 0x1, 0x800
_USABLE = frozenset({Trouble.NAME_ENCODING})


class ZipTree:
    """A zip archive as a tree of two levels, which is all that a batch has; deeper ones show as a folder.

    Zip64 and data descriptors are fine. A file that is no zip has no entries and one defect.

    :param file: open for reading, seekable; stays the caller's to close.
    :param location: what to call it in messages.
    """

    def __init__(self, file: BinaryIO, *, location: str = "the archive") -> None:
        self._location = location
        self._folders: dict[str, dict[str, zipfile.ZipInfo | None]] = {"": {}}
        self._defects: list[tuple[str, Defect]] = []
        self._twice: set[str] = set()
        self._zip: zipfile.ZipFile | None = None
        try:
            self._zip = zipfile.ZipFile(file)
        except (*_BROKEN, OSError) as error:
            defect = Defect(Trouble.NOT_AN_ARCHIVE, _what_it_is(file, error))
            self._defects.append(("", defect))
            return
        for info in self._zip.infolist():
            self._place(info)

    @property
    def location(self) -> str:
        """What it was called."""
        return self._location

    def defects(self) -> Iterator[tuple[str, Defect]]:
        """That it is no zip, or the members whose paths lead elsewhere."""
        return iter(self._defects)

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The names at the root or in a folder of it, sorted.

        :raises OSError: when there is no such folder.
        """
        if folder not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "no such folder in the archive", folder)
        prefix = f"{folder}/" if folder else ""
        for name, info in sorted(self._folders[folder].items()):
            yield self._entry(prefix + name, name, info)

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """The unpacked bytes of a member from an offset on; inflating runs through what lies before it.

        :raises OSError: here or while reading, when it is missing, has a defect or is damaged.
        """
        folder, _, name = path.rpartition("/")
        info = self._folders.get(folder, {}).get(name)
        if info is None or self._zip is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the archive", path)
        entry = self._entry(path, name, info)
        if entry.kind is not Kind.FILE:
            raise OSError(errno.EINVAL, f"not a plain file ({entry.kind})", path)
        if entry.defect is not None and entry.defect.trouble not in _USABLE:
            raise OSError(errno.EINVAL, entry.defect.detail, path)
        try:
            stream = _Guarded(self._zip.open(info), path)
        except _BROKEN as error:
            raise _damaged(path, error) from error
        return _skipped(io.BufferedReader(stream), offset)

    def read(self, path: str, size: int) -> bytes:
        """See `visionbatch.model.tree.Tree.read`."""
        with self.open(path) as stream:
            return stream.read(size + 1)

    def _place(self, info: zipfile.ZipInfo) -> None:
        if (why := _unsafe(info)) is not None:
            self._defects.append((info.filename, Defect(Trouble.PATH, why)))
            return
        is_folder = info.filename.endswith("/")
        parts = info.filename.removesuffix("/").split("/", 2)
        for depth, name in enumerate(parts[:2]):
            parent = self._folders.setdefault("/".join(parts[:depth]), {})
            if depth < len(parts) - 1 or is_folder:
                self._add_folder(parent, "/".join(parts[: depth + 1]), name)
            else:
                self._add_file(parent, info.filename, name, info)
        if is_folder and len(parts) == 1:
            self._folders.setdefault(parts[0], {})

    def _add_folder(self, parent: dict[str, zipfile.ZipInfo | None], path: str, name: str) -> None:
        if parent.setdefault(name, None) is not None:
            self._twice.add(path)

    def _add_file(
        self,
        parent: dict[str, zipfile.ZipInfo | None],
        path: str,
        name: str,
        info: zipfile.ZipInfo,
    ) -> None:
        if name in parent:
            self._twice.add(path)
        parent[name] = info

    def _entry(self, path: str, name: str, info: zipfile.ZipInfo | None) -> Entry:
        if info is None:
            return Entry(name, Kind.FOLDER)
        defect = self._defect(path, info)
        return Entry(name, _kind(info), info.file_size, defect)

    def _defect(self, path: str, info: zipfile.ZipInfo) -> Defect | None:
        if path in self._twice:
            return Defect(Trouble.DUPLICATE, "the archive holds this path more than once")
        if info.flag_bits & _ENCRYPTED:
            return Defect(Trouble.ENCRYPTED, "the member is encrypted")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            return Defect(Trouble.COMPRESSION, f"it is compressed by method {info.compress_type}")
        if _swells(info):
            sizes = f"{info.compress_size} bytes claim to unpack to {info.file_size}"
            return Defect(Trouble.EXPANSION, sizes)
        if not (info.filename.isascii() or info.flag_bits & _UTF8):
            return Defect(Trouble.NAME_ENCODING, "the name may read differently elsewhere")
        return None


def _unsafe(info: zipfile.ZipInfo) -> str | None:
    """Why a path cannot be shown as a place in a tree.

    The name as stored is what counts: Python's reader cuts its own copy at a NUL.
    """
    name = info.orig_filename
    if "\0" in name:
        return "the path holds a NUL"
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "the path is absolute"
    if not {"", ".", ".."}.isdisjoint(name.removesuffix("/").replace("\\", "/").split("/")):
        return "the path has an empty, '.' or '..' part"
    return None


def _swells(info: zipfile.ZipInfo) -> bool:
    if info.compress_type == zipfile.ZIP_STORED:
        return info.file_size != info.compress_size
    ratio_passed = info.file_size > MAX_RATIO * max(info.compress_size, 1)
    return info.file_size > MAX_INFLATED_BYTES or (info.file_size > SMALL_BYTES and ratio_passed)


def _kind(info: zipfile.ZipInfo) -> Kind:
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    # Many writers leave the type out of the mode; the trailing slash has told folders from files.
    if stat.S_IFMT(mode) in {0, stat.S_IFREG}:
        return Kind.FILE
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _what_it_is(file: BinaryIO, error: Exception) -> str:
    """Why this is no zip, in words for somebody who thought that it was."""
    try:
        file.seek(0)
        head = file.read(8)
    except (OSError, ValueError):
        head = b"?"
    if not head:
        return "the file is empty"
    if head.startswith(b"PK\x03\x04"):
        reason = printable(str(error), 200)
        return f"it begins like a zip but is damaged, or was not copied to its end: {reason}"
    signatures = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"<": "HTML or XML"}
    names = (name for magic, name in signatures.items() if head.startswith(magic))
    found = next(names, "")
    return f"it is {found}, not zip" if found else f"it is no zip: {printable(str(error), 200)}"


def _damaged(path: str, error: Exception) -> OSError:
    return OSError(errno.EIO, f"damaged in the archive: {printable(str(error), 200)}", path)


def _skipped(stream: io.BufferedReader, offset: int) -> BinaryIO:
    try:
        while offset > 0 and (part := stream.read(min(offset, 256 * KIB))):
            offset -= len(part)
    except BaseException:
        stream.close()
        raise
    return stream


class _Guarded(io.RawIOBase):
    """A member's stream whose damage is an `OSError`, as the tree promises.

    It gives no more than the declared size, which has passed the caps: zipfile stops there.
    """

    def __init__(self, stream: Any, path: str) -> None:
        super().__init__()
        self._stream = stream
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            data = self._stream.read(len(buffer))
        except _BROKEN as error:
            raise _damaged(self._path, error) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
