"""The members of a zip, in the order of its directory; parsed and unpacked by Python's `zipfile`."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

from visionbatch.errors import Damaged
from visionbatch.transfer.archive_members import Member, MemberKind
from visionbatch.transfer.unpack_budget import Spending

_ENCRYPTED = 0x1
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
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
_KINDS = {0: MemberKind.FILE, stat.S_IFREG: MemberKind.FILE, stat.S_IFDIR: MemberKind.FOLDER,
          stat.S_IFLNK: MemberKind.SYMLINK}  # fmt: skip


class ZipReader:
    """Reads a zip.

    :param stream: seekable.
    :param spending: told of each byte that comes out.
    :param archive: what to call it in messages.
    """

    def __init__(self, stream: BinaryIO, spending: Spending, archive: str) -> None:
        self._stream = stream
        self.spending = spending
        self._archive = archive

    def members(self) -> Iterator[Member]:
        """Its members.

        :raises Damaged: when it, or one of them, is damaged or cut: the directory at its end counts them.
        """
        try:
            with zipfile.ZipFile(self._stream) as archive:
                for info in archive.infolist():
                    yield Member(info.orig_filename, _kind(info), info.file_size, _Body(self, archive, info))
        except _BROKEN as error:
            raise self.damaged(error) from error

    def damaged(self, error: Exception) -> Damaged:
        """The error for what was found."""
        return Damaged(f"{self._archive} is a damaged zip: {error}", next_step="Fetch or make the archive again.")


def _kind(info: zipfile.ZipInfo) -> MemberKind:
    if info.flag_bits & _ENCRYPTED:
        return MemberKind.ENCRYPTED
    if info.compress_type not in _KNOWN:
        # The others are inflated here without a limit on what comes out at a time.
        return MemberKind.COMPRESSION
    if info.is_dir():
        return MemberKind.FOLDER
    return _KINDS.get(stat.S_IFMT(info.external_attr >> 16), MemberKind.DEVICE)


class _Body:
    """The bytes of one member; opened when the first are asked for."""

    def __init__(self, reader: ZipReader, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._reader = reader
        self._archive = archive
        self._info = info
        self._file: IO[bytes] | None = None

    def read(self, size: int) -> bytes:
        """See `visionbatch.transfer.archive_members.MemberBody.read`."""
        try:
            if self._file is None:
                self._file = self._archive.open(self._info)
            block = self._file.read(size)
        except _BROKEN as error:
            raise self._reader.damaged(error) from error
        self._reader.spending.unpacked(len(block))
        return block
