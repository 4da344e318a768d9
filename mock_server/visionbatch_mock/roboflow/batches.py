"""Batches of the staging service: simple, sharded, and the multipart ones that jobs write.

The clock moves them lazily: whoever asks first commits what has become due, each effect dated with the
moment at which it was due. All methods are called under the book's lock.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.clock import iso
from visionbatch_mock.roboflow.files import StagedFile
from visionbatch_mock.roboflow.tars import Found, Rejected, Subscription
from visionbatch_mock.roboflow.words import BatchType, ContentType, ShardState


@dataclass(slots=True)
class Shard:
    """Files that are ingested together: an archive, or a slice of a list of references.

    `find` looks into it when its time has come; `listed` is false for what no client sees as a shard.
    Times are epoch seconds.
    """

    id: str
    number: int
    arrived: float
    find: Callable[[], Found]
    subscription: Subscription | None = None
    listed: bool = True
    state: ShardState = ShardState.REGISTERED
    event: float = 0.0
    found: Found = field(default_factory=Found)

    def as_json(self, words: Callable[[str], str]) -> dict[str, Any]:
        """The shard as the listing shows it; `words` gives this tenant's word for ours."""
        return {
            "shardId": self.id,
            "statusName": words(self.state.value),
            "statusType": words(self.state.type),
            "eventTimestamp": iso(self.event),
            "shardObjectsCount": len(self.found.files),
            "statusMetadata": self._metadata(),
        }

    def _metadata(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.found.failure is not None:
            told["error"] = {"type": self.found.failure.type.value, "reason": self.found.failure.reason}
        if self.found.rejected:
            told["failedFiles"] = [each.as_json() for each in self.found.rejected]
        return told


@dataclass(slots=True)
class Part:
    """A named part of a multipart batch."""

    name: str
    kind: ContentType
    nested: ContentType | None
    description: str
    files: list[StagedFile] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The part as the service lists it."""
        return {
            "partName": self.name,
            "partType": "simple-part",
            "contentType": self.kind.value,
            "partDescription": self.description,
            "nestedContentType": self.nested and self.nested.value,
        }


@dataclass(slots=True)
class StagedBatch:
    """One batch. Of a simple one a file of the same name replaces the one before; shards count both."""

    id: str
    display_name: str
    type: BatchType
    kind: ContentType
    created: float
    expires: float
    single: dict[str, StagedFile] = field(default_factory=dict)
    shards: dict[str, Shard] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)

    def files(self, part: str | None = None) -> Iterator[StagedFile]:
        """What can be listed now, of one part or of all, in the order of arrival."""
        yield from self.single.values()
        for shard in self.shards.values():
            yield from shard.found.files if shard.listed else ()
        for each in self.parts.values():
            if part in {None, each.name}:
                yield from each.files

    def chunks(self, size: int, part: str | None, at: float) -> list[list[StagedFile]]:
        """The batch as a job that starts at `at` takes it: its shards by then, else so many files at a time."""
        if self.type is BatchType.SHARDED:
            return [each.found.files for each in self.shards.values() if each.found.files and each.event <= at]
        files = list(self.files(part))
        return [files[start : start + size] for start in range(0, len(files), size)]

    @property
    def unfinished(self) -> list[Shard]:
        """Shards that are still being ingested."""
        return [shard for shard in self.shards.values() if not shard.state.ended]

    def as_json(self) -> dict[str, Any]:
        """The batch as the service describes it."""
        return {
            "displayName": self.display_name,
            "batchId": self.id,
            "batchType": self.type.value,
            "batchContentType": self.kind.value,
            "createdDate": iso(self.created),
            "expiryDate": iso(self.expires),
        }

    def inner_view(self) -> dict[str, Any]:
        """What a test wants to know beyond that."""
        return {
            **self.as_json(),
            "count": sum(1 for _ in self.files()),
            "shards": [shard.as_json(str) for shard in self.shards.values()],
            "parts": {name: [file.name for file in part.files] for name, part in self.parts.items()},
        }


def lost(found: Found, reason: Rejected) -> Found:
    """The same shard after the service failed on it."""
    return Found(failure=reason, subscription=found.subscription)
