"""What the fetching of VIAS's results says of itself: small JSON for schedulers, and the whole of it in a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from visionbatch.pipelines.fetched import reading_manifest, with_names

SCHEMA = 1


class ObjectKind(StrEnum):
    """What an object in the bucket is."""

    EVENT = "event"
    """A document of one event, with the id of its task."""
    OTHER = "other"
    """Anything else, such as the picture beside it."""
    UNREADABLE = "unreadable"
    """It is called a document, and is not one."""
    NOT_WANTED = "not_wanted"
    """An event of another batch: it was looked at and left out."""


@dataclass(frozen=True)
class ObjectKey:
    """Which object it is, and which writing of it."""

    name: str
    etag: str


@dataclass(frozen=True)
class FetchedObject:
    """An object, and what has become of it here.

    :param path: in the folder; empty for one that is not kept.
    :param modified: Unix seconds at which it was written.
    :param crc32c: of its bytes, in hexadecimal.
    :param task_id: of an event.
    :param message_id: the same; one event may have been written twice.
    """

    key: ObjectKey
    path: str
    size: int
    modified: float
    crc32c: str
    kind: ObjectKind
    task_id: str = ""
    message_id: str = ""

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` and JSON have made of it."""
        return cls(**{**value, "key": ObjectKey(**value["key"]), "kind": ObjectKind(value["kind"])})


class BucketOutcome(StrEnum):
    """How a fetch ended."""

    DONE = "done"
    PARTIAL = "partial"
    """All objects are there, but some documents cannot be read."""
    UNFINISHED = "unfinished"
    """The fetch has not come to its end; what is listed is there."""
    NOTHING = "nothing"
    """There are no such results, or none yet."""


@dataclass(frozen=True)
class ViasResults:
    """One fetch of results out of a bucket.

    :param source: address of bucket and path.
    :param folder: location that the files are in.
    :param batch_id: whose results they are; empty for all that lie there.
    :param tasks: tasks of that batch.
    :param silent: ids of those that have left no event, which is no failure: they may have found nothing.
    :param beside: what earlier fetches have put into the folder out of the same place, and this one does not want.
    :param fetched_bytes: that went over the network in this run.
    :param location: of the whole manifest.
    """

    source: str
    folder: str
    batch_id: str = ""
    outcome: BucketOutcome = BucketOutcome.UNFINISHED
    files: tuple[FetchedObject, ...] = ()
    tasks: int = 0
    silent: tuple[str, ...] = ()
    beside: tuple[FetchedObject, ...] = ()
    fetched_bytes: int = 0
    location: str = ""
    service: str = "huawei_vias"
    schema: int = SCHEMA

    @property
    def kept(self) -> list[FetchedObject]:
        """The files that are in the folder."""
        return [file for file in self.files if file.path]

    def whole(self) -> bytes:
        """All of it as JSON, for a file."""
        return json.dumps(dataclasses.asdict(self), indent=1).encode()

    @classmethod
    def parse(cls, text: bytes) -> ViasResults:
        """Read what `whole` wrote.

        :raises UnreadableRecord: when it is not that, or of a newer version.
        """
        with reading_manifest():
            value = json.loads(text)
            files, beside = (tuple(map(FetchedObject.read, value.get(name, ()))) for name in ("files", "beside"))
            told = {"files": files, "beside": beside, "silent": tuple(value["silent"])}
            return cls(**{**value, **told, "outcome": BucketOutcome(value["outcome"])})

    def to_json(self) -> dict[str, Any]:
        """The small form, below `MANIFEST_BYTES`: counts, and as many paths as there is room for."""
        told = {
            "schema": self.schema,
            "service": self.service,
            "source": self.source,
            "folder": self.folder,
            "batch_id": self.batch_id,
            "outcome": self.outcome.value,
            "manifest": self.location,
            "counts": self.counts(),
        }
        return with_names(told, {"files": [file.path for file in self.kept]})

    def counts(self) -> dict[str, int]:
        """Numbers for people and metrics."""
        events = [file for file in self.files if file.kind is ObjectKind.EVENT]
        return {
            "files": len(self.kept),
            "documents": len(events),
            "events": len({file.message_id or file.key.name for file in events}),
            "others": sum(file.kind is ObjectKind.OTHER for file in self.files),
            "unreadable": sum(file.kind is ObjectKind.UNREADABLE for file in self.files),
            "not_wanted": sum(file.kind is ObjectKind.NOT_WANTED for file in self.files),
            "tasks": self.tasks,
            "silent_tasks": len(self.silent),
            "bytes": sum(file.size for file in self.kept),
            "fetched_bytes": self.fetched_bytes,
        }
