"""Jobs: from a definition to output batches, along the table of `lifecycle`.

The clock moves a job lazily, as it moves batches. All methods are called under the lock of `Roboflow`.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.config import Advance
from visionbatch_mock.ledger import Effect
from visionbatch_mock.roboflow.definition import VIDEO_JOB
from visionbatch_mock.roboflow.lifecycle import ABORTABLE, TERMINAL, JobState, check_move
from visionbatch_mock.roboflow.settings import Outcome
from visionbatch_mock.roboflow.stages import Stage, Task
from visionbatch_mock.roboflow.tasks import tasks_of

if TYPE_CHECKING:
    from visionbatch_mock.roboflow.room import Roboflow
    from visionbatch_mock.tenant import Tenant


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
        self.held = False
        """Neither time nor looks move it on, until it is let go."""
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

    def settle(self) -> None:
        """Commit the steps that the clock has made due."""
        if self.held or self._tenant.behaviour.lifecycle.mode is not Advance.TIME:
            return
        while self.moves_by_itself and (due := self._since + self._duration()) <= self._tenant.clock.now():
            self.step(due)

    def look(self) -> None:
        """What a read of the job does to it, by the tenant's life cycle setting."""
        cycle = self._tenant.behaviour.lifecycle
        if self.held or cycle.mode is not Advance.LOOKS:
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

    def _start(self, at: float) -> None:
        behaviour = self._tenant.behaviour
        workflow = self.specification["workflowId"]
        if behaviour.roboflow_workflows is not None and workflow not in behaviour.roboflow_workflows:
            self._log("error", "workflow-not-found", {"workflowId": workflow}, at)
            self._end(JobState.FAILED, f"Workflow {workflow} does not exist", at)
            return
        self._move(JobState.PROCESSING, at)
        self.tasks = tasks_of(self, self._room, at)
        self._begin_stage("processing", len(self.tasks), at)
        if not self.tasks:
            self._end(JobState.FAILED, f"Batch {self.batch_id} has nothing to process", at)

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
        # A job that did not end well leaves no results, however many of its files had one.
        ok = sum(len(task.good) for task in self.tasks) if good else 0
        facts = {"state": state.value, "ok": ok, "failed": sum(len(task.files) for task in self.tasks) - ok}
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
