"""Contents of small objects that were read lately, kept in memory."""

from functools import lru_cache
from pathlib import Path

from visionbatch_mock.storage.objects import StoredObject

SMALL_BYTES, SMALL_KEPT = 16 * 1024, 256
"""Ours: objects up to this are kept, so many of them at most."""


class SmallFiles:
    """Those of one tenant. A state keeps none of it.

    To open, read and close a file lets go of the interpreter each time, and a busy server waits long to have it back.
    """

    def __init__(self) -> None:
        self._read = lru_cache(SMALL_KEPT)(_read)

    def __reduce__(self) -> tuple[type["SmallFiles"], tuple[()]]:
        return (SmallFiles, ())

    def content(self, stored: StoredObject) -> bytes | None:
        """The bytes of a small object; None for a larger one."""
        return self._read(stored.path) if stored.size <= SMALL_BYTES else None


def _read(path: Path) -> bytes:
    return path.read_bytes()
