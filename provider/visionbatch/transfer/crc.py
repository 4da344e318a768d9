"""CRC-32C of a whole from those of its parts, so that parts may arrive in any order and nothing is read twice.

The register after a part is that before it, shifted by the part's length, plus the part's own: shifting by *n* bits is
a multiplication by x^n in the polynomials over GF(2) modulo Castagnoli's.
"""

from __future__ import annotations

from functools import lru_cache

CASTAGNOLI = 0x82F63B78
"""The polynomial of CRC-32C (RFC 3720, B.4), least significant bit first as the register holds it."""

_ONE = 1 << 31


def combined(first: int, second: int, second_bytes: int) -> int:
    """The CRC-32C of two parts joined.

    :param first: CRC-32C of the first part.
    :param second: that of the second.
    :param second_bytes: length of the second.
    """
    return _times(first, _shift(8 * second_bytes)) ^ second


@lru_cache(maxsize=1024)
def _shift(bits: int) -> int:
    """x^bits, by squaring."""
    power, result = _ONE >> 1, _ONE
    while bits:
        if bits & 1:
            result = _times(result, power)
        power = _times(power, power)
        bits >>= 1
    return result


def _times(a: int, b: int) -> int:
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ (CASTAGNOLI if b & 1 else 0)
    return product
