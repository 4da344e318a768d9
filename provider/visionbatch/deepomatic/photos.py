"""The check of one photo: what its first and last bytes say against its name and its size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.decode import why_undecodable
from visionbatch.deepomatic.images import (
    TAIL_BYTES,
    DamagedHeader,
    Header,
    foreign_format,
    has_end,
    read_header,
    read_up_to,
    sniff,
)
from visionbatch.deepomatic.names import extension
from visionbatch.deepomatic.rulebook import blocks, finding
from visionbatch.model.finding import Finding
from visionbatch.model.text import printable
from visionbatch.model.tree import HEAD_BYTES, Tree


class PhotoCheck:
    """One photo under check; `head` and `findings` are what it leaves.

    :param size: bytes as listed.
    """

    def __init__(self, tree: Tree, path: str, size: int, settings: CheckSettings) -> None:
        self.head = b""
        self.findings: list[Finding] = []
        self._tree = tree
        self._path = path
        self._size = size
        self._settings = settings

    def run(self) -> PhotoCheck:
        """Read what is needed and judge it.

        :raises OSError: when the photo cannot be read.
        """
        if self._size == 0:
            self._add("image-empty", "the file is empty")
            return self
        if self._size > self._settings.max_image_bytes:
            self._add("image-large", f"the photo has {self._size} bytes")
        with self._tree.open(self._path) as stream:
            header = self._read_header(stream)
        if header is not None:
            self.findings.extend(self._judge(header))
        if self._settings.deep and not any(map(blocks, self.findings)):
            self._decode()
        return self

    def _read_header(self, stream: BinaryIO) -> Header | None:
        self.head = read_up_to(stream, HEAD_BYTES)
        if len(self.head) < min(self._size, HEAD_BYTES):
            self._add("size-changed", f"listed with {self._size} bytes, holds {len(self.head)}")
            return None
        found = sniff(self.head)
        if found is None:
            what = foreign_format(self.head) or "neither JPEG nor PNG"
            self._add("image-format", f"the content is {what}")
            return None
        try:
            return read_header(found, self.head, stream)
        except DamagedHeader as error:
            self._add("image-header", str(error))
            return None

    def _judge(self, header: Header) -> Iterator[Finding]:
        if extension(self._path) not in header.format.extensions:
            yield finding("image-extension", self._path, f"the content is {header.format}")
        if header.width * header.height > self._settings.max_pixels:
            size = f"{header.width} x {header.height} pixels"
            yield finding("image-pixels", self._path, f"the photo claims {size}")
        if not has_end(header.format, self._tail(header)):
            # A warning, because a missing end mark proves nothing: phones append whole films to a
            # JPEG, and many decoders show the part that is there. The deep check asks one of them.
            message = f"no end of the {header.format} in its last {TAIL_BYTES} bytes"
            yield finding("image-truncated", self._path, message)

    def _tail(self, header: Header) -> bytes:
        start = max(header.end, self._size - TAIL_BYTES)
        if self._size <= len(self.head):
            return self.head[start:]
        with self._tree.open(self._path, start) as stream:
            return read_up_to(stream, TAIL_BYTES)

    def _decode(self) -> None:
        with self._tree.open(self._path) as stream:
            if complaint := why_undecodable(stream):
                self._add("image-damaged", f"it cannot be decoded: {printable(complaint, 200)}")

    def _add(self, rule: str, message: str) -> None:
        self.findings.append(finding(rule, self._path, message))
