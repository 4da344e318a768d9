"""The append-only list of effects that really happened.

Tests decide by it, never by what a client says of itself: an archive is `committed` once or twice
whatever the answers were that the client did or did not get.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Effect(StrEnum):
    """Everything that a mock can commit."""

    BATCH_CREATED = "batch.created"
    BATCH_PROCESSING = "batch.processing"
    BATCH_PROCESSED = "batch.processed"
    BATCH_DELETED = "batch.deleted"
    SESSION_OPENED = "session.opened"
    SESSION_CANCELLED = "session.cancelled"
    BYTES_PERSISTED = "bytes.persisted"
    ARCHIVE_COMMITTED = "archive.committed"
    OBJECT_CREATED = "object.created"
    OBJECT_DELETED = "object.deleted"
    PARTS_BEGUN = "parts.begun"
    """An upload in parts, of the XML API."""
    PART_STORED = "parts.stored"
    """A part is whole; one that is sent again is stored again."""
    PARTS_ABORTED = "parts.aborted"
    WORK_ORDER_CREATED = "work_order.created"
    WORK_ORDER_DELETED = "work_order.deleted"
    EXPORT_CONFIGURED = "export.configured"
    EXPORT_WRITTEN = "export.written"
    """One file of records in the bucket."""
    EXPORT_IMAGE_WRITTEN = "export.image_written"
    EXPORT_MAILED = "export.mailed"
    EXPORT_FAILED = "export.failed"
    """A run that the bucket's owner made impossible; `permission` says what was missing."""
    IAM_TOKEN_ISSUED = "iam.token_issued"  # noqa: S105 - an effect, no password
    VIAS_BATCH_CREATED = "vias.batch_created"
    VIAS_BATCH_UPDATED = "vias.batch_updated"
    VIAS_BATCH_DELETED = "vias.batch_deleted"
    """The call was accepted; each of its tasks is deleted later."""
    VIAS_TASK_CREATED = "vias.task_created"
    VIAS_TASK_UPDATED = "vias.task_updated"
    VIAS_TASK_STARTED = "vias.task_started"
    """It runs."""
    VIAS_TASK_ENDED = "vias.task_ended"
    VIAS_TASK_STOPPED = "vias.task_stopped"
    VIAS_TASK_DELETED = "vias.task_deleted"
    VIAS_SOURCE_CREATED = "vias.source_created"
    VIAS_SOURCE_UPDATED = "vias.source_updated"
    VIAS_SOURCE_DELETED = "vias.source_deleted"
    VIAS_GROUP_CREATED = "vias.group_created"
    VIAS_GROUP_UPDATED = "vias.group_updated"
    VIAS_GROUP_DELETED = "vias.group_deleted"
    VIAS_RESULT_WRITTEN = "vias.result_written"
    """One object in the customer's bucket."""
    VIAS_RESULT_FAILED = "vias.result_failed"
    VIAS_RESULT_STREAMED = "vias.result_streamed"
    """A record is in a stream."""
    VIAS_WEBHOOK_DELIVERED = "vias.webhook_delivered"
    """One attempt to deliver an event: `status` of the answer, or null with an `error`."""
    STAGED_BATCH_MADE = "roboflow.batch_made"
    STAGED_BATCH_EXPIRED = "roboflow.batch_expired"
    IMAGE_STORED = "roboflow.image_stored"
    VIDEO_STORED = "roboflow.video_stored"
    SHARD_STORED = "roboflow.shard_stored"
    """An archive arrived on its signed URL; `again` says that it replaced the one before."""
    SHARD_INGESTED = "roboflow.shard_ingested"
    """A shard ended: `ok` images that count now, `rejected` ones, and its `status`."""
    REFERENCES_TAKEN = "roboflow.references_taken"
    JOB_CREATED = "roboflow.job_created"
    JOB_ENDED = "roboflow.job_ended"
    """The end of a job in `state`: `ok` files have a result, `failed` ones have none."""
    JOB_ABORTED = "roboflow.job_aborted"
    """An abort was taken; the job's end follows."""
    JOB_RESTARTED = "roboflow.job_restarted"
    RESULTS_WRITTEN = "roboflow.results_written"
    WEBHOOK_DELIVERED = "roboflow.webhook_delivered"
    """One attempt to deliver an event: `status` of the answer, or null with an `error`."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One committed effect: its number, the tenant's time, and what it was done to."""

    seq: int
    at: float
    effect: Effect
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def as_json(self) -> dict[str, Any]:
        """The entry as one flat object."""
        return {"seq": self.seq, "at": self.at, "effect": self.effect.value, **self.facts}


class Ledger:
    """Entries in the order in which they were committed. Never edited, only reset with its tenant."""

    def __init__(self, now: Callable[[], float], settle: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._settle = settle
        self._entries: list[LedgerEntry] = []

    def commit(self, effect: Effect, *, at: float | None = None, **facts: Any) -> None:
        """Append one effect, dated `at` or now."""
        with self._lock:
            when = self._now() if at is None else at
            sealed = MappingProxyType(facts)
            self._entries.append(LedgerEntry(len(self._entries) + 1, when, effect, sealed))

    def entries(self, effect: str | None = None) -> list[LedgerEntry]:
        """All entries, or those of one effect.

        What the clock has made due is committed first, so a reader sees the present.
        """
        self._settle()
        wanted = None if effect is None else Effect(effect)
        with self._lock:
            return [entry for entry in self._entries if wanted in {None, entry.effect}]
