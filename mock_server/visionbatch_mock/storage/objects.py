"""Finished objects in buckets, one live generation each."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visionbatch_mock.clock import iso
from visionbatch_mock.storage.spool import Digests, Spool


class PreconditionFailed(RuntimeError):
    """An `if...Match` condition of a request does not hold."""


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Conditions on the live generation; 0 means that there is none."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None

    def check(self, live: "StoredObject | None") -> None:
        """Raise `PreconditionFailed` unless `live` satisfies them."""
        found = live.generation if live else 0
        if self.generation is not None and self.generation != found:
            raise PreconditionFailed(f"the live generation is {found}, not {self.generation}")
        if self.not_generation is not None and self.not_generation == found:
            raise PreconditionFailed(f"the live generation is {found}")
        if self.metageneration is not None and self.metageneration != (1 if live else 0):
            raise PreconditionFailed(f"the live metageneration is not {self.metageneration}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where an upload shall end up, and what its initiation said of it.

    `md5` and `crc32c` are base64 and checked at the end when given.
    """

    bucket: str
    name: str
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    md5: str | None = None
    crc32c: str | None = None
    conditions: Preconditions = field(default_factory=Preconditions)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A finished object: its place, its bytes on disk, its digests. Times are epoch seconds."""

    bucket: str
    name: str
    path: Path
    size: int
    digests: Digests
    generation: int
    created: float
    content_type: str
    metadata: Mapping[str, str]

    def resource(self, base_url: str) -> dict[str, Any]:
        """The object as the JSON API describes it; sizes are decimal texts there."""
        stamp = iso(self.created)
        shown: dict[str, Any] = {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{base_url}/storage/v1/b/{self.bucket}/o/{self.name}",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(self.size),
            "md5Hash": self.digests.md5,
            "crc32c": self.digests.crc32c,
            "etag": f"g{self.generation}",
            "timeCreated": stamp,
            "updated": stamp,
        }
        if self.metadata:
            shown["metadata"] = dict(self.metadata)
        return shown


class ObjectStore:
    """The buckets of one tenant. Buckets exist as soon as somebody names them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._buckets: dict[str, dict[str, StoredObject]] = {}
        self._generations = 0

    def put(self, target: Target, spool: Spool) -> StoredObject:
        """Make the spooled bytes the live generation, or raise `PreconditionFailed`."""
        with self._lock:
            bucket = self._buckets.setdefault(target.bucket, {})
            target.conditions.check(bucket.get(target.name))
            spool.seal()
            # Generations look like the real ones, microseconds, and grow even when the clock stands.
            self._generations = max(self._generations + 1, int(self._now() * 1_000_000))
            stored = StoredObject(
                target.bucket,
                target.name,
                spool.path,
                spool.size,
                spool.digests(),
                self._generations,
                self._now(),
                target.content_type,
                target.metadata,
            )
            bucket[target.name] = stored
            return stored

    def get(self, bucket: str, name: str) -> StoredObject | None:
        """The live generation, if any."""
        with self._lock:
            return self._buckets.get(bucket, {}).get(name)

    def delete(self, bucket: str, name: str, conditions: Preconditions) -> StoredObject | None:
        """Remove the live generation and return it; None when there is none.

        The file stays on disk: a download in progress still reads it, and it goes with the world.
        """
        with self._lock:
            held = self._buckets.get(bucket, {})
            conditions.check(held.get(name))
            return held.pop(name, None)

    def listing(self, bucket: str) -> list[StoredObject]:
        """Every object of a bucket, by name in code point order."""
        with self._lock:
            held = self._buckets.setdefault(bucket, {})
            return [held[name] for name in sorted(held)]
