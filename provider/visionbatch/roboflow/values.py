"""What the service tells of batches, shards, jobs, stages and tasks, each read strictly where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch.model.secret import SecretUrl
from visionbatch.model.text import printable
from visionbatch.roboflow.decode import Fields

NAME_CHARS = 200
"""Characters of a foreign name that are kept: it goes into events, and so into the scheduler's database."""


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
    """

    url: SecretUrl
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Ingest:
    """What became of a request to ingest references.

    :param shard_ids: empty when the service does not know them yet.
    :param duplicated: whether the service recognised it as a repetition.
    """

    ingest_id: str
    shard_ids: tuple[str, ...] = ()
    duplicated: bool = False


@dataclass(frozen=True)
class Job:
    """A job.

    :param definition: what it was created with.
    :param stage: the stage it is in; empty before the first.
    :param said: the last notification, safe to print.
    """

    job_id: str
    name: str
    definition: Mapping[str, Any] = field(repr=False)
    stage: str
    planned: tuple[str, ...]
    error: bool
    terminal: bool
    said: str
    created: str
    updated: str

    @classmethod
    def read(cls, job: Fields) -> Job:
        """Read a ``Job``."""
        return cls(
            job_id=job.text("jobId"),
            name=printable(job.maybe_text("name"), NAME_CHARS),
            definition=job.inner("jobDefinition", "a job").values,
            stage=printable(job.maybe_text("currentStage"), NAME_CHARS),
            planned=job.texts("plannedStages"),
            error=job.flag("error"),
            terminal=job.flag("isTerminal"),
            said=job.said("lastNotification"),
            created=job.maybe_text("createdAt"),
            updated=job.maybe_text("lastUpdate"),
        )


@dataclass(frozen=True)
class JobStage:
    """A stage of a job that has begun.

    :param tasks: how many it is cut into, one for each shard or video.
    :param outputs: ids of the batches it writes.
    :param status: the service's ``statusType``.
    """

    stage_id: str
    name: str
    tasks: int
    outputs: tuple[str, ...]
    status: str
    started: str
    said: str

    @classmethod
    def read(cls, stage: Fields) -> JobStage:
        """Read an entry of the list of stages."""
        return cls(
            stage_id=stage.text("processingStageId"),
            name=printable(stage.text("processingStageName"), NAME_CHARS),
            tasks=stage.number("tasksNumber"),
            outputs=stage.texts("outputBatches"),
            status=printable(stage.text("statusType"), NAME_CHARS),
            started=stage.maybe_text("startTimestamp"),
            said=stage.said("notification"),
        )


@dataclass(frozen=True)
class JobTask:
    """A task of a stage.

    :param status: the service's ``statusType``.
    :param progress: 0 to 1; ``None`` while it waits for a machine.
    """

    task_id: str
    status: str
    progress: float | None
    said: str

    @classmethod
    def read(cls, task: Fields) -> JobTask:
        """Read an entry of the list of tasks."""
        status = printable(task.text("statusType"), NAME_CHARS)
        return cls(task.text("taskId"), status, task.share("progress"), task.said("notification"))


@dataclass(frozen=True)
class LogLine:
    """A line of a job's log.

    :param severity: ``info``, ``warning`` or ``error``.
    :param kind: the service's ``logType``.
    :param payload: particulars; free form, not yet safe to print.
    """

    at: str
    severity: str
    module: str
    kind: str
    payload: Mapping[str, Any] = field(repr=False)
    stage_id: str = ""
    task_id: str = ""

    @classmethod
    def read(cls, line: Fields) -> LogLine:
        """Read an entry of the log."""
        names = ("createdAt", "severity", "reportingModule", "logType")
        at, severity, module, kind = (printable(line.text(name), NAME_CHARS) for name in names)
        ids = line.maybe_text("processingStageId"), line.maybe_text("taskId")
        return cls(at, severity, module, kind, line.inner("payload", "a log line").values, *ids)

    def __str__(self) -> str:
        """One line for people."""
        said = Fields(self.__dict__, "a log line").said("payload")
        return f"{self.at} {self.severity} {self.module} {self.kind}: {said}"
