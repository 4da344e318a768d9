"""Single tasks and registered sources and groups from plain Python: one call for each operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from visionbatch.pipelines.client import Client
from visionbatch.vias.calls import Query
from visionbatch.vias.entries import CreatedTasks, TaskAnswer, TaskEntry
from visionbatch.vias.registry import F, Registry
from visionbatch.vias.single_task import SingleTask
from visionbatch.vias.tasks_api import SingleTasks

E = TypeVar("E")


class ViasTasks:
    """Single tasks of one project; see `visionbatch.vias.tasks_api.SingleTasks`.

    An answer may tell that something was not done: `visionbatch.require_tasks` judges its ``answer``.

    :param api: the operations; asked for when one is needed, for the project may have to be looked up first.
    """

    def __init__(self, client: Client, api: Callable[[], SingleTasks]) -> None:
        self._client = client
        self._api = api

    def create(self, task: SingleTask) -> CreatedTasks:
        """Make a task of each input, once.

        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        :raises IdTaken: when the service says that the name is taken.
        :raises OutcomeUnknown: when it cannot be found out what the request came to.
        """
        task.check()
        return self._client.perform(self._api().create(task))

    def list(
        self, *, name: str = "", batch_id: str = "", state: str = "", group_ids: tuple[str, ...] = ()
    ) -> list[TaskEntry]:
        """Tasks, those of batches too, the newest first, by parts of their names, by batch, state or groups."""
        found = self._api().entries(name=name, batch_id=batch_id, state=state, group_ids=group_ids)
        return self._client.perform(found)

    def show(self, task_id: str) -> TaskEntry:
        """Everything about a task."""
        return self._client.perform(self._api().show(task_id))

    def update(self, task_id: str, task: SingleTask) -> TaskAnswer:
        """Give a task another configuration, with exactly one input.

        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        """
        task.check_change()
        return self._client.perform(self._api().update(task_id, task))

    def start(self, task_id: str) -> TaskAnswer:
        """Start a task."""
        return self._client.perform(self._api().start(task_id))

    def stop(self, task_id: str) -> TaskAnswer:
        """Stop a task; it can be started again."""
        return self._client.perform(self._api().stop(task_id))

    def delete(self, task_id: str) -> TaskAnswer | None:
        """Delete a task; ``None`` when it was not there any more."""
        return self._client.perform(self._api().delete(task_id))


class ViasRegistry(Generic[F, E]):
    """What is registered of one kind in one project; see `visionbatch.vias.registry.Registry`.

    :param api: as that of `ViasTasks`.
    """

    def __init__(self, client: Client, api: Callable[[], Registry[F, E]]) -> None:
        self._client = client
        self._api = api

    def create(self, form: F) -> str:
        """Register it, once, and give its id.

        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        :raises IdTaken: when the service says that the name is taken.
        :raises OutcomeUnknown: when it cannot be found out what the request came to.
        """
        form.check()
        return self._client.perform(self._api().create(form))

    def list(self, name: str = "", more: Query = ()) -> list[E]:
        """All of them, or those with a part of their names; ``more`` are further parameters of the vendor's list."""
        return self._client.perform(self._api().entries(name, more))

    def show(self, one: str) -> E:
        """One of them, by its id."""
        return self._client.perform(self._api().show(one))

    def update(self, one: str, form: F) -> None:
        """Change it to this.

        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        """
        form.check_change()
        self._client.perform(self._api().update(one, form))

    def delete(self, one: str) -> bool:
        """Remove it; ``False`` when it was not there any more."""
        return self._client.perform(self._api().delete(one))
