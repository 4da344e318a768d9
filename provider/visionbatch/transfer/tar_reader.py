"""The members of a tar, one after the other, from a stream.

A header's 512 bytes are read by Python's `tarfile`. What lies between headers is not: that library takes a damaged
header for the end of the archive, and reads names of any length into memory.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Protocol

from visionbatch.config import KIB, MIB
from visionbatch.errors import Damaged
from visionbatch.transfer.archive_members import Member, MemberKind
from visionbatch.transfer.unpack_budget import Spending

BLOCK = 512
EXTRA_BYTES = 1 * MIB
"""Longest header of a long name or of pax records: paths end at 4 KiB, the rest is for attributes nobody here reads."""

_ZEROS = bytes(BLOCK)
_PAX, _GLOBAL = b"xX", b"g"
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_KINDS = {
    **dict.fromkeys((tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE), MemberKind.FILE),
    **dict.fromkeys((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE), MemberKind.DEVICE),
    tarfile.DIRTYPE: MemberKind.FOLDER,
    tarfile.SYMTYPE: MemberKind.SYMLINK,
    tarfile.LNKTYPE: MemberKind.HARDLINK,
    tarfile.GNUTYPE_SPARSE: MemberKind.SPARSE,
}


class Stream(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """Some bytes, at most so many; none at the end."""


class TarReader:
    """Reads a tar to its end, which is a block of zeros and nothing but zeros behind it.

    :param spending: is charged for headers that only tell of the next member; whoever asks for members charges these.
    :param archive: what to call it in messages.
    """

    def __init__(self, stream: Stream, spending: Spending, archive: str) -> None:
        self._stream = stream
        self._spending = spending
        self._archive = archive
        self._position = 0

    def members(self) -> Iterator[Member]:
        """Its members in their order; what was not read of a body is skipped.

        :raises Damaged: when a header is damaged, or the archive ends before its end mark: it was cut, be it between
            two members.
        """
        while (member := self._next()) is not None:
            yield member
            while member.body.read(256 * KIB):
                pass
            self.exactly(-member.size % BLOCK)
        self._nothing_behind()

    def read(self, size: int) -> bytes:
        """Some bytes of it, at most so many; none at the end."""
        block = self._stream.read(size)
        self._position += len(block)
        return block

    def exactly(self, size: int) -> bytes:
        """So many bytes of it.

        :raises Damaged: when it ends before.
        """
        found = b""
        while len(found) < size:
            block = self.read(size - len(found))
            if not block:
                raise self.damaged("ends without its end mark")
            found += block
        return found

    def damaged(self, how: str) -> Damaged:
        """The error for what was found here."""
        return Damaged(f"{self._archive} {how}, at byte {self._position}", next_step="Fetch or make the archive again.")

    def _next(self) -> Member | None:
        told: dict[str, str] = {}
        while True:
            block = self.exactly(BLOCK)
            if block == _ZEROS:
                return None
            info = self._parsed(block)
            if info.type in (_LONG_NAME, _LONG_LINK):
                text = self._extra(info).rstrip(b"\0").decode("utf-8", "surrogateescape")
                told |= {"path": text} if info.type == _LONG_NAME else {}
            elif info.type in _PAX:
                told |= self._records(info)
            elif info.type in _GLOBAL:
                self._records(info)
            else:
                return self._member(info, told)

    def _parsed(self, block: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError, OverflowError) as error:
            what = "has a damaged header" if self._position > BLOCK else "is no archive that is known here"
            raise self.damaged(what) from error
        if info.size < 0:
            raise self.damaged("has a member of a negative size")
        return info

    def _member(self, info: tarfile.TarInfo, told: dict[str, str]) -> Member:
        size = self._size(info, told)
        kind = _KINDS.get(info.type, MemberKind.UNKNOWN)
        if any(key.startswith("GNU.sparse.") for key in told):
            kind = MemberKind.SPARSE
        if not info.isreg() and info.type in tarfile.SUPPORTED_TYPES:
            # A folder or a link has no bytes, whatever number its header holds.
            size = 0
        return Member(told.get("path", info.name), kind, size, _Body(self, size))

    def _size(self, info: tarfile.TarInfo, told: dict[str, str]) -> int:
        text = told.get("size", str(info.size))
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise self.damaged("has a member whose size is no number")
        return int(text)

    def _extra(self, info: tarfile.TarInfo) -> bytes:
        if info.size > EXTRA_BYTES:
            raise self.damaged(f"has a header of {info.size} bytes")
        self._spending.entry("a header of extensions", info.size)
        content = self.exactly(info.size)
        self.exactly(-info.size % BLOCK)
        return content

    def _records(self, info: tarfile.TarInfo) -> dict[str, str]:
        """The pax records ``length key=value`` of a header."""
        content, found, at = self._extra(info).rstrip(b"\0"), {}, 0
        while at < len(content):
            digits, _, _ = content[at : at + 8].partition(b" ")
            length = int(digits) if digits.isdigit() else 0
            record = content[at : at + length]
            at += length
            key, equals, value = record[len(digits) + 1 :].partition(b"=")
            if not equals or len(record) != length or not value.endswith(b"\n"):
                raise self.damaged("has pax records that cannot be read")
            found[key.decode("utf-8", "surrogateescape")] = value[:-1].decode("utf-8", "surrogateescape")
        return found

    def _nothing_behind(self) -> None:
        # Also reads what a compressed stream has behind its bytes: the checksum.
        while block := self.read(64 * KIB):
            if block.strip(b"\0"):
                raise self.damaged("has bytes behind its end mark")


class _Body:
    """The bytes of one member."""

    def __init__(self, reader: TarReader, size: int) -> None:
        self._reader = reader
        self._left = size

    def read(self, size: int) -> bytes:
        """See `visionbatch.transfer.archive_members.MemberBody.read`."""
        block = self._reader.read(min(size, self._left))
        if self._left and not block:
            raise self._reader.damaged(f"ends {self._left} bytes before the end of a member")
        self._left -= len(block)
        return block
