"""Work orders of one site: made by batches or by the work-order endpoints, kept under one lock."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.clock import iso
from visionbatch_mock.deepomatic.archive import AnalysedPhoto, Folder
from visionbatch_mock.ids import IdSource
from visionbatch_mock.images import Photo

Content = Callable[[], bytes]
"""Gives the bytes of a photo when they are wanted."""


@dataclass(slots=True)
class Input:
    """One submitted photo; `file` is its name in the archive, None when sent to the endpoint."""

    id: str
    task_group: str | None
    file: str | None
    photo: Photo | None
    created: float
    content: Content | None = None

    def as_json(self) -> dict[str, Any]:
        """The input as a work order shows it."""
        return {
            "id": self.id,
            "name": self.file,
            "task_group": self.task_group,
            "create_date": iso(self.created),
            "conformity_messages": [],
        }


@dataclass(slots=True)
class Task:
    """One check point of a work order. The mock's tasks are Boolean: is the photo as it should be."""

    id: str
    name: str
    task_group: str
    analyzed_value: bool | None = None
    corrected_value: bool | None = None
    corrected_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The task with its state."""
        state = {
            "analyzed_value": self.analyzed_value,
            "corrected_value": self.corrected_value,
            "message": "" if self.analyzed_value is None else f"seen on a photo of {self.task_group}",
        }
        return {"id": self.id, "name": self.name, "type": "Boolean", "state": state}


@dataclass(slots=True)
class WorkOrder:
    """One field intervention. `inputs` are in processing order, then in order of arrival."""

    id: str
    name: str
    created: float
    updated: float
    batch_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    analyses: list[str] = field(default_factory=list)

    @property
    def progress_score(self) -> float:
        """Share of tasks with a value, 0 to 100 as in the REST API."""
        done = [task for task in self.tasks.values() if task.analyzed_value is not None]
        return 100.0 * len(done) / len(self.tasks) if self.tasks else 0.0

    def inner_view(self) -> dict[str, Any]:
        """What a test wants to know of it; `inputs` are file names in processing order."""
        return {
            "id": self.id,
            "name": self.name,
            "metadata": self.metadata,
            "parameters": self.parameters,
            "inputs": [item.file for item in self.inputs],
        }

    def as_json(self, site_id: str, *, include_inputs: bool = True) -> dict[str, Any]:
        """The work order as the retrieve endpoint shows it."""
        groups = sorted({task.task_group for task in self.tasks.values()})
        shown: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "site_id": site_id,
            "create_date": iso(self.created),
            "update_date": iso(self.updated),
            "review_date": None,
            "progress_score": self.progress_score,
            "tags": self.tags,
            "metadata": self.metadata,
            "parameters": self.parameters,
            "assigned_user_id": None,
            "engage_app_id": None,
            "first_analysis_id": self.analyses[0] if self.analyses else None,
            "latest_analysis_id": self.analyses[-1] if self.analyses else None,
            "task_groups": [{"name": name} for name in groups],
            "tasks": [task.as_json() for task in self.tasks.values()],
        }
        if include_inputs:
            shown["inputs"] = [item.as_json() for item in self.inputs]
        return shown


class WorkOrderStore:
    """All work orders of a site and the ids of its tasks. Callers hold `lock` while they read."""

    def __init__(self, ids: IdSource, now: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self.site_id = ids.uuid()
        self._ids = ids
        self._now = now
        self._orders: dict[str, WorkOrder] = {}
        self._task_ids: dict[str, str] = {}

    def create(self, name: str, **fields: Any) -> WorkOrder:
        """A new work order; names need not be unique."""
        with self.lock:
            now = self._now()
            order = WorkOrder(self._ids.uuid(), name, now, now, **fields)
            self._orders[order.id] = order
            return order

    def adopt(self, folder: Folder, batch_id: str) -> WorkOrder:
        """The work order that an archive's folder describes, analysed."""
        with self.lock:
            order = self.create(
                folder.name,
                batch_id=batch_id,
                metadata=dict(folder.metadata),
                parameters=dict(folder.parameters),
            )
            self.analyse(order, folder.photos)
            return order

    def analyse(self, order: WorkOrder, photos: list[AnalysedPhoto]) -> None:
        """Add photos in their order and give each one's task group its value."""
        with self.lock:
            for item in photos:
                self.add_input(order, item.name.task_group, item.name.file, item.photo, item.content)
            self.finish_analysis(order)

    def add_input(
        self,
        order: WorkOrder,
        group: str | None,
        file: str | None,
        photo: Photo | None,
        content: Content | None = None,
    ) -> None:
        """Add one photo; the last photo of a task group decides its task."""
        order.inputs.append(Input(self._ids.uuid(), group, file, photo, self._now(), content))
        if group is not None:
            task = self._task(order, group)
            task.analyzed_value = photo.verdict if photo else None

    def finish_analysis(self, order: WorkOrder) -> None:
        """Record that an analysis took place."""
        order.analyses.append(self._ids.uuid())
        order.updated = self._now()

    def get(self, order_id: str) -> WorkOrder | None:
        """The work order of that id."""
        with self.lock:
            return self._orders.get(order_id)

    def remove(self, order_id: str) -> WorkOrder | None:
        """Take a work order out of the site."""
        with self.lock:
            return self._orders.pop(order_id, None)

    def of_batch(self, batch_id: str) -> list[WorkOrder]:
        """The work orders that a batch made, oldest first."""
        with self.lock:
            return [order for order in self._orders.values() if order.batch_id == batch_id]

    def named(self, name: str | None) -> list[WorkOrder]:
        """All work orders, or those of one name."""
        with self.lock:
            return [order for order in self._orders.values() if name in {None, order.name}]

    def task_group(self, name: str) -> Mapping[str, Any]:
        """A task group as the application lists it."""
        task = {"id": self._task_id(name), "name": _task_name(name), "type": "Boolean"}
        return {"id": self._task_id(f"group {name}"), "name": name, "tasks": [task]}

    def groups_seen(self) -> list[str]:
        """Every task group that some work order has used."""
        with self.lock:
            tasks = [task for order in self._orders.values() for task in order.tasks.values()]
            return sorted({task.task_group for task in tasks})

    def _task(self, order: WorkOrder, group: str) -> Task:
        task_id = self._task_id(group)
        return order.tasks.setdefault(task_id, Task(task_id, _task_name(group), group))

    def _task_id(self, name: str) -> str:
        with self.lock:
            return self._task_ids.setdefault(name, self._ids.uuid())


def _task_name(group: str) -> str:
    return f"{group}_conform"
