"""What can be fetched: the values on both sides of a download."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from visionbatch.errors import DownloadError
from visionbatch.io.ranged import Part


class RemoteObject(Protocol):
    """Something that can be fetched in parts: an object in a bucket, or what a link leads to."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def size(self) -> int | None:
        """Bytes as stored; ``None`` when that shows with the first answer."""

    @property
    def version(self) -> str:
        """Mark that changes with its content; empty when that shows with the first answer."""

    @property
    def crc32c(self) -> int | None:
        """CRC-32C as stored, where it is known."""

    @property
    def md5(self) -> bytes | None:
        """MD5 as stored, for stores that have nothing better; looked at when there is no CRC-32C."""

    def fetch(self, start: int, stop: int | None, version: str) -> AbstractContextManager[Part]:
        """The bytes from ``start`` to ``stop``, or to the end, if it still has this version.

        :param version: empty for whatever it has.
        :raises ObjectChanged: when it has another.
        :raises LinkExpired: when it is behind a link that is not valid any more.
        """

    def renewed(self, after: DownloadError) -> RemoteObject:
        """The same as it is now: with another version, or behind a fresh link.

        :param after: what made it necessary: `ObjectChanged`, `LinkExpired`, or `Damaged`.
        :raises DownloadError: when there is no such way, or it is gone.
        """


@dataclass(frozen=True)
class Downloaded:
    """A file that is there.

    :param size: bytes of the final file.
    :param crc32c: of what is stored remotely, computed on the way.
    :param fetched_bytes: bytes that this call asked the network for and got.
    :param kept_bytes: bytes that an earlier try had left.
    """

    path: Path
    version: str
    size: int
    crc32c: int
    fetched_bytes: int
    kept_bytes: int


Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the total, 0 when it is not known; from several threads."""
