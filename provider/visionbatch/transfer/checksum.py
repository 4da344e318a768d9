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
    """Running CRC-32C of the bytes from ``start`` up to ``position``, however often parts of them are read again."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        # One value and not two, so that another thread sees both as they belong together.
        self.known = (start, 0)

    @property
    def position(self) -> int:
        """Up to where it goes."""
        return self.known[0]

    def update(self, offset: int, block: bytes) -> None:
        """Take in a block that was read at an offset; what is known already, or not yet adjacent, is left out."""
        position, value = self.known
        fresh = position - offset
        if 0 <= fresh < len(block):
            self.known = offset + len(block), google_crc32c.extend(value, block[fresh:] if fresh else block)
