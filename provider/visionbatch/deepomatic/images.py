"""Format and size of a picture from its first bytes, without a decoder."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from visionbatch.config import MIB

HEADER_BYTES = 16 * MIB
"""How far a JPEG's size is looked for: phones put depth maps of several MiB before it."""

HEADER_STEPS = 4096
"""Segments and fill bytes before it: a JPEG full of empty segments must not cost seconds."""

TAIL_BYTES = 4096
"""How near to the end the end mark must be: cameras pad with zeros and append small trailers."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})

_FOREIGN = (
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"<", "HTML or XML"),
)


class ImageFormat(StrEnum):
    """The two formats on Deepomatic's page on the format of a batch."""

    JPEG = "JPEG"
    PNG = "PNG"

    @property
    def extensions(self) -> frozenset[str]:
        """Extensions that say the truth about it."""
        return frozenset({"png"}) if self is ImageFormat.PNG else frozenset({"jpg", "jpeg"})


class DamagedHeader(ValueError):
    """The header ends early or contradicts its format."""


@dataclass(frozen=True)
class Header:
    """What a picture says of itself.

    :param end: bytes from the beginning up to where the size was found.
    """

    format: ImageFormat
    width: int
    height: int
    end: int


def sniff(head: bytes) -> ImageFormat | None:
    """The format by its first bytes, whatever the name says."""
    if head.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    return ImageFormat.PNG if head.startswith(_PNG_SIGNATURE) else None


def foreign_format(head: bytes) -> str:
    """The name of another well-known format, so that a message can say it; empty if none."""
    names = (name for at, magic, name in _FOREIGN if head[at : at + len(magic)] == magic)
    return next(names, "")


def read_header(found: ImageFormat, head: bytes, rest: BinaryIO) -> Header:
    """Width and height in pixels.

    :param head: the first bytes; ``rest`` goes on right after them.
    :raises DamagedHeader: when they are not where the format says.
    :raises OSError: when the file cannot be read.
    """
    cursor = _Cursor(head, rest)
    width, height = _png_size(cursor) if found is ImageFormat.PNG else _jpeg_size(cursor)
    if not (width and height):
        raise DamagedHeader(f"the picture claims {width} x {height} pixels")
    return Header(found, width, height, cursor.position)


def has_end(found: ImageFormat, tail: bytes) -> bool:
    """Whether the end mark of the format is among the last bytes.

    :param tail: must begin after the header, where a thumbnail has an end mark of its own.
    """
    return (b"IEND\xaeB`\x82" if found is ImageFormat.PNG else b"\xff\xd9") in tail


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """As many bytes as there are, at most ``count``, from a stream that may give fewer at a time."""
    parts = []
    while count > 0 and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class _Cursor:
    """Reads forward through the head and then the stream, and no further than `HEADER_BYTES`."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest
        self.position = 0

    def take(self, count: int) -> bytes:
        if self.position + count > HEADER_BYTES:
            raise DamagedHeader(f"there is no picture size in its first {HEADER_BYTES} bytes")
        data = self._head[self.position : self.position + count]
        data += read_up_to(self._rest, count - len(data))
        self.position += len(data)
        if len(data) < count:
            raise DamagedHeader("the file ends inside its header")
        return data

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")


def _png_size(cursor: _Cursor) -> tuple[int, int]:
    cursor.take(len(_PNG_SIGNATURE))
    length, chunk = cursor.number(4), cursor.take(17)
    if length != 13 or chunk[:4] != b"IHDR":
        raise DamagedHeader("the first chunk of the PNG is not its header")
    if cursor.number(4) != zlib.crc32(chunk):
        raise DamagedHeader("the header of the PNG fails its checksum")
    return int.from_bytes(chunk[4:8], "big"), int.from_bytes(chunk[8:12], "big")


def _jpeg_size(cursor: _Cursor) -> tuple[int, int]:
    cursor.take(2)
    for _ in range(HEADER_STEPS):
        if cursor.take(1) != b"\xff":
            raise DamagedHeader("there is no marker where the JPEG must have one")
        marker = _marker(cursor)
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        if marker in {0xD9, 0xDA}:
            raise DamagedHeader("the JPEG's picture begins or ends before its size is given")
        length = cursor.number(2)
        if length < 2:
            raise DamagedHeader("a segment of the JPEG has an impossible length")
        if marker in _JPEG_SIZE_MARKERS:
            return _frame_size(cursor.take(length - 2))
        cursor.take(length - 2)
    raise DamagedHeader(f"there is no picture size in its first {HEADER_STEPS} segments")


def _marker(cursor: _Cursor) -> int:
    for _ in range(HEADER_STEPS):
        # Any number of 0xFF may come before a marker as filling.
        if (marker := cursor.number(1)) != 0xFF:
            return marker
    raise DamagedHeader("the JPEG holds nothing but filling")


def _frame_size(frame: bytes) -> tuple[int, int]:
    if len(frame) < 6:
        raise DamagedHeader("the frame header of the JPEG is too short")
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
