"""Finished objects in buckets, one live generation each, as in a bucket without versioning."""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from visionbatch_mock.clock import iso
from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.preconditions import Preconditions
from visionbatch_mock.storage.spool import Digests, Spool


class NoSuchBucket(LookupError):
    """A bucket that nobody has made."""


class BucketInTheWay(RuntimeError):
    """A bucket that exists already, or that cannot go because it holds objects."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an upload shall end up, and what its initiation said of it.

    `md5` and `crc32c` are base64 and checked at the end when given. An object made `of_parts` has no MD5.
    """

    bucket: str
    name: str
    description: Description = field(default_factory=Description)
    md5: str | None = None
    crc32c: str | None = None
    conditions: Preconditions = field(default_factory=Preconditions)
    of_parts: bool = False


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
    description: Description
    updated: float
    metageneration: int = 1

    @property
    def etag(self) -> str:
        """Changes with content and description."""
        return f"g{self.generation}" if self.metageneration == 1 else f"g{self.generation}m{self.metageneration}"

    @property
    def entity_tag(self) -> str:
        """The same for the XML API, in its quotes: the MD5 of the bytes, where there is one."""
        md5 = self.digests.md5
        return f'"{self.etag}"' if md5 is None else f'"{base64.b64decode(md5).hex()}"'

    def resource(self, base_url: str) -> dict[str, Any]:
        """The object as the JSON API describes it; sizes are decimal texts there."""
        path = f"storage/v1/b/{quote(self.bucket, safe='')}/o/{quote(self.name, safe='')}"
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{base_url}/{path}",
            "mediaLink": f"{base_url}/download/{path}?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "storageClass": "STANDARD",
            "size": str(self.size),
            **({} if self.digests.md5 is None else {"md5Hash": self.digests.md5}),
            "crc32c": self.digests.crc32c,
            "etag": self.etag,
            "timeCreated": iso(self.created),
            "updated": iso(self.updated),
            **self.description.as_json(),
        }


@dataclass(slots=True)
class Bucket:
    """A bucket and its live objects by name."""

    name: str
    created: float
    objects: dict[str, StoredObject] = field(default_factory=dict)

    def resource(self, base_url: str) -> dict[str, Any]:
        """The bucket as the JSON API describes it."""
        return {
            "kind": "storage#bucket",
            "id": self.name,
            "name": self.name,
            "selfLink": f"{base_url}/storage/v1/b/{quote(self.name, safe='')}",
            "projectNumber": "0",
            "location": "EU",
            "locationType": "multi-region",
            "storageClass": "STANDARD",
            "metageneration": "1",
            "etag": "CAE=",
            "timeCreated": iso(self.created),
            "updated": iso(self.created),
        }


class ObjectStore:
    """The buckets of one tenant."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._lock = threading.RLock()
        self._now = now
        self._buckets: dict[str, Bucket] = {}
        self._generations = 0

    def make_bucket(self, name: str) -> Bucket:
        """A new bucket; raises `BucketInTheWay` when there is one."""
        with self._lock:
            if name in self._buckets:
                raise BucketInTheWay(f"the bucket {name} exists already")
            self._buckets[name] = Bucket(name, self._now())
            return self._buckets[name]

    def bucket(self, name: str, *, make: bool = False) -> Bucket:
        """The bucket of that name, made if asked; raises `NoSuchBucket`."""
        with self._lock:
            if name not in self._buckets and make:
                self.make_bucket(name)
            if name not in self._buckets:
                raise NoSuchBucket(name)
            return self._buckets[name]

    def buckets(self) -> list[Bucket]:
        """Every bucket, by name."""
        with self._lock:
            return [self._buckets[name] for name in sorted(self._buckets)]

    def remove_bucket(self, name: str) -> None:
        """Remove an empty bucket; raises `NoSuchBucket` or `BucketInTheWay`."""
        with self._lock:
            if self.bucket(name).objects:
                raise BucketInTheWay("the bucket you tried to delete is not empty")
            del self._buckets[name]

    def put(self, target: Target, spool: Spool) -> StoredObject:
        """Make the spooled bytes the live generation, or raise `PreconditionFailed`."""
        with self._lock:
            self._check(target)
            spool.seal()
            digests = spool.digests()
            return self._commit(target, spool.path, spool.size, digests.without_md5() if target.of_parts else digests)

    def put_again(self, source: StoredObject, target: Target) -> StoredObject:
        """A new object, or generation, of the same bytes, which stay where they are on disk."""
        with self._lock:
            self._check(target)
            return self._commit(target, source.path, source.size, source.digests)

    def describe(
        self, bucket: str, name: str, changes: Mapping[str, Any], conditions: Preconditions
    ) -> StoredObject | None:
        """Change the description of the live generation; None when there is none."""
        with self._lock:
            objects = self.bucket(bucket).objects
            live = objects.get(name)
            conditions.check(live)
            if live is None:
                return None
            objects[name] = replace(
                live,
                description=live.description.changed(changes),
                metageneration=live.metageneration + 1,
                updated=self._now(),
            )
            return objects[name]

    def get(self, bucket: str, name: str) -> StoredObject | None:
        """The live generation, if any; raises `NoSuchBucket`."""
        with self._lock:
            return self.bucket(bucket).objects.get(name)

    def delete(self, bucket: str, name: str, conditions: Preconditions) -> StoredObject | None:
        """Remove the live generation and return it; None when there is none.

        The file stays on disk: a download in progress still reads it, and it goes with the world.
        """
        with self._lock:
            objects = self.bucket(bucket).objects
            conditions.check(objects.get(name))
            return objects.pop(name, None)

    def listing(self, bucket: str) -> list[StoredObject]:
        """Every object of a bucket, by name in code point order; raises `NoSuchBucket`."""
        with self._lock:
            objects = self.bucket(bucket).objects
            return [objects[name] for name in sorted(objects)]

    def _check(self, target: Target) -> None:
        target.conditions.check(self.bucket(target.bucket, make=True).objects.get(target.name))

    def _commit(self, target: Target, path: Path, size: int, digests: Digests) -> StoredObject:
        now = self._now()
        # Generations look like the real ones, microseconds, and grow even when the clock stands.
        self._generations = max(self._generations + 1, int(now * 1_000_000))
        stored = StoredObject(
            target.bucket, target.name, path, size, digests, self._generations, now, target.description, now
        )
        self.bucket(target.bucket, make=True).objects[target.name] = stored
        return stored
