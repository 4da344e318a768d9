"""An object in a bucket, as a listing shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BucketFile:
    """One object.

    :param name: whole name in the bucket.
    :param generation: number that every writing of the object changes.
    :param size: bytes as stored.
    :param created: Unix seconds at which this generation was finished, by the store's clock.
    :param crc32c: as stored; ``None`` when the listing has none.
    :param md5: the same.
    """

    name: str
    generation: int
    size: int
    created: float
    crc32c: int | None = None
    md5: bytes | None = None
