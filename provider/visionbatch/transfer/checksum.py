"""The checksums of a transfer: CRC-32C of what is sent, CRC-32 of what stands in a zip."""

from __future__ import annotations

import google_crc32c

try:
    # Intel's storage library takes a tenth of zlib's time; the extra ``fast`` brings it.
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["PrefixChecksum", "combined", "crc32"]

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, bits reversed (RFC 3720, appendix B.4)."""
_ONE = 1 << 31
_X = 1 << 30


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


def combined(first: int, second: int, length: int) -> int:
    """CRC-32C of two stretches behind each other.

    :param length: bytes of the second.
    """
    # A CRC is a remainder of polynomials over two elements: zeros behind the first multiply it by a power of x.
    power, square, bits = _ONE, _X, 8 * length
    while bits:
        if bits & 1:
            power = _product(power, square)
        square, bits = _product(square, square), bits >> 1
    return _product(power, first) ^ second


def _product(a: int, b: int) -> int:
    """Product of two polynomials, modulo Castagnoli's; bits reversed like the CRC itself."""
    product = 0
    for power in range(31, -1, -1):
        if a >> power & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product
