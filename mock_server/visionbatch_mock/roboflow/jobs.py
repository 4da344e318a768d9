"""Jobs: from a definition to output batches, along the table of `lifecycle`.

The clock moves a job lazily, as it moves batches. All methods are called under the lock of `Roboflow`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.config import Advance
from visionbatch_mock.ledger import Effect
from visionbatch_mock.roboflow.definition import VIDEO_JOB
from visionbatch_mock.roboflow.files import StagedFile
from visionbatch_mock.roboflow.lifecycle import ABORTABLE, TERMINAL, JobState, check_move
from visionbatch_mock.roboflow.settings import Outcome

if TYPE_CHECKING:
    from visionbatch_mock.roboflow.room import Roboflow
    from visionbatch_mock.tenant import Tenant

FAILURES_PER_TASK = 10
"""Images of a task that may fail before it is given up, where the job sets no rate; by the vendor's client."""


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


class Job:
    """One job of a tenant."""

    def __init__(self, room: "Roboflow", job_id: str, name: str | None, definition: Mapping[str, Any]) -> None:
        self.id = job_id
        self.name = name or job_id
        self.definition = dict(definition)
        self.overrides: list[dict[str, Any]] = []
        self.state = JobState.QUEUED
        self.history: list[tuple[float, JobState]] = []
        self.stages: list[Stage] = []
        self.tasks: list[Task] = []
        self.logs: list[dict[str, Any]] = []
        self.outcome: Outcome | None = None
        """How the job shall end; None leaves it to the tenant's settings."""
        self.error = False
        self.text = "Job created"
        self._room = room
        self._tenant: Tenant = room.tenant
        self._looks = 0
        self.created = self._since = self._tenant.clock.now()
        self.history.append((self.created, self.state))
        self._tenant.ledger.commit(Effect.JOB_CREATED, job_id=job_id, batch_id=self.batch_id, definition=definition)

    @property
    def batch_id(self) -> str:
        """The input."""
        return str(self.definition["jobInput"]["batchId"])

    @property
    def specification(self) -> Mapping[str, Any]:
        """What is run, and over which input of it."""
        told: Mapping[str, Any] = self.definition["processingSpecification"]
        return told

    @property
    def video(self) -> bool:
        """Whether the input is videos."""
        return bool(self.definition["type"] == VIDEO_JOB)

    @property
    def moves_by_itself(self) -> bool:
        """Whether time or looks lead on from here."""
        return self.state not in TERMINAL

    def setting(self, name: str) -> Any:
        """A tuning parameter: of the latest restart that sets it, else of the definition."""
        for told in [*reversed(self.overrides), self.definition]:
            if name in told:
                return told[name]
        return None

    # What moves it.

    def settle(self) -> None:
        """Commit the steps that the clock has made due."""
        if self._tenant.behaviour.lifecycle.mode is not Advance.TIME:
            return
        while self.moves_by_itself and (due := self._since + self._duration()) <= self._tenant.clock.now():
            self.step(due)

    def look(self) -> None:
        """What a read of the job does to it, by the tenant's life cycle setting."""
        cycle = self._tenant.behaviour.lifecycle
        if cycle.mode is not Advance.LOOKS:
            return
        while self.moves_by_itself and self._looks >= cycle.looks:
            self.step(self._tenant.clock.now())
        self._looks += 1

    def step(self, at: float | None = None) -> None:
        """Move one step; nothing happens at the end."""
        when = self._tenant.clock.now() if at is None else at
        match self.state:
            case JobState.QUEUED:
                self._start(when)
            case JobState.PROCESSING:
                self._end_processing(when)
            case JobState.EXPORTING:
                self._end_export(when)
            case JobState.ABORTING:
                self._end(JobState.ABORTED, "Job aborted by the user", when)

    def abort(self) -> bool:
        """Ask the job to stop; False where that changes nothing."""
        if self.state not in ABORTABLE:
            return False
        self._move(JobState.ABORTING, self._tenant.clock.now())
        self._tenant.ledger.commit(Effect.JOB_ABORTED, job_id=self.id)
        self.settle()
        return True

    def restart(self, override: Mapping[str, Any]) -> None:
        """Begin again; raises `WrongMove` for a job that runs or has ended well."""
        self._move(JobState.QUEUED, self._tenant.clock.now())
        if override:
            self.overrides.append(dict(override))
        self.error, self.text, self.outcome = False, "Job restarted", None
        self.stages, self.tasks = [], []
        self._tenant.ledger.commit(Effect.JOB_RESTARTED, job_id=self.id, override=dict(override))

    def force(self, state: JobState) -> None:
        """Lead the job to a state by its own ways, or end it at once."""
        now = self._tenant.clock.now()
        if state in {JobState.FAILED, JobState.ABORTED}:
            self._end(state, f"Job {state.value}", now, checked=False)
            return
        ways = [JobState.QUEUED, JobState.PROCESSING, JobState.EXPORTING, JobState.SUCCEEDED]
        while self.state in ways and self.state is not state and ways.index(self.state) < ways.index(state):
            self.step(now)

    # What it does.

    def _start(self, at: float) -> None:
        behaviour = self._tenant.behaviour
        workflow = self.specification["workflowId"]
        if behaviour.roboflow_workflows is not None and workflow not in behaviour.roboflow_workflows:
            self._log("error", "workflow-not-found", {"workflowId": workflow}, at)
            self._end(JobState.FAILED, f"Workflow {workflow} does not exist", at)
            return
        self._move(JobState.PROCESSING, at)
        self.tasks = self._chunks(at)
        self._begin_stage("processing", len(self.tasks), at)
        if not self.tasks:
            self._end(JobState.FAILED, f"Batch {self.batch_id} has nothing to process", at)

    def _chunks(self, at: float) -> list[Task]:
        batch = self._room.staging.get(self.batch_id)
        size = 1 if self.video else self._tenant.behaviour.roboflow_images_per_task
        part = self.definition["jobInput"].get("partName")
        chunks = [] if batch is None else batch.chunks(size, part, at)
        parallel = self.setting("maxParallelTasks") or len(chunks) or 1
        tasks = [Task(self._room.new_id(), files, number // parallel) for number, files in enumerate(chunks)]
        for task in tasks:
            self._fail_files(task)
        return tasks

    def _fail_files(self, task: Task) -> None:
        causes = self._tenant.behaviour.roboflow_image_failures
        task.failed = {file.name: causes[file.name] for file in task.files if file.name in causes}
        rate = self.setting("maxImageFailureRate")
        allowed = FAILURES_PER_TASK if rate is None else rate * len(task.files)
        task.lost = len(task.failed) > allowed or (self.video and bool(task.failed))

    def _end_processing(self, at: float) -> None:
        for task in self.tasks:
            for name, cause in task.failed.items():
                self._log("error" if task.lost else "warning", "file-failed", {"file": name, "cause": cause}, at, task)
        if problem := self._problem():
            self._end(JobState.FAILED, problem, at)
            return
        lost = sum(task.lost for task in self.tasks)
        self.error = bool(lost) and self._tenant.behaviour.roboflow_lost_tasks_error
        self.stages[-1].end("success", f"{len(self.tasks) - lost} of {len(self.tasks)} tasks done", at)
        self._room.results.write_processing(self, at)
        self._move(JobState.EXPORTING, at)
        self._begin_stage("export", len(self.tasks), at)

    def _problem(self) -> str | None:
        """Why the job cannot end well, if it cannot."""
        behaviour = self._tenant.behaviour
        limit = self.setting("processingTimeoutSeconds")
        if (self.outcome or behaviour.roboflow_outcome) is Outcome.FAIL:
            return "The job failed"
        if limit is not None and behaviour.roboflow_processing_s > limit:
            return f"The job has used up its processing time of {limit} seconds"
        if all(task.lost for task in self.tasks):
            return "Every task was given up"
        return None

    def _end_export(self, at: float) -> None:
        self._room.results.write_export(self, at)
        self.stages[-1].end("success", "results are packed", at)
        self._end(JobState.SUCCEEDED, "Job finished", at)

    def _end(self, state: JobState, text: str, at: float, *, checked: bool = True) -> None:
        if checked:
            self._move(state, at)
        else:
            self._set(state, at)
        good = state is JobState.SUCCEEDED
        self.error, self.text = self.error or not good, text
        if self.stages and self.stages[-1].status == "info":
            self.stages[-1].end("error", text, at)
        self._log("info" if good else "error", "job-ended", {"message": text}, at)
        failed = sum(len(task.files) - len(task.good) for task in self.tasks)
        facts = {"state": state.value, "ok": sum(len(task.good) for task in self.tasks), "failed": failed}
        self._tenant.ledger.commit(Effect.JOB_ENDED, at=at, job_id=self.id, **facts)
        self._room.tell_end(self, at, success=good)

    def _begin_stage(self, name: str, tasks: int, at: float) -> None:
        self.stages.append(Stage(self._room.new_id(), name, tasks, f"{self.id}-{name}", at, at))
        self.text = f"Stage {name} is running"

    def _log(self, severity: str, kind: str, payload: Mapping[str, Any], at: float, task: Task | None = None) -> None:
        self.logs.append(
            {
                "createdAt": iso(at),
                "processingStageId": self.stages[-1].id if self.stages else None,
                "taskId": task and task.id,
                "severity": severity,
                "reportingModule": "mock",
                "logType": kind,
                "payload": dict(payload),
            }
        )

    def _duration(self) -> float:
        told = self._tenant.behaviour
        if self.state is JobState.PROCESSING:
            limit = self.setting("processingTimeoutSeconds") or math.inf
            return min(told.roboflow_processing_s, float(limit))
        return {
            JobState.QUEUED: told.roboflow_queued_s,
            JobState.EXPORTING: told.roboflow_export_s,
            JobState.ABORTING: told.roboflow_abort_s,
        }[self.state]

    def _move(self, state: JobState, at: float) -> None:
        check_move(self.state, state)
        self._set(state, at)

    def _set(self, state: JobState, at: float) -> None:
        self.state, self._since, self._looks = state, at, 0
        self.history.append((at, state))
        self._room.jobs.note(self)

    # What it shows.

    def done(self) -> float:
        """The share of the present stage's duration that is over, 0 to 1."""
        cycle = self._tenant.behaviour.lifecycle
        if not self.moves_by_itself:
            return 1.0
        if cycle.mode is Advance.LOOKS:
            return min(1.0, self._looks / (cycle.looks + 1))
        takes = self._duration() if cycle.mode is Advance.TIME else 0.0
        return min(1.0, (self._tenant.clock.now() - self._since) / takes) if takes else 0.0

    def as_json(self) -> dict[str, Any]:
        """The job as the service describes it; there is no status word."""
        return {
            "jobId": self.id,
            "name": self.name,
            "jobDefinition": self.definition,
            "currentStage": self.stages[-1].name if self.stages else None,
            "plannedStages": ["processing", "export"],
            "error": self.error,
            "isTerminal": self.state.terminal,
            "lastNotification": self.text,
            "createdAt": iso(self.created),
            "lastUpdate": iso(self._since),
            "restartParametersOverride": self.overrides,
        }

    def tasks_json(self, stage: Stage) -> Sequence[dict[str, Any]]:
        """The tasks of a stage."""
        done = self.done() if stage.status == "info" else 1.0
        waves = 1 + max((task.wave for task in self.tasks), default=0)
        packing = stage.name == "export"
        return [self._task_json(task, stage, done if packing else done * waves - task.wave) for task in self.tasks]

    def _task_json(self, task: Task, stage: Stage, share: float) -> dict[str, Any]:
        """A task of which `share` is done; below 0 it waits for a machine."""
        over = share >= 1.0 or stage.status != "info"
        if not over:
            status, progress, text = "info", max(0.0, share) if share >= 0 else None, "running"
        elif task.lost or (stage.status == "error"):
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
