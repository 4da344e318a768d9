"""Lines of a file with their numbers, in constant memory whatever the file holds."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol, cast

from visionbatch.config import KIB
from visionbatch.errors import InputMissing, SourceUnreadable

BLOCK_BYTES = 256 * KIB
"""Read at once; more does not make it faster."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """A `pathlib.Path`, or any path of a filesystem that opens like one."""

    def open(self, mode: str, /) -> object:
        """A seekable binary stream for the mode ``rb``."""


class Block(NamedTuple):
    """Some consecutive lines.

    :param number: that of the first, from 1.
    :param content: their bytes with all line feeds but the last.
    """

    number: int
    content: bytes

    def lines(self) -> list[bytes]:
        """The same cut up, blank ones included."""
        return self.content.split(b"\n")


class Line(NamedTuple):
    """One line without its end.

    :param number: from 1.
    :param content: its bytes, or the first of them.
    :param whole: false when the line is longer than the limit, so that only its beginning is here.
    """

    number: int
    content: bytes
    whole: bool


@contextmanager
def opened(path: Readable) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked when it is gzip, which its first bytes say and not its name.

    :raises InputMissing: when it is not there.
    :raises SourceUnreadable: when it cannot be opened.
    """
    try:
        stream = cast("BinaryIO", path.open("rb"))
    except FileNotFoundError as error:
        raise InputMissing(f"{path} is not there") from error
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be opened: {error}") from error
    with stream:
        magic = stream.read(len(_GZIP))
        stream.seek(0)
        if magic == _GZIP:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield stream


def blocks(stream: BinaryIO, limit: int) -> Iterator[Block]:
    """A stream as pieces that end where a line ends, for whoever can take many lines at once.

    Only a line feed ends a line: U+2028 and its like are characters of a JSON string. A carriage return before it is
    white space to JSON and left there. A byte order mark is taken off the first line.

    :param limit: bytes of the longest line that is needed whole; of a longer one at least as many are given.
    :raises SourceUnreadable: when reading or unpacking fails.
    """
    number, head = 1, b""
    for read in iter(partial(_block, stream), b""):
        end = read.rfind(b"\n")
        if end >= 0:
            block = _cut(number, b"".join((head, memoryview(read)[:end])))
            number, head = number + 1 + block.content.count(b"\n"), b""
            yield block
        if len(head) <= limit + len(_BOM):
            # What exceeds the limit is not kept, or a file without line feeds would fill the memory.
            head = (head + read[end + 1 :])[: limit + len(_BOM) + 1]
    yield _cut(number, head)


def lines(block: Block, limit: int) -> Iterator[Line]:
    """The lines of a block that are not blank.

    :param limit: bytes of the longest line that is given whole.
    """
    for number, content in enumerate(block.lines(), block.number):
        if len(content) > limit or (content and not content.isspace()):
            yield Line(number, content[:limit], len(content) <= limit)


def _cut(number: int, content: bytes) -> Block:
    return Block(number, content.removeprefix(_BOM) if number == 1 else content)


def _block(stream: BinaryIO) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except Exception as error:  # each backend of fsspec has errors of its own, and so has a damaged gzip file
        raise SourceUnreadable(f"an export cannot be read to its end: {type(error).__name__}: {error}") from error
