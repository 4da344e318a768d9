"""Batch Processing: jobs, their stages, tasks and logs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from visionbatch.errors import (
    IdTaken,
    NotFound,
    OutcomeUnknown,
    OutOfCredits,
    Refused,
    Throttled,
    TransportError,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.effects import Flow, Request
from visionbatch.flow.retry import RetryPolicy, persist, transient
from visionbatch.model.outside import outside_url
from visionbatch.roboflow.calls import ONCE, Calls, named
from visionbatch.roboflow.decode import Fields, every
from visionbatch.roboflow.ids import require_job_id
from visionbatch.roboflow.job import Compute, JobDefinition
from visionbatch.roboflow.values import Job, JobStage, JobTask, LogLine

log = logging.getLogger(__name__)

TAKEN = 409
"""Status of a creation whose id belongs to a job with another definition, and of a restart of a job that goes on."""

LIST_PAGE = 100
"""Jobs to a page at most (the vendor's operator guide)."""

SEARCH_CHARS = 160
"""Characters of a search in the list of jobs (the vendor's operator guide)."""


class Jobs:
    """The operations of Batch Processing. Every error names the service and the job."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @staticmethod
    def read(job: Fields) -> Job:
        """A job as an entry of a list has it."""
        return Job.read(job)

    def listing(
        self,
        search: str = "",
        *,
        retry: RetryPolicy | None = None,
        enough: Callable[[list[Fields]], bool] = lambda _: False,
    ) -> Flow[tuple[Job, ...]]:
        """The jobs of the workspace, as the service orders them.

        :param search: text to look for, as the service understands it.
        :param enough: see `Calls.pages`.
        """
        return named("", self._listing(search, retry, enough))

    def _listing(
        self, search: str, retry: RetryPolicy | None, enough: Callable[[list[Fields]], bool]
    ) -> Flow[tuple[Job, ...]]:
        path = yield from self._calls.processing("/jobs")
        query = (("search", search[:SEARCH_CHARS]),) if search else ()
        found = yield from self._calls.pages(
            path, "jobs", of="job", query=query, retry=retry, enough=enough, most=LIST_PAGE
        )
        return every(found, Job.read)

    def get(self, job_id: str, retry: RetryPolicy | None = None) -> Flow[Job]:
        """A job as it is now."""
        return named(job_id, self._get(job_id, retry))

    def _get(self, job_id: str, retry: RetryPolicy | None) -> Flow[Job]:
        path = yield from self._calls.processing("/jobs/{}", job_id)
        answer = yield from self._calls.get(path, retry=retry)
        return Job.read(Fields(answer, "the answer").inner("job", "a job"))

    def create(self, job_id: str, definition: JobDefinition, name: str = "") -> Flow[None]:
        """See that there is a job with this id that does this, and that it is started once.

        The id is ours, so a creation whose answer was lost is looked for, and repeated when it is not there. A refusal
        that may come although the job runs, 409 or 429, is believed only when the job is not there.

        :param name: shown to people.
        :raises IdTaken: when the id belongs to a job that does something else.
        :raises OutOfCredits: when the workspace has none left.
        :raises PlanRefused: when its plan has no batch processing.
        :raises UnsafeUrl: for a webhook that leads inside a network; nothing was sent.
        """
        require_job_id(job_id)
        self.require_outside(definition)
        attempt = _Creation(self._calls, self, job_id, definition, name)
        return named(job_id, persist(attempt, self._calls.retry, on=_worth_asking_again))

    def require_outside(self, definition: JobDefinition) -> None:
        """Refuse a webhook that leads inside a network, before anything is sent.

        :raises UnsafeUrl: for one that does.
        """
        receiver = definition.notifications_url
        inside = self._calls.settings.allow_inside
        schemes = ("https", "http") if inside else ("https",)
        if receiver is not None:
            outside_url(receiver.reveal(), what="notifications_url", schemes=schemes, allow_inside=inside)

    def stages(self, job_id: str, retry: RetryPolicy | None = None) -> Flow[tuple[JobStage, ...]]:
        """The stages that have begun, earliest first."""
        return named(job_id, self._stages(job_id, retry))

    def _stages(self, job_id: str, retry: RetryPolicy | None) -> Flow[tuple[JobStage, ...]]:
        path = yield from self._calls.processing("/jobs/{}/stages", job_id)
        answer = yield from self._calls.get(path, retry=retry)
        stages = every(Fields(answer, "the answer").each("stages", "a stage"), JobStage.read)
        return tuple(sorted(stages, key=lambda stage: stage.started))

    def tasks(self, job_id: str, stage_id: str, retry: RetryPolicy | None = None) -> Flow[tuple[JobTask, ...]]:
        """The tasks of a stage."""
        return named(job_id, self._tasks(job_id, stage_id, retry))

    def _tasks(self, job_id: str, stage_id: str, retry: RetryPolicy | None) -> Flow[tuple[JobTask, ...]]:
        path = yield from self._calls.processing("/jobs/{}/stages/{}/tasks", job_id, stage_id)
        found = yield from self._calls.pages(path, "tasks", of="task", retry=retry)
        return every(found, JobTask.read)

    def logs(
        self, job_id: str, severity: str = "", *, enough: Callable[[list[Fields]], bool] = lambda _: False
    ) -> Flow[tuple[LogLine, ...]]:
        """The log of a job.

        :param severity: ``info``, ``warning`` or ``error``; all without.
        """
        return named(job_id, self._logs(job_id, severity, enough))

    def _logs(self, job_id: str, severity: str, enough: Callable[[list[Fields]], bool]) -> Flow[tuple[LogLine, ...]]:
        path = yield from self._calls.processing("/jobs/{}/logs", job_id)
        query = (("severity", severity),) if severity else ()
        found = yield from self._calls.pages(path, "logs", of="log line", query=query, enough=enough)
        return every(found, LogLine.read)

    def abort(self, job_id: str) -> Flow[None]:
        """Ask for a job to be aborted; it ends some time later. One that has ended, or is gone, stays as it is."""
        return named(job_id, self._abort(job_id))

    def _abort(self, job_id: str) -> Flow[None]:
        path = yield from self._calls.processing("/jobs/{}/abort", job_id)
        try:
            yield from self._calls.send(Request("POST", path))
        except NotFound:
            log.info("roboflow job %s is not there any more", job_id)

    def restart(self, job_id: str, override: Compute | None = None) -> Flow[None]:
        """Have a job that failed or was aborted done again; what it spends is charged again.

        A restart whose answer was lost is never repeated while the job goes on.

        :param override: what is to be otherwise this time.
        :raises Refused: when the job has not ended badly.
        """
        body = override.override() if override is not None else None
        attempt = _Restart(self._calls, self, job_id, body)
        return named(job_id, persist(attempt, self._calls.retry, on=_worth_asking_again))


class _Restart:
    """One try after the other to restart a job."""

    def __init__(self, calls: Calls, jobs: Jobs, job_id: str, body: dict[str, Any] | None) -> None:
        self._calls = calls
        self._jobs = jobs
        self._id = job_id
        self._body = body
        self._lost = False

    def __call__(self) -> Flow[None]:
        path = yield from self._calls.processing("/jobs/{}/restart", self._id)
        try:
            yield from self._calls.send(Request("POST", path, body=self._body, repeatable=False), ONCE)
        except (TransportError, Throttled, Refused) as error:
            # A refusal is about a job that goes on already, when it may have been us who restarted it.
            if isinstance(error, Refused) and not (self._lost and error.status == TAKEN):
                raise
            self._lost = True
            job = yield from self._jobs.get(self._id, ONCE)
            if job.terminal:
                raise
            log.warning("roboflow job %s goes on, though its restart was answered otherwise: %s", self._id, error.what)


class _Creation:
    """One try after the other to create a job."""

    def __init__(self, calls: Calls, jobs: Jobs, job_id: str, definition: JobDefinition, name: str) -> None:
        self._calls = calls
        self._jobs = jobs
        self._id = job_id
        self._definition = definition
        self._name = name

    def __call__(self) -> Flow[None]:
        workspace = yield from self._calls.workspace()
        path = yield from self._calls.processing("/jobs/{}", self._id)
        query = (("name", self._name),) if self._name else ()
        request = Request("POST", path, query, self._definition.body(workspace), repeatable=False)
        try:
            response = yield from self._calls.send(request, ONCE)
            response.json_object()
        except (OutOfCredits, Refused, Throttled, TransportError, UnreadableAnswer) as error:
            # Without credits a repetition is refused before it is recognised, though the job runs.
            if isinstance(error, Refused) and error.status != TAKEN:
                raise
            yield from self._settle(error, workspace)

    def _settle(self, error: VisionBatchError, workspace: str) -> Flow[None]:
        """Adopt the job if it is there and the same; else let the error stand."""
        try:
            job = yield from self._jobs.get(self._id, ONCE)
        except NotFound:
            if isinstance(error, UnreadableAnswer):
                raise OutcomeUnknown(
                    f"the creation was answered, but not as the service would: {error.what}",
                    next_step="Run again: the id is the same, so that no second job can come of it.",
                ) from error
            raise error from None
        if not self._definition.describes(job.definition, workspace):
            raise IdTaken(
                "the id is taken by a job over different input or with different parameters; it was left alone"
            ) from None
        log.warning("roboflow job %s is there and does the same: going on with it (%s)", self._id, error.what)


def _worth_asking_again(error: VisionBatchError) -> bool:
    """Whether waiting may mend it; nothing comes twice of the same id, so an unknown outcome may be asked again too."""
    return transient(error) or isinstance(error, OutcomeUnknown)
