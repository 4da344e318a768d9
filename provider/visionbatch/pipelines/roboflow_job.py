"""One run of a Roboflow job: intent, creation under an id of our own, and what becomes of it.

``submit`` may be called again by any later try, on any machine: the job's id follows from the run's identity and the
generation, so a creation that may have happened is found, and never made twice.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from visionbatch.errors import IdTaken, NotFound, VisionBatchError
from visionbatch.flow.judge import Verdict
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnFailedJob, Policies
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.pipelines.attempt import Found
from visionbatch.pipelines.decide import Action, Decision
from visionbatch.pipelines.ending import summed_up
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.remote_run import RemoteRun
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.roboflow_input import require_ready
from visionbatch.pipelines.submitted import Submitted
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.ids import derived_job_id
from visionbatch.roboflow.job import JobDefinition
from visionbatch.roboflow.words import StageProgress

log = logging.getLogger(__name__)

RESTARTS = "roboflow_restarts"
"""Note of a run record: how often its job was restarted."""

ERRORS_READ = 1000
"""Lines of the error log that a manifest counts; more say nothing new and take minutes to page through."""

ERRORS_SHOWN = 10


class _Jobs:
    """The job that a record names: its id is on record before there is one."""

    def __init__(self, site: Roboflow, on_failed_job: OnFailedJob) -> None:
        self._site = site
        self._on_failed_job = on_failed_job

    def look(self, record: RunRecord) -> Found:
        snapshot = self._site.status(record.ref)
        return Found(snapshot, not snapshot.phase.is_terminal)

    def cancel(self, record: RunRecord) -> None:
        if not record.ref or (record.stage is Stage.INTENT and not self._is_over_our_input(record)):
            return
        self._site.abort(record.ref)
        log.info("%s job %s: asked to abort", SERVICE, record.ref)

    def _is_over_our_input(self, record: RunRecord) -> bool:
        """Whether a job that may have been made is ours: before the service says so, the id may be somebody else's."""
        try:
            job = self._site.job(record.ref)
        except NotFound:
            return False
        given = job.definition.get("jobInput")
        return isinstance(given, Mapping) and given.get("batchId") == record.place

    def amend(self, decision: Decision, record: RunRecord, found: Found | None) -> Decision:
        """Restart a failed job where that is wanted, ask again for one that is gone, keep clear of other items' ids."""
        if decision.action is Action.BEGIN:
            # Another item's record in our place: its ids are ours as well, so the generation must not be its.
            return replace(decision, generation=record.generation + 1)
        if decision.action is not Action.REPLACE or decision.wanted:
            return decision
        if found is None:
            # The same id once more: should the job be there after all, the service says so and makes no second one.
            return replace(decision, action=Action.SEEK, generation=record.generation)
        if found.snapshot.phase is Phase.FAILED and self._on_failed_job is OnFailedJob.RESTART:
            return replace(decision, action=Action.RESTART, generation=record.generation)
        return decision


