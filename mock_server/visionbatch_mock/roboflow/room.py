"""Everything that the service knows of one workspace, under one lock."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from visionbatch_mock.gate import Gate
from visionbatch_mock.ids import IdSource
from visionbatch_mock.ledger import Effect
from visionbatch_mock.roboflow.batches import StagedBatch
from visionbatch_mock.roboflow.deliveries import Deliveries
from visionbatch_mock.roboflow.jobs import Job
from visionbatch_mock.roboflow.notices import of_job
from visionbatch_mock.roboflow.references import Request
from visionbatch_mock.roboflow.results import Results
from visionbatch_mock.roboflow.staging import Staging
from visionbatch_mock.roboflow.tars import Found

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


class Jobs:
    """The jobs of one tenant; those that still move are apart, so that looking at thousands stays cheap."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._moving: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """A new job."""
        self._jobs[job.id] = job
        self.note(job)

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Every job, newest first."""
        return list(reversed(self._jobs.values()))

    def note(self, job: Job) -> None:
        """Remember whether a job moves by itself."""
        if job.moves_by_itself:
            self._moving[job.id] = job
        else:
            self._moving.pop(job.id, None)

    @property
    def moving(self) -> bool:
        """Whether any job still moves."""
        return bool(self._moving)

    def settle(self) -> None:
        """Commit what the clock has made due."""
        for job in list(self._moving.values()):
            job.settle()


class Roboflow:
    """Batches, jobs, signed URLs and webhooks of one tenant. `lock` guards all but the webhooks."""

    def __init__(self, tenant: "Tenant", ids: IdSource, seed: int | None, watch: Callable[["Roboflow"], None]) -> None:
        self.tenant = tenant
        self.lock = threading.RLock()
        self._ids = ids
        self._watch = watch
        self.deliveries = Deliveries(tenant, ids)
        self.staging = Staging(tenant, ids, self.deliveries)
        self.jobs = Jobs()
        self.results = Results(tenant, self.staging, seed)
        self._requests: dict[tuple[str, float], list[tuple[Request, list[str]]]] = {}

    @property
    def gate(self) -> Gate:
        """The tenant's."""
        return self.tenant.gate

    def new_id(self) -> str:
        """The next id of a shard, stage, task or ingest."""
        return self._ids.uuid()

    @property
    def restless(self) -> bool:
        """Whether an event may still have to be delivered; never once the tenant was reset."""
        return self.tenant.roboflow is self and (self.jobs.moving or self.staging.busy or self.deliveries.waiting)

    def expect_events(self) -> None:
        """Have what becomes due delivered from now on, whether or not anybody asks the mock something."""
        self._watch(self)

    def settle(self) -> None:
        """Commit what the clock has made due."""
        with self.lock:
            self.staging.settle()
            self.jobs.settle()

    def repetition(self, batch: StagedBatch, asked: Request) -> tuple[Request, list[str]] | None:
        """The earlier request of the batch that this one repeats, with its shards."""
        by = self.tenant.behaviour.roboflow_sameness
        taken = self._requests.get((batch.id, batch.created), [])
        return next((each for each in taken if asked.same(each[0], by)), None)

    def take(
        self, batch: StagedBatch, asked: Request, finds: Sequence[Callable[[], Found]], *, listed: bool
    ) -> list[str]:
        """Ingest what a request refers to; returns the ids of its shards."""
        shard_ids = self.staging.refer(batch, asked.subscription, finds, listed=listed)
        self._requests.setdefault((batch.id, batch.created), []).append((asked, shard_ids))
        self.expect_events()
        facts: dict[str, Any] = {"ingest_id": asked.subscription.ingest_id, "references": len(asked.references)}
        self.tenant.ledger.commit(Effect.REFERENCES_TAKEN, batch_id=batch.id, shard_ids=shard_ids, **facts)
        return shard_ids

    def deliver(self) -> None:
        """The same, and try to deliver what is due."""
        self.settle()
        self.deliveries.deliver()

    def create(self, job_id: str, name: str | None, definition: dict[str, Any]) -> Job:
        """A new job, which starts by itself."""
        job = Job(self, job_id, name, definition)
        self.jobs.add(job)
        if "notificationsURL" in definition:
            self.expect_events()
        return job

    def tell_end(self, job: Job, at: float, *, success: bool) -> None:
        """Send the one event of a job to its subscriber."""
        url = job.definition.get("notificationsURL")
        if url is not None:
            self.deliveries.send(url, of_job(job.id, success=success), at)
