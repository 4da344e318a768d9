"""VIAS's operations on single tasks, each written once as a flow."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from visionbatch.errors import NotFound
from visionbatch.flow.effects import Flow
from visionbatch.vias.calls import SERVICE, Calls, Query, named
from visionbatch.vias.decode import id_in, items_of
from visionbatch.vias.entries import CreatedTasks, TaskAnswer, TaskEntry
from visionbatch.vias.lists import TASKS, Lists
from visionbatch.vias.made_once import Ids, made_once
from visionbatch.vias.single_task import SingleTask

log = logging.getLogger(__name__)


class SingleTasks:
    """Single tasks of one project, those of batches included where they are only looked at."""

    def __init__(self, calls: Calls, lists: Lists) -> None:
        self._calls = calls
        self._lists = lists

    def create(self, task: SingleTask) -> Flow[CreatedTasks]:
        """Make a task of each input, once; see `visionbatch.vias.made_once.made_once`.

        There may be fewer than inputs: `CreatedTasks.answer` is what a policy judges.
        """
        count = len(task.inputs.data)

        def post() -> Flow[Ids]:
            response = yield from self._calls.send(
                "CreateTask", {"service_name": task.service_name}, body=_without(task.to_json(), "service_name")
            )
            return tuple(id_in(each, "id") for each in items_of(response.json_object(), "tasks"))

        def alike() -> Flow[Ids]:
            found = yield from self._lists.every(TASKS, (("task_name", task.name),), self._calls.retry)
            # What several tasks of one request are called is not documented.
            return tuple(id_in(each, "id") for each in found if str(each.get("name", "")).startswith(task.name))

        making = made_once(post, alike, self._calls.settings, what=f"a task named {task.name!r}", count=count)
        ids = yield from named("", making)
        return CreatedTasks(ids, count)

    def entries(
        self, *, name: str = "", batch_id: str = "", state: str = "", group_ids: tuple[str, ...] = ()
    ) -> Flow[list[TaskEntry]]:
        """Tasks, the newest first.

        :param name: part of their names.
        :param batch_id: of this batch only.
        :param state: in this state only, in upper case.
        :param group_ids: with sources of these groups only.
        """
        given = {"task_name": name, "batch_id": batch_id, "task_state": state, "video_group_id": ",".join(group_ids)}
        query: Query = tuple((key, value) for key, value in given.items() if value)
        found = yield from named(batch_id, self._lists.every(TASKS, query, self._calls.retry))
        return [TaskEntry.read(each) for each in found]

    def show(self, task_id: str) -> Flow[TaskEntry]:
        """Everything about a task."""
        response = yield from named(task_id, self._calls.send("ShowTaskInfo", {"task_id": task_id}))
        return TaskEntry.read(response.json_object(), task_id)

    def update(self, task_id: str, task: SingleTask) -> Flow[TaskAnswer]:
        """Give a task another configuration, with exactly one input of the kind that it has."""
        return self._answered("UpdateTask", {"task_id": task_id}, task.changes())

    def start(self, task_id: str) -> Flow[TaskAnswer]:
        """Start a task."""
        return self._answered("StartStopTask", {"task_id": task_id, "command": "start"})

    def stop(self, task_id: str) -> Flow[TaskAnswer]:
        """Stop a task; it can be started again."""
        return self._answered("StartStopTask", {"task_id": task_id, "command": "stop"})

    def delete(self, task_id: str) -> Flow[TaskAnswer | None]:
        """Delete a task; ``None`` when it was not there any more."""
        try:
            return (yield from self._answered("DeleteTask", {"task_id": task_id}))
        except NotFound:
            log.info("%s: task %s is already gone", SERVICE, task_id)
            return None

    def _answered(self, operation: str, values: Mapping[str, str], body: Any = None) -> Flow[TaskAnswer]:
        response = yield from named(values["task_id"], self._calls.send(operation, values, body=body))
        return TaskAnswer.read(response.json() if response.body else None, values["task_id"])


def _without(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}
