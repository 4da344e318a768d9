"""What the service tells of jobs, their stages and their tasks, each read strictly where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch.model.text import printable
from visionbatch.roboflow.decode import NAME_CHARS, Fields


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
