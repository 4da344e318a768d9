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

    content_type: str | None
    content: Iterator[bytes]


def split_related(blocks: Iterable[bytes], boundary: bytes) -> Iterator[Part]:
    """The parts of a body, in order; raises `MalformedMultipart`."""
    return _Splitter(blocks, boundary).parts()


class _Splitter:
    """Lines end as the one after the first boundary does: clients write CRLF or, as gcsfs, LF alone."""

    def __init__(self, blocks: Iterable[bytes], boundary: bytes) -> None:
        self._buffer = b""
        self._blocks = iter(blocks)
        self._boundary = b"--" + boundary
        self._end = b"\r\n"
        self._delimiter = self._end + self._boundary

    def parts(self) -> Iterator[Part]:
        self._open()
        while not self._closing():
            head = self._head()
            yield Part(head["Content-Type"], self._until_delimiter())

    def _open(self) -> None:
        while (found := self._buffer.find(self._boundary)) < 0 or b"\n" not in self._buffer[found:]:
            if len(self._buffer) > MAX_HEAD_BYTES or not self._more():
                raise MalformedMultipart("the body does not begin with its boundary")
        self._buffer = self._buffer[found + len(self._boundary) :]
        self._end = b"\n" if self._buffer.startswith(b"\n") else b"\r\n"
        self._delimiter = self._end + self._boundary

    def _more(self) -> bool:
        block = next(self._blocks, b"")
        self._buffer += block
        return bool(block)

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
        return not self._buffer.startswith(self._end)

    def _head(self) -> Message:
        while (end := self._buffer.find(self._end * 2)) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES or not self._more():
                raise MalformedMultipart("a part's head does not end")
        head = self._buffer[len(self._end) : end]
        self._buffer = self._buffer[end + 2 * len(self._end) :]
        return BytesHeaderParser().parsebytes(head + self._end * 2)
