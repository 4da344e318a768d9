"""Bytes on disk with their digests, growing at one end only."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import google_crc32c


@dataclass(frozen=True, slots=True)
class Digests:
    """Checksums of finished content: base64 as Google writes them, SHA-256 in hexadecimal."""

    crc32c: str
    md5: str
    sha256: str


class Spool:
    """One growing file.

    Digests run along with the bytes, so that finishing costs nothing however large the content is.
    The file is opened for each block: a mock may hold thousands of idle sessions, and an open file
    for each would exhaust the process. Callers serialise access.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._crc32c = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def append(self, block: bytes | memoryview) -> None:
        """Add a block at the end."""
        data = bytes(block)
        with self.path.open("ab") as file:
            file.write(data)
        self._crc32c = _extend(self._crc32c, data)
        self._md5.update(data)
        self._sha256.update(data)
        self.size += len(data)

    def digests(self) -> Digests:
        """Checksums of everything appended so far."""
        return Digests(
            crc32c=base64.b64encode(self._crc32c.to_bytes(4, "big")).decode(),
            md5=base64.b64encode(self._md5.digest()).decode(),
            sha256=self._sha256.hexdigest(),
        )

    def seal(self) -> None:
        """Make sure that the file exists, which an empty object never wrote."""
        self.path.touch()

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def _extend(crc32c: int, data: bytes) -> int:
    extended: int = google_crc32c.extend(crc32c, data)
    return extended
