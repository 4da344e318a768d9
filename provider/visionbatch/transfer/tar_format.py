"""The records of a tar file, as bytes: ustar headers, pax records for what those cannot say, fixed dates and owner.

Written from POSIX.1-2017, pax, sections "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import struct

RECORD = 512
"""Everything in a tar file begins at a multiple of this."""

END_OF_ARCHIVE = bytes(2 * RECORD)
"""Two empty records. They are not filled up to a tape's block of 10 KiB, which no reader of files or pipes asks for."""

LARGEST_SIZE = 0o77777777777
"""Bytes that eleven octal digits can name, 8 GiB less one; a larger member has its size in a pax record."""

LONGEST_NAME = 100
"""Bytes of a header's name. The prefix field, which would allow 155 more if a slash stood in the right place, is left
alone: pax takes any name."""

_MODE = 0o644
_MOMENT = 315_532_800
"""1 January 1980, UTC, as in the zip: the archive must not depend on when files were copied."""

_PAX_NAME = b"PaxHeader"
_SIZE = slice(124, 135)
_CHECKSUM = slice(148, 156)
_KIND = slice(156, 157)


def member_header_size(path: bytes, size: int) -> int:
    """Bytes of `member_header`."""
    records = _pax_records(path, size)
    return RECORD + (RECORD + _rounded(len(records)) if records else 0)


def member_header(path: bytes, size: int) -> bytes:
    """What stands in front of a member's bytes.

    :param path: in UTF-8, with ``/`` between parts.
    """
    records = _pax_records(path, size)
    plain = _header(_fitting(path) if records else path, size if size <= LARGEST_SIZE else 0, b"0")
    if not records:
        return plain
    return _header(_PAX_NAME, len(records), b"x") + records + bytes(padding(len(records))) + plain


def member_size(path: bytes, size: int) -> int:
    """Bytes that a member takes in the archive, header and padding included."""
    return member_header_size(path, size) + _rounded(size)


def padding(size: int) -> int:
    """Bytes from a member's end to the next record."""
    return -size % RECORD


def _rounded(size: int) -> int:
    return size + padding(size)


def _fitting(path: bytes) -> bytes:
    """As much of a path as a header has room for, for readers that know no pax: whole characters, and no folder."""
    return path[:LONGEST_NAME].decode(errors="ignore").encode().rstrip(b"/")


def _pax_records(path: bytes, size: int) -> bytes:
    """What the plain header cannot say: names beyond ASCII or too long, and sizes with too many digits."""
    records = b""
    if len(path) > LONGEST_NAME or not path.isascii():
        records += _pax_record(b"path", path)
    if size > LARGEST_SIZE:
        records += _pax_record(b"size", b"%d" % size)
    return records


def _pax_record(key: bytes, value: bytes) -> bytes:
    """One line, which begins with its own length, that number's digits included."""
    rest = b" %b=%b\n" % (key, value)
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return b"%d" % length + rest


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    record, digits = bytearray(_TEMPLATE), b"%011o" % size
    record[: len(name)] = name
    record[_SIZE], record[_KIND] = digits, kind
    # The sum of all bytes, most of which are always the same.
    record[_CHECKSUM] = b"%06o\0 " % (_TEMPLATE_SUM + sum(name) + sum(digits) + kind[0])
    return bytes(record)


_TEMPLATE = struct.pack(
    "<100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x",
    b"",
    b"%07o" % _MODE,
    b"%07o" % 0,
    b"%07o" % 0,
    b"",
    b"%011o" % _MOMENT,
    b" " * 8,
    b"\0",
    b"",
    b"ustar",
    b"00",
    b"",
    b"",
    b"%07o" % 0,
    b"%07o" % 0,
    b"",
)
"""A header without name, size and kind, with blanks for its checksum, as the standard wants it summed up."""

_TEMPLATE_SUM = sum(_TEMPLATE)
