"""What the pages show of each service, read without looking: no life cycle moves because somebody watches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visionbatch_mock.dashboard.drawing import Stretch, histogram, shares, timeline
from visionbatch_mock.dashboard.upload_map import UploadMap, maps
from visionbatch_mock.deepomatic.batches import Batch
from visionbatch_mock.roboflow.batches import StagedBatch
from visionbatch_mock.roboflow.jobs import Job
from visionbatch_mock.storage.sessions import SessionState
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.vias.tasks import Batch as ViasBatch
from visionbatch_mock.vias.tasks import Task


@dataclass(frozen=True, slots=True)
class BatchView:
    """A Deepomatic batch."""

    id: str
    filename: str | None
    state: str
    held: bool
    ended: bool
    waits: bool
    created: float
    history: list[tuple[float, str]]
    stretches: list[Stretch]
    persisted: int
    total: int | None
    counts: dict[str, int]
    problems: list[dict[str, str | None]]

    @property
    def share(self) -> float | None:
        """How much of the archive is there."""
        return self.persisted / self.total if self.total else None


def batches(tenant: Tenant) -> list[BatchView]:
    """Newest first."""
    tenant.settle()
    return [batch_view(tenant, each) for each in reversed(tenant.batches.all())]


def batch_view(tenant: Tenant, batch: Batch) -> BatchView:
    """One of them."""
    history = [(at, state.value) for at, state in list(batch.history)]
    session = batch.sessions[-1]
    return BatchView(
        batch.id,
        batch.filename,
        batch.state.value,
        batch.held,
        batch.state.ended,
        batch.state.awaits_archive,
        batch.created,
        history,
        timeline(history, tenant.clock.now(), ended=batch.state.ended),
        session.persisted if session.status is not SessionState.CANCELLED else 0,
        session.total,
        batch.tally.as_json(),
        [problem.as_json() for problem in batch.problems],
    )


def upload_maps(tenant: Tenant, batch: Batch) -> list[UploadMap]:
    """What arrived of its archive, session by session, the latest first."""
    persisted = [each for each in tenant.ledger.entries("bytes.persisted") if each["batch_id"] == batch.id]
    return maps(list(batch.sessions), tenant.journal.entries(), persisted)[::-1]


def orders_of(tenant: Tenant, batch: Batch) -> list[dict[str, Any]]:
    """The work orders that its archive became."""
    return [order.inner_view() for order in tenant.work_orders.of_batch(batch.id)]


@dataclass(frozen=True, slots=True)
class JobView:
    """A Roboflow job; `ok` and `failed` count the files of its tasks."""

    id: str
    name: str
    batch_id: str
    state: str
    text: str
    held: bool
    ended: bool
    created: float
    history: list[tuple[float, str]]
    stretches: list[Stretch]
    tasks: int
    ok: int
    failed: int
    logs: list[dict[str, Any]]


def jobs(tenant: Tenant) -> list[JobView]:
    """Newest first."""
    tenant.settle()
    with tenant.roboflow.lock:
        return [job_view(tenant, each) for each in tenant.roboflow.jobs.all()]


def job_view(tenant: Tenant, job: Job) -> JobView:
    """One of them; called under the room's lock."""
    history = [(at, state.value) for at, state in job.history]
    return JobView(
        job.id,
        job.name,
        job.batch_id,
        job.state.value,
        job.text,
        job.held,
        job.state.terminal,
        job.created,
        history,
        timeline(history, tenant.clock.now(), ended=job.state.terminal),
        len(job.tasks),
        sum(len(task.good) for task in job.tasks),
        sum(len(task.failed) for task in job.tasks),
        list(job.logs[-50:]),
    )


@dataclass(frozen=True, slots=True)
class StagedView:
    """A batch of Roboflow's data staging, with its shards as shares of their states."""

    id: str
    name: str
    type: str
    kind: str
    created: float
    expires: float
    files: int
    shards: dict[str, int]
    stretches: list[Stretch]

    @property
    def busy(self) -> bool:
        """Whether a shard is still being ingested."""
        return any(state in self.shards for state in ("registered", "processing"))


def staged(tenant: Tenant) -> list[StagedView]:
    """Newest first."""
    tenant.settle()
    with tenant.roboflow.lock:
        return [_staged_view(each) for each in tenant.roboflow.staging.all()]


def _staged_view(batch: StagedBatch) -> StagedView:
    counts = histogram(shard.state.value for shard in batch.shards.values())
    count = sum(1 for _ in batch.files())
    shown = (batch.id, batch.display_name, batch.type.value, batch.kind.value, batch.created, batch.expires)
    return StagedView(*shown, count, counts, shares(counts))


@dataclass(frozen=True, slots=True)
class ViasView:
    """A batch task of VIAS and the states of its tasks."""

    id: str
    name: str
    service: str
    created: float
    deleted: bool
    counts: dict[str, int]
    stretches: list[Stretch]
    tasks: list["TaskView"]


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task; `ahead` are the states that it will pass by itself."""

    id: str
    name: str
    source: str
    state: str
    ahead: list[str]
    found: int
    stretches: list[Stretch]


def vias_batches(tenant: Tenant) -> list[ViasView]:
    """Newest first, with the tasks of each; tasks without a batch are not here."""
    tenant.settle()
    with tenant.vias.lock:
        return [vias_view(tenant, each, tenant.vias.tasks(each.id)) for each in reversed(tenant.vias.batches())]


def vias_view(tenant: Tenant, batch: ViasBatch, tasks: Sequence[Task]) -> ViasView:
    """One of them; called under the book's lock."""
    counts = histogram(task.state for task in tasks)
    shown = (batch.id, batch.name, batch.service.title, batch.created, batch.deleted, counts, shares(counts))
    return ViasView(*shown, [_task_view(tenant, task) for task in tasks])


def _task_view(tenant: Tenant, task: Task) -> TaskView:
    rests = not task.ahead and not task.vanishing
    strip = timeline(task.history, tenant.clock.now(), ended=rests) if task.history else []
    return TaskView(task.id, task.name, task.source_name, task.state, list(task.ahead), task.found, strip)
