"""The checksums of a transfer: CRC-32C of what is sent, CRC-32 of what stands in a zip."""

from __future__ import annotations

import google_crc32c

try:
    # Intel's storage library takes a tenth of zlib's time; the extra ``fast`` brings it.
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["PrefixChecksum", "crc32"]


class PrefixChecksum:
    """Running CRC-32C of the bytes from 0 up to ``position``, however often parts of them are read again."""

    def __init__(self) -> None:
        self.position = 0
        self.value = 0

    def update(self, offset: int, block: bytes) -> None:
        """Take in a block that was read at an offset; what is known already, or not yet adjacent, is left out."""
        fresh = self.position - offset
        if 0 <= fresh < len(block):
            self.value = google_crc32c.extend(self.value, block[fresh:] if fresh else block)
            self.position = offset + len(block)
