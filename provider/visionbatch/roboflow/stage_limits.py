"""What the service asks of one upload. The names of these fields are not published, only how one of them begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from visionbatch.config import KIB, MIB

_BYTES = re.compile(r"maxFileSi")
_FILES = re.compile(r"maxFiles")
_UNITS = (("kb", KIB), ("kib", KIB), ("mb", MIB), ("mib", MIB), ("gb", KIB * MIB), ("gib", KIB * MIB))


@dataclass(frozen=True)
class ToldLimits:
    """Limits that came with a signed address; 0 where none did.

    :param files: in one archive.
    :param bytes: of the file that is sent.
    """

    files: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, fields: Mapping[str, int]) -> ToldLimits:
        """The strictest of what can be understood: fields whose names begin ``maxFiles`` and ``maxFileSi``.

        A unit at the end of a name counts; without one, sizes are bytes.
        """
        files = [value for name, value in fields.items() if _FILES.match(name) and value > 0]
        sizes = [value * _unit(name) for name, value in fields.items() if _BYTES.match(name) and value > 0]
        return cls(min(files, default=0), min(sizes, default=0))


def _unit(name: str) -> int:
    return next((size for word, size in _UNITS if name.lower().endswith(word)), 1)
