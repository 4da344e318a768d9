"""`multipart/related` taken apart as it arrives, in bounded memory.

Google clients put metadata and content into one such body. Werkzeug's own parser is for forms and
wants a name for each part, which these parts do not have.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

MAX_HEAD_BYTES = 16 * 1024
"""Ours: the head of a part is two or three lines."""


class MalformedMultipart(ValueError):
    """A body that is not what its content type says."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `content` has to be read before the next part is asked for."""

    content_type: str
    content: Iterator[bytes]


def split_related(blocks: Iterable[bytes], boundary: bytes) -> Iterator[Part]:
    """The parts of a body, in order; raises `MalformedMultipart`."""
    return _Splitter(blocks, boundary).parts()


class _Splitter:
    def __init__(self, blocks: Iterable[bytes], boundary: bytes) -> None:
        self._buffer = b""
        self._blocks = iter(blocks)
        self._dashes = b"--" + boundary
        self._break = b"\r\n"

    @property
    def _delimiter(self) -> bytes:
        return self._break + self._dashes

    def parts(self) -> Iterator[Part]:
        self._break = self._first_break()
        # The first delimiter has no line break before it; lending one makes all alike.
        self._buffer = self._break + self._buffer
        for _ in self._until_delimiter():
            pass
        while not self._closing():
            head = self._head()
            yield Part(head.get_content_type(), self._until_delimiter())

    def _more(self) -> bool:
        block = next(self._blocks, b"")
        self._buffer += block
        return bool(block)

    def _first_break(self) -> bytes:
        """What ends the first line, and so every other: gcsfs sends line feeds alone, and the service takes them."""
        while len(self._buffer) <= len(self._dashes) and self._more():
            pass
        return b"\n" if self._buffer.startswith(self._dashes + b"\n") else b"\r\n"

    def _until_delimiter(self) -> Iterator[bytes]:
        """Content up to the delimiter, held back by as much as could be the start of one."""
        keep = len(self._delimiter) - 1
        while (found := self._buffer.find(self._delimiter)) < 0:
            ready, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            if ready:
                yield ready
            if not self._more():
                raise MalformedMultipart("the body ends inside a part")
        content = self._buffer[:found]
        self._buffer = self._buffer[found + len(self._delimiter) :]
        if content:
            yield content

    def _closing(self) -> bool:
        while len(self._buffer) < 2 and self._more():
            pass
        return not self._buffer.startswith(self._break)

    def _head(self) -> Message:
        begin = len(self._break)
        while (end := self._buffer.find(2 * self._break)) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES or not self._more():
                raise MalformedMultipart("a part's head does not end")
        head, self._buffer = self._buffer[begin:end], self._buffer[end + 2 * begin :]
        return BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
