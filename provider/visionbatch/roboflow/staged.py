"""What the service tells of batches, their shards and their files, each read strictly where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch.model.secret import SecretUrl
from visionbatch.model.text import printable
from visionbatch.roboflow.decode import NAME_CHARS, Fields


@dataclass(frozen=True)
class StagingBatch:
    """A batch of Data Staging.

    :param kind: ``simple-batch``, ``sharded-batch`` or ``multipart-batch``; the set is open.
    :param content: such as ``images``; the set is open.
    :param expires: ISO 8601; what was staged is gone then.
    """

    batch_id: str
    name: str
    kind: str
    content: str
    created: str
    expires: str

    @classmethod
    def read(cls, batch: Fields) -> StagingBatch:
        """Read a ``BatchMetadata``."""
        name = printable(batch.text("displayName"), NAME_CHARS)
        dates = batch.text("createdDate"), batch.text("expiryDate")
        return cls(batch.text("batchId"), name, batch.text("batchType"), batch.text("batchContentType"), *dates)

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return dict(vars(self))


@dataclass(frozen=True)
class Shard:
    """One archive or list of references that is being ingested.

    :param status: the service's ``statusType``.
    :param objects: files in it.
    :param detail: what the service says of it, safe to print.
    """

    shard_id: str
    name: str
    status: str
    objects: int
    detail: str = ""

    @classmethod
    def read(cls, shard: Fields) -> Shard:
        """Read an entry of the list of shards."""
        words = printable(shard.text("statusName"), NAME_CHARS), printable(shard.text("statusType"), NAME_CHARS)
        return cls(shard.text("shardId"), *words, shard.number("shardObjectsCount"), shard.said("statusMetadata"))


@dataclass(frozen=True)
class BatchPart:
    """A named part of a multipart batch."""

    name: str
    kind: str
    content: str
    nested_content: str = ""
    description: str = ""

    @classmethod
    def read(cls, part: Fields) -> BatchPart:
        """Read an entry of the list of parts."""
        needed = part.text("partName"), part.text("partType"), part.text("contentType")
        return cls(*needed, part.maybe_text("nestedContentType"), part.maybe_text("partDescription"))


@dataclass(frozen=True)
class StagedFile:
    """A file of a batch.

    :param name: as given; not yet known to be safe as a path.
    :param url: signed, lives about a day.
    """

    name: str
    url: SecretUrl
    content: str
    part: str = ""
    shard: str = ""
    nested_content: str = ""


@dataclass(frozen=True)
class UploadSlot:
    """Where one file may be PUT.

    :param headers: what has to be sent along, exactly; the signature covers it.
    :param limits: numbers that came along, under the service's own names, which are not published.
    """

    url: SecretUrl
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ingest:
    """What became of a request to ingest references.

    :param shard_ids: empty when the service does not know them yet.
    :param duplicated: whether the service recognised it as a repetition.
    """

    ingest_id: str
    shard_ids: tuple[str, ...] = ()
    duplicated: bool = False
