"""Stages of a job and their tasks, as the service shows them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.clock import iso
from visionbatch_mock.roboflow.files import StagedFile


@dataclass(slots=True)
class Task:
    """One chunk of the input; `wave` says when it gets a machine."""

    id: str
    files: list[StagedFile]
    wave: int
    failed: dict[str, str] = field(default_factory=dict)
    lost: bool = False

    @property
    def good(self) -> list[StagedFile]:
        """Files that have a result."""
        return [] if self.lost else [file for file in self.files if file.name not in self.failed]


@dataclass(slots=True)
class Stage:
    """One stage that has begun. `status` is `info` until it ends."""

    id: str
    name: str
    tasks: int
    batch_id: str
    started: float
    event: float
    status: str = "info"
    text: str = "running"

    def end(self, status: str, text: str, at: float) -> None:
        """Let it end."""
        self.status, self.text, self.event = status, text, at

    def as_json(self) -> dict[str, Any]:
        """The stage as the service lists it."""
        return {
            "processingStageId": self.id,
            "processingStageName": self.name,
            "tasksNumber": max(1, self.tasks),
            "outputBatches": [self.batch_id],
            "startTimestamp": iso(self.started),
            "notification": self.text,
            "statusType": self.status,
            "lastEventTimestamp": iso(self.event),
        }


def shown_tasks(stage: Stage, tasks: Sequence[Task], done: float) -> list[dict[str, Any]]:
    """The tasks of a stage of which `done` is over, 0 to 1; while it processes they run in waves."""
    if stage.status != "info" or stage.name == "export":
        return [_shown(task, stage, done) for task in tasks]
    waves = 1 + max((task.wave for task in tasks), default=0)
    return [_shown(task, stage, done * waves - task.wave) for task in tasks]


def _shown(task: Task, stage: Stage, share: float) -> dict[str, Any]:
    """A task of which `share` is done; below 0 it waits for a machine."""
    progress: float | None
    if share < 1.0 and stage.status == "info":
        status, progress, text = "info", share if share >= 0 else None, "running"
    elif task.lost or stage.status == "error":
        status, progress, text = "error", 1.0, f"{len(task.failed)} files failed"
    else:
        status, progress, text = "success", 1.0, f"{len(task.good)} files done"
    return {
        "taskId": task.id,
        "notification": text,
        "statusType": status,
        "eventTimestamp": iso(stage.event),
        "progress": progress,
    }
