"""Roboflow's operations, each written once as a flow, and what those who wait for jobs and batches ask of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import quote

from visionbatch.errors import NotFound
from visionbatch.flow.effects import Flow
from visionbatch.flow.retry import RetryPolicy
from visionbatch.model.listed import Listed
from visionbatch.model.snapshot import Snapshot
from visionbatch.roboflow.calls import ONCE, SERVICE, Calls, named
from visionbatch.roboflow.decode import Fields
from visionbatch.roboflow.settings import RoboflowSettings
from visionbatch.roboflow.staging import Staging
from visionbatch.roboflow.words import StageProgress, job_snapshot, progress_of

if TYPE_CHECKING:
    from visionbatch.flow.listing import Enough
    from visionbatch.flow.roster import Roster
    from visionbatch.roboflow.jobs import Jobs
    from visionbatch.roboflow.values import Job


class RoboflowApi:
    """The operations of one workspace; as a `visionbatch.pipelines.site.Watched` it watches jobs.

    :param settings: `jobs` and `staging` hold the operations.
    :param retry: patience of every operation but a look, which has none: the watch has it.
    """

    name = SERVICE
    noun = "job"

    def __init__(self, settings: RoboflowSettings, retry: RetryPolicy | None = None) -> None:
        self.calls = Calls(settings, retry or RetryPolicy())
        self.staging = Staging(self.calls)

    @cached_property
    def jobs(self) -> Jobs:
        """The operations on jobs."""
        # Whoever fills a batch starts without them.
        from visionbatch.roboflow.jobs import Jobs  # noqa: PLC0415

        return Jobs(self.calls)

    def workspace(self) -> Flow[str]:
        """The slug of the workspace; the first call that a new key should be tried with."""
        return named("", self.calls.workspace())

    def look(self, ref: str) -> Flow[Snapshot]:
        """The state of a job, asked for once, with the tasks of its stages."""
        return named(ref, self._look(ref))

    def _look(self, job_id: str) -> Flow[Snapshot]:
        job = yield from self.jobs.get(job_id, ONCE)
        try:
            progress = yield from self._progress(job_id, ONCE)
        except NotFound:
            # The job is there, so it is its stages that do not show yet.
            progress = ()
        return job_snapshot(job, progress)

    def progress(self, job_id: str) -> Flow[tuple[StageProgress, ...]]:
        """How far each stage of a job is, earliest first; a stage that has not begun is missing."""
        return named(job_id, self._progress(job_id, self.calls.retry))

    def _progress(self, job_id: str, retry: RetryPolicy) -> Flow[tuple[StageProgress, ...]]:
        stages = yield from self.jobs.stages(job_id, retry)
        found = []
        for stage in stages:
            tasks = yield from self.jobs.tasks(job_id, stage.stage_id, retry)
            found.append(progress_of(stage, tasks, self.calls.settings.status_aliases))
        return tuple(found)

    def look_all(self, roster: Roster) -> Flow[None]:
        """One look at every job on the roster, from one list.

        Jobs that have ended are asked for alone, for the list does not say what became of their tasks; so are those
        that the list does not hold, and a single one.
        """
        missing = set(roster.refs)
        if len(missing) > 1:
            jobs = yield from self.jobs.listing(retry=ONCE, enough=_holds(missing, self.calls.settings.page_size))
            for job in jobs:
                if job.job_id in missing and not job.terminal:
                    missing.discard(job.job_id)
                    roster.saw(job.job_id, job_snapshot(job))
        yield from roster.ask_each(missing, self.look)

    def newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        """The list of jobs from its beginning, page by page until that is enough.

        It does not say what became of a job's tasks: one that ended with some of them lost is listed as a success.
        """

        def read(found: list[Fields]) -> bool:
            return enough(_listed(map(self.jobs.read, found)))

        jobs = yield from self.jobs.listing(retry=ONCE, enough=read)
        return _listed(jobs)

    def cancel(self, ref: str) -> Flow[None]:
        """Abort a job; one that has ended or is gone counts as cancelled."""
        return self.jobs.abort(ref)

    def console_url(self, job_id: str) -> str:
        """The page on which people follow the job; it carries no credential."""
        url = self.calls.settings.console_url.replace("{workspace}", quote(self.calls.known_workspace, safe=""))
        return url.replace("{job_id}", quote(job_id, safe=""))


def _listed(jobs: Iterable[Job]) -> tuple[Listed, ...]:
    return tuple(Listed(job.job_id, job.name, job_snapshot(job)) for job in jobs)


def _holds(refs: AbstractSet[str], page_size: int) -> Callable[[list[Fields]], bool]:
    """Whether the list has shown all that are looked for, or twice as much as they would fill.

    Those that are waited for are new, and the newest are commonly listed first.
    """
    wanted, most = frozenset(refs), 2 * ceil(len(refs) / page_size) * page_size

    def enough(found: list[Fields]) -> bool:
        return len(found) >= most or wanted <= {job.text("jobId") for job in found}

    return enough