class RoboflowJobRun(RemoteRun):
    """One run over one record.

    :param identity: of the run, the same in every try of it, such as DAG, task, run and map index.
    :param store: where the record is kept.
    :param on_failed_job: what a retry does when the job of the last try has failed.
    :param created: called with the job's id as soon as the job is known to be there.
    :param decided: called with what a try is going to do, before it does anything.
    """

    def __init__(
        self,
        site: Roboflow,
        store: RunStore,
        identity: str,
        policies: Policies | None = None,
        *,
        on_failed_job: OnFailedJob = OnFailedJob.NEW,
        created: Callable[[str], None] | None = None,
        decided: Callable[[Decision], None] | None = None,
    ) -> None:
        jobs = _Jobs(site, on_failed_job)
        super().__init__(
            SERVICE,
            store,
            jobs,
            policies or Policies(),
            site.clock,
            grace_s=site.tuning.pace.grace_s,
            created=created,
            decided=decided,
            noun="job",
            amend=jobs.amend,
        )
        self._site = site
        self._identity = identity

    @property
    def job_id(self) -> str:
        """The job this run works on now; empty before there is one."""
        return self._journal.record.ref

    def submit(
        self,
        definition: JobDefinition,
        *,
        name: str = "",
        deadline: float | None = None,
        cleared: bool = False,
        ready_ref: str = "",
    ) -> Submitted:
        """See that the job is there and was started exactly once, whatever earlier tries did.

        :param name: what people see.
        :param deadline: Unix seconds by which the job has to end, for the record.
        :param cleared: whether a person asked for this try.
        :param ready_ref: the batch with what was sent into it, as a `visionbatch.StageManifest` has it: no job is made
            before all of it is there. Without, none is made while a shard of the batch is being ingested.
        :raises NotReady: when the batch is not.
        :raises InputChanged: by ``on_input_change``, when batch or parameters are others than before.
        :raises IdTaken: when the derived id belongs to a job that does something else.
        :raises UnsafeUrl: for a webhook that leads inside a network.
        :raises PlanRefused: when the workspace's plan has no batch processing, or no credits are left.
        :raises VisionBatchError: anything the service or the network does; the record says how to go on.
        """
        self._site.api.jobs.require_outside(definition)
        decision = self._attempt.begin(
            definition.fingerprint(), definition.batch_id, deadline=deadline, cleared=cleared
        )
        if decision.action is Action.RESTART:
            self._restart()
        elif not decision.goes_on:
            if not self._journal.record.ref:
                # An id is on record once the batch was seen to be ready.
                require_ready(self._site, ready_ref or definition.batch_id, deadline)
            self._create(definition, name)
        self._announce()
        return Submitted(self._journal.record, {"batch_id": definition.batch_id, "workflow": definition.workflow_id})

    def _create(self, definition: JobDefinition, name: str) -> None:
        """Make the job; its id is on record before."""
        job_id = derived_job_id(self._identity, self._journal.record.generation)
        self._journal.update(stage=Stage.INTENT, ref=job_id)
        try:
            self._site.perform(self._site.api.jobs.create(job_id, definition, name))
        except IdTaken:
            # Whoever ends this run must not end somebody else's job.
            self._journal.update(ref="")
            raise
        self._journal.update(stage=Stage.CREATED, created_at=self._site.clock.now())

    def _restart(self) -> None:
        notes = self._journal.record.notes
        self._journal.update(stage=Stage.CREATED, notes={**notes, RESTARTS: notes.get(RESTARTS, 0) + 1})
        self._site.restart(self.job_id)
        log.info("%s job %s: restarted", SERVICE, self.job_id)

    def _summed_up(self, submitted: Submitted, snapshot: Snapshot, sink: Sink | None) -> tuple[Manifest, Verdict]:  # noqa: ARG002  # its only report is the log
        job_id = submitted.batch_id
        stages = self._site.progress(job_id)
        for stage in stages:
            log.info("%s job %s: stage %s", SERVICE, job_id, stage)
        results = {
            "input_batch": submitted.archive.get("batch_id", ""),
            "output_batches": {stage.name: list(stage.outputs) for stage in stages},
        }
        page = self._site.api.console_url(job_id)
        errors = self._errors(job_id, stages, snapshot)
        return summed_up(submitted, snapshot, self._policies.on_partial, page, errors=errors, results=results)

    def _errors(self, job_id: str, stages: tuple[StageProgress, ...], snapshot: Snapshot) -> dict[str, Any]:
        """What the log says of failures; one that cannot be had spoils no finished job."""
        try:
            lines = self._site.perform(
                self._site.api.jobs.logs(job_id, "error", enough=lambda found: len(found) >= ERRORS_READ)
            )
        except VisionBatchError as error:
            log.warning("%s job %s: the log cannot be fetched: %s", SERVICE, job_id, error.what)
            return {"unavailable": error.what}
        for line in lines[:ERRORS_SHOWN]:
            log.warning("%s job %s: %s", SERVICE, job_id, line)
        failed = sum(stage.counts.failed for stage in stages)
        said = {"said": snapshot.detail} if snapshot.phase is Phase.FAILED else {}
        by_code = dict(Counter(line.kind for line in lines))
        return {"lines": len(lines), "by_code": by_code, "failed_tasks": failed, **said}
