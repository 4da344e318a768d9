"""A CRC-32C of the part of an archive that has been read in order, however often parts of it are read again."""

from __future__ import annotations

import google_crc32c


class PrefixChecksum:
    """Running CRC-32C of the bytes from 0 up to ``position``."""

    def __init__(self) -> None:
        self.position = 0
        self.value = 0

    def update(self, offset: int, block: memoryview) -> None:
        """Take in a block that was read at an offset; what is known already, or not yet adjacent, is left out."""
        fresh = self.position - offset
        if 0 <= fresh < len(block):
            self.value = google_crc32c.extend(self.value, bytes(block[fresh:]))
            self.position = offset + len(block)
