"""Where an archive's bytes come from, and how a change under our hands is noticed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from visionbatch.config import KIB
from visionbatch.errors import InputChanged, InputMissing
from visionbatch.io.body import FileSpan
from visionbatch.io.closing import Closable

EDGE_BYTES = 64 * KIB
"""Bytes of a ready-made archive's head and tail that identify it: a zip's tail lists every member's CRC."""


class Source(Protocol):
    """An archive that can be read from any offset, as often as needed, always with the same bytes."""

    @property
    def name(self) -> str:
        """What to call it, for messages and as the batch's label."""

    @property
    def size(self) -> int:
        """Bytes of the whole archive."""

    @property
    def fingerprint(self) -> str:
        """Identity of its content, the same on every machine."""

    @property
    def summary_start(self) -> int:
        """From where on its bytes sum up those before, as a zip's directory does; its size when none do."""

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[bytes]:
        """The bytes from ``offset`` to ``stop``, in blocks of at most ``block_bytes``.

        :raises InputChanged: when the source no longer has the bytes it had.
        """

    def span(self, offset: int, stop: int) -> FileSpan | None:
        """The same bytes as part of one open file, which the kernel can send by itself; ``None`` if they are not."""

    def verify(self) -> None:
        """Look whether the source still is what it was when it was opened.

        :raises InputChanged: when it is not.
        """


class FileSource(Closable):
    """A ready-made archive on the local disk; use as a context manager.

    :raises InputMissing: when it is not there or not a plain file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        try:
            # Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
            handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            host = os.uname().nodename
            raise InputMissing(f"cannot open {self._path} on {host}: {error.strerror}") from error
        self._file: BinaryIO = os.fdopen(handle, "rb", buffering=0)
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            self._file.close()
            raise InputMissing(f"{self._path} on {os.uname().nodename} is not a plain file")
        self._identity = _identity(status)

    @property
    def name(self) -> str:
        """The file's name without extension."""
        return self._path.stem

    @property
    def size(self) -> int:
        """Bytes."""
        return self._identity[2]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over size, head and tail: a zip's tail holds the CRC of every member."""
        return edge_fingerprint(self._file, self.size)

    @property
    def summary_start(self) -> int:
        """Every byte can be read by itself."""
        return self.size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[bytes]:
        """See `Source.blocks`."""
        whole = self.span(offset, stop)
        while offset < stop:
            block = whole.read(offset, block_bytes)
            yield block
            offset += len(block)

    def span(self, offset: int, stop: int) -> FileSpan:
        """See `Source.span`."""
        return FileSpan(self._file.fileno(), offset, stop, str(self._path))

    def verify(self) -> None:
        """Compare device, inode, size and time of change with those at opening."""
        try:
            now = _identity(self._path.stat())
        except OSError as error:
            raise InputChanged(f"{self._path} has gone away: {error.strerror}") from error
        if now != self._identity:
            raise InputChanged(f"{self._path} was {_difference(self._identity, now)} since it was opened")


def edge_fingerprint(file: BinaryIO, size: int) -> str:
    """SHA-256, in hexadecimal, over the size and both edges of a seekable file."""
    digest = hashlib.sha256(b"file:%d:" % size)
    file.seek(0)
    digest.update(file.read(EDGE_BYTES))
    file.seek(max(0, size - EDGE_BYTES))
    digest.update(file.read(EDGE_BYTES))
    return digest.hexdigest()


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _difference(before: tuple[int, int, int, int], after: tuple[int, int, int, int]) -> str:
    if before[:2] != after[:2]:
        return "replaced by another file"
    if before[2] != after[2]:
        return f"changed from {before[2]} to {after[2]} bytes"
    return "written to"
