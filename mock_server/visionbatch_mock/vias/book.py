"""Everything that VIAS keeps for one account, and the one lock over it."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from visionbatch_mock.gate import Gate
from visionbatch_mock.ledger import Effect
from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.events import event_of
from visionbatch_mock.vias.fate import life_of, refusal_of
from visionbatch_mock.vias.outbox import Outbox, pushes
from visionbatch_mock.vias.places import Places
from visionbatch_mock.vias.scenes import Chosen, Service, VideoSource
from visionbatch_mock.vias.settings import Action
from visionbatch_mock.vias.states import AT_REST, DURATIONS, ENDED, LIVES, Life, TaskState
from visionbatch_mock.vias.tally import Tally
from visionbatch_mock.vias.tasks import Batch, Task, duration_of, works

if TYPE_CHECKING:
    from visionbatch_mock.courier import Room
    from visionbatch_mock.ids import IdSource
    from visionbatch_mock.tenant import Tenant

_EFFECTS: Mapping[str, Effect] = {
    TaskState.RUNNING: Effect.VIAS_TASK_STARTED,
    TaskState.STOPPED: Effect.VIAS_TASK_STOPPED,
}
_UNKNOWN_SOURCE = (Code.NO_OBJECT, "the video source does not exist")


MOST_EVENTS = 1000
"""Ours: events of one stream that one jump of the clock makes due."""


class ViasBook:
    """Batches and tasks of a tenant. Callers hold `lock` while they read or change what it gives them."""

    def __init__(self, tenant: "Tenant", ids: "IdSource", watch: "Callable[[Room], None]") -> None:
        self.lock = threading.RLock()
        self._tenant = tenant
        self._ids = ids
        self.places = Places(tenant, ids)
        self.deliveries = Outbox(tenant)
        self._watch = watch
        self._batches: dict[str, Batch] = {}
        self._tasks: dict[str, Task] = {}
        # By batch too: a list of batches, and the end of one, would else walk over all tasks for each.
        self._of_batch: dict[str, dict[str, Task]] = {}

    @property
    def gate(self) -> Gate:
        """The tenant's."""
        return self._tenant.gate

    def batches(self) -> list[Batch]:
        """Batches in order of creation. A deleted one stays while any of its tasks does."""
        return list(self._batches.values())

    def batch(self, batch_id: str) -> Batch:
        """The batch, or the refusal that the tenant's setting has for an unknown id."""
        found = self._batches.get(batch_id)
        if found is None:
            code = self._tenant.behaviour.vias_not_found
            raise ViasError(code, f"no batch task has the id {batch_id}", batch_id)
        return found

    def tasks(self, batch_id: str | None = None) -> list[Task]:
        """Tasks in order of creation, all or those of a batch."""
        found = self._tasks if batch_id is None else self._of_batch.get(batch_id, {})
        return list(found.values())

    def task(self, task_id: str) -> Task:
        """The task, or VIAS's refusal."""
        if task_id not in self._tasks:
            raise ViasError(Code.NO_TASK, f"no task has the id {task_id}", task_id)
        return self._tasks[task_id]

    def settle(self) -> None:
        """Commit the steps that the clock has made due."""
        now = self._tenant.clock.now()
        duration = duration_of(self._tenant.behaviour.vias_durations, DURATIONS)
        with self.lock:
            for task in list(self._tasks.values()):
                task.settle(now, duration, self._entered)
                self._watch_stream(task, now)

    @property
    def restless(self) -> bool:
        """Whether something may still have to leave; never once the tenant was reset."""
        # Without the lock, which is held while the one who asks this is told that there is something to watch.
        tasks = list(self._tasks.values())
        moving = any(pushes(task.output) and works(task.state) for task in tasks)
        return self._tenant.vias is self and (moving or self.deliveries.waiting)

    def deliver(self) -> None:
        """Commit what has become due, and try to deliver it."""
        self.settle()
        self.deliveries.deliver()

    def find(self, task: Task, at: float) -> None:
        """Let a task find something; it leaves on every way of its output."""
        task.found += 1
        if pushes(task.output):
            self.deliveries.put(event_of(task, task.found, at, self._tenant.behaviour.vias_event_type), task.output)
            self._watch(self)

    def force(self, task_id: str, state: str) -> None:
        """Put a task into any state, known or not."""
        with self.lock:
            self.task(task_id).force(state, self._tenant.clock.now(), self._entered)

    def create_batch(self, fields: dict[str, Any], chosen: Sequence[Chosen]) -> Tally:
        """A batch and a task for each source; some may fail while the others are made."""
        behaviour, now = self._tenant.behaviour, self._tenant.clock.now()
        name, service = fields["name"], self._service(fields)
        self._check_new(name, (batch.name for batch in self._batches.values()), len(chosen))
        batch = Batch(self._hex_id(), name, service, now, fields)
        tally = Tally(behaviour.vias_error_text)
        for each in chosen:
            self._add_to(batch, each, tally)
        if tally.succeeded or behaviour.vias_keep_failed or not chosen:
            self._batches[batch.id] = batch
            tally.batch_id = batch.id
            facts = {"name": name, "sources": len(chosen), "failed": len(tally.errors)}
            self._tenant.ledger.commit(Effect.VIAS_BATCH_CREATED, batch_id=batch.id, **facts)
        return tally

    def update_batch(self, batch: Batch, fields: dict[str, Any]) -> Tally:
        """Other settings for the batch and its tasks, whose sources and states stay as they are."""
        if fields.get("name", batch.name) != batch.name:
            self._check_new(fields["name"], (each.name for each in self._batches.values()), 0)
        batch.fields = {**batch.fields, **fields}
        batch.name = batch.fields["name"]
        tally = Tally(self._tenant.behaviour.vias_error_text, batch.id)
        for task in self.tasks(batch.id):
            task.settings = {**task.settings, **_of_task(fields)}
            tally.succeeded += 1
        # An output may have become one that something leaves by.
        self._watch(self)
        self._tenant.ledger.commit(Effect.VIAS_BATCH_UPDATED, batch_id=batch.id, fields=sorted(fields))
        return tally

    def act_on_batch(self, batch: Batch, action: Action) -> Tally:
        """Start, stop or delete every task of the batch; each may refuse."""
        tally = Tally(self._tenant.behaviour.vias_error_text, batch.id)
        if action is Action.DELETE:
            batch.deleted = True
            self._tenant.ledger.commit(Effect.VIAS_BATCH_DELETED, batch_id=batch.id)
        for task in self.tasks(batch.id):
            try:
                self.act(task, action)
            except ViasError as refused:
                tally.fail(task.source_id or task.id, refused.code, refused.message)
            else:
                tally.succeeded += 1
        if action is Action.DELETE:
            batch.deleted = not tally.errors
            self._drop_empty(batch.id)
        return tally

    def create_task(self, fields: dict[str, Any], source: VideoSource | None, told: dict[str, Any]) -> Task:
        """A task that belongs to no batch, on a video source or on an input of the older kinds."""
        name = source.name if source else str(told["data"][0].get("url") or told["type"])
        task = self._new_task(fields["name"], None, source, name, self._service(fields), fields, told)
        self._begin(task)
        return task

    def check_new_tasks(self, name: str, count: int) -> None:
        """Raise unless tasks of that name may be made."""
        self._check_new(name, (task.name for task in self._tasks.values() if task.batch_id is None), count)

    def act(self, task: Task, action: Action) -> None:
        """Start, stop or delete one task; raises `ViasError` when it refuses."""
        refusal = self._refusal(task.source_id, task.source_name, action)
        if refusal is not None:
            raise ViasError(*refusal, task.id)
        now, strict = self._tenant.clock.now(), self._tenant.behaviour.vias_strict_actions
        if action is Action.DELETE:
            task.begin(LIVES[Life.DELETE], now, self._entered, vanish=True)
        elif action is Action.STOP and works(task.state):
            task.begin(LIVES[Life.STOP], now, self._entered)
        elif action is Action.START and task.state in AT_REST | {TaskState.PENDING} and not task.ahead:
            task.begin(self._life(task, started=True), now, self._entered)
        elif strict:
            raise ViasError(Code.NOT_ALLOWED, f"a task in {task.state} cannot {action}", task.id)

    def update_task(self, task: Task, fields: dict[str, Any]) -> None:
        """Other settings for one task."""
        if fields["input"]["type"] != task.input["type"]:
            raise ViasError(Code.INVALID, "the type of an input cannot be changed", "input.type")
        task.name, task.input = fields["name"], fields["input"]
        task.settings = {**task.settings, **fields}
        task.updated = self._tenant.clock.now()
        self._watch(self)
        self._tenant.ledger.commit(Effect.VIAS_TASK_UPDATED, task_id=task.id, fields=sorted(fields))

    def _check_new(self, name: str, names: Iterable[str], count: int) -> None:
        behaviour = self._tenant.behaviour
        if behaviour.vias_unique_names and name in names:
            raise ViasError(Code.TASK_EXISTS, f"a task named {name} exists", name)
        if len(self._tasks) + count > behaviour.vias_task_quota:
            raise ViasError(Code.TASK_QUOTA, f"the quota of {behaviour.vias_task_quota} tasks is reached")

    def _service(self, fields: dict[str, Any]) -> Service:
        return self.places.service_for(fields["service_name"], fields["service_version"], fields["output"])

    def _add_to(self, batch: Batch, chosen: Chosen, tally: Tally) -> None:
        source = self.places.known_source(chosen)
        name = source.name if source else chosen.source_id
        refusal = _UNKNOWN_SOURCE if source is None else self._refusal(source.id, source.name, Action.CREATE)
        if refusal is None:
            tally.succeeded += 1
            self._begin(self._batch_task(batch, chosen, source, name))
            return
        tally.fail(chosen.source_id, *refusal)
        if self._tenant.behaviour.vias_keep_failed:
            task = self._batch_task(batch, chosen, source, name)
            task.error = refusal
            task.begin([TaskState.CREATE_FAILED], batch.created, self._entered)

    def _batch_task(self, batch: Batch, chosen: Chosen, source: VideoSource | None, name: str) -> Task:
        settings = {**_of_task(batch.fields), "name": f"{batch.name}_{name}"}
        told = chosen.as_input()
        task = self._new_task(settings["name"], batch.id, source, name, batch.service, settings, told)
        task.source_id, task.group_id = chosen.source_id, chosen.group_id
        return task

    def _new_task(
        self,
        name: str,
        batch_id: str | None,
        source: VideoSource | None,
        source_name: str,
        service: Service,
        settings: dict[str, Any],
        told: dict[str, Any],
    ) -> Task:
        now = self._tenant.clock.now()
        source_id = source.id if source else None
        task = Task(self._hex_id(), name, batch_id, source_id, source_name, None, service, now, told, dict(settings))
        self._tasks[task.id] = task
        if batch_id is not None:
            self._of_batch.setdefault(batch_id, {})[task.id] = task
        self._tenant.ledger.commit(
            Effect.VIAS_TASK_CREATED, task_id=task.id, batch_id=batch_id, source_id=source_id, name=name
        )
        return task

    def _watch_stream(self, task: Task, now: float) -> None:
        """Let a task that runs for ever find something at its intervals."""
        every = self._tenant.behaviour.vias_event_every_s
        if task.state != TaskState.RUNNING or task.ahead or not every:
            return
        for _ in range(MOST_EVENTS):
            if task.found_until + every > now:
                return
            task.found_until += every
            self.find(task, task.found_until)

    def _begin(self, task: Task) -> None:
        if pushes(task.output):
            self._watch(self)
        task.begin(self._life(task, started=False), task.created, self._entered)

    def _life(self, task: Task, *, started: bool) -> Sequence[str]:
        source = self.places.sources.get(task.source_id or "")
        return life_of(task, source, self._tenant.behaviour, started=started)

    def _refusal(self, source_id: str | None, source_name: str, action: Action) -> tuple[Code, str] | None:
        return refusal_of(source_id, source_name, action, self._tenant.behaviour)

    def _entered(self, task: Task, at: float) -> None:
        """Note a step of a task: it is in a new state, or gone."""
        facts: dict[str, Any] = {"task_id": task.id, "batch_id": task.batch_id, "source_id": task.source_id}
        if task.gone:
            del self._tasks[task.id]
            self._of_batch.get(task.batch_id or "", {}).pop(task.id, None)
            self._tenant.ledger.commit(Effect.VIAS_TASK_DELETED, at=at, **facts)
            self._drop_empty(task.batch_id)
            return
        task.found_until = at
        if task.state == TaskState.SUCCEEDED:
            for _ in range(self._tenant.behaviour.vias_events):
                self.find(task, at)
        effect = Effect.VIAS_TASK_ENDED if task.state in ENDED else _EFFECTS.get(task.state)
        if effect is not None:
            self._tenant.ledger.commit(effect, at=at, **facts, state=task.state)

    def _drop_empty(self, batch_id: str | None) -> None:
        batch = self._batches.get(batch_id or "")
        if batch is not None and batch.deleted and not self._of_batch.get(batch.id):
            del self._batches[batch.id]
            self._of_batch.pop(batch.id, None)

    def _hex_id(self) -> str:
        return self._ids.uuid().replace("-", "")


def _of_task(fields: dict[str, Any]) -> dict[str, Any]:
    """What a task has of the request for its batch."""
    return {key: value for key, value in fields.items() if key not in {"batch_input", "name", "service_name"}}
