"""Bytes on disk with their digests, growing at one end only."""

import base64
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import google_crc32c

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Digests:
    """Checksums of finished content: base64 as Google writes them, SHA-256 in hexadecimal."""

    crc32c: str
    md5: str | None
    """None for an object made of parts, which has none at Google."""
    sha256: str

    def without_md5(self) -> Self:
        """The same without it."""
        return replace(self, md5=None)


class Spool:
    """One growing file.

    Digests run along with the bytes, so that finishing costs nothing however large the content is.
    The file is opened for each block: a mock may hold thousands of idle sessions, and an open file
    for each would exhaust the process. Callers serialise access.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._running: _Running | None = _Running()

    def append(self, block: bytes | memoryview) -> None:
        """Add a block at the end."""
        data, running = bytes(block), self._hashes()
        with self.path.open("ab") as file:
            file.write(data)
        running.update(data)
        self.size += len(data)

    def digests(self) -> Digests:
        """Checksums of everything appended so far."""
        return self._hashes().digests()

    def recover(self, quantum: int) -> None:
        """Believe the file after a kill: beyond the known size it counts in whole multiples of `quantum`."""
        there = self.path.stat().st_size if self.path.exists() else 0
        size = there if there <= self.size else max(self.size, there // quantum * quantum)
        if there != size:
            os.truncate(self.path, size)
        self.size, self._running = size, None

    def __getstate__(self) -> tuple[Path, int]:
        return self.path, self.size

    def __setstate__(self, state: tuple[Path, int]) -> None:
        self.path, self.size = state
        self._running = None

    def _hashes(self) -> "_Running":
        """The running digests; after a restart they are those of the bytes on disk, read once when they are needed."""
        if self._running is None:
            self._running = _Running()
            if self.size:
                with self.path.open("rb") as file:
                    while block := file.read(BLOCK_BYTES):
                        self._running.update(block)
        return self._running

    def seal(self) -> None:
        """Make sure that the file exists, which an empty object never wrote."""
        self.path.touch()

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


class _Running:
    """Digests of bytes that come block by block. They cannot be written down half-way."""

    def __init__(self) -> None:
        self._crc32c = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._crc32c = google_crc32c.extend(self._crc32c, data)
        self._md5.update(data)
        self._sha256.update(data)

    def digests(self) -> Digests:
        return Digests(
            crc32c=base64.b64encode(self._crc32c.to_bytes(4, "big")).decode(),
            md5=base64.b64encode(self._md5.digest()).decode(),
            sha256=self._sha256.hexdigest(),
        )
