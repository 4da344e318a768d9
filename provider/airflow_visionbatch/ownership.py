"""Whose remote batch is it? The question to ask before a trigger cancels anything.

Airflow calls a trigger's ``on_kill`` for a task that a person failed or marked as successful, but just as well for
one that was cleared (the new try has usually adopted the batch by then) and for a trigger that another triggerer has
taken over while this one stood still. Only the task instance's state tells these apart: a terminal state means that
nobody else will look after the batch.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any

TERMINAL_STATES = frozenset({"success", "failed", "skipped", "removed", "upstream_failed"})

LOOK_UP_S = 25.0
"""Seconds for the look-up: the first in a fresh triggerer takes ten, and Airflow gives ``on_kill`` thirty in all."""


class Owner(StrEnum):
    """Who looks after the remote batch."""

    NOBODY = "nobody"
    """The task has ended: cancelling is right."""
    SOMEBODY = "somebody"
    """The task lives, in another try or another triggerer: hands off."""
    UNKNOWN = "unknown"
    """Airflow did not say in time."""


async def owner_of(task_instance: Any) -> Owner:
    """Ask Airflow for the state of a trigger's task instance, within `LOOK_UP_S`."""
    from asgiref.sync import sync_to_async

    if task_instance is None:
        return Owner.UNKNOWN
    try:
        state = await asyncio.wait_for(sync_to_async(_state)(task_instance), LOOK_UP_S)
    except Exception:  # noqa: BLE001  # whatever goes wrong with the question, the answer is "not known"
        return Owner.UNKNOWN
    return _owner(state)


def owner_seen_from_worker(task_instance: Any) -> Owner:
    """Ask Airflow for the state of the task instance that runs in this process.

    The task instance that was cleared has another id by now, but the same names, so the newer try answers for it.
    """
    try:
        state = _state(task_instance)
    except Exception:  # noqa: BLE001  # as above
        return Owner.UNKNOWN
    return _owner(state)


def _owner(state: Any) -> Owner:
    if state is None:
        # No such task instance any more, or one that was cleared and has not been scheduled yet.
        return Owner.UNKNOWN
    return Owner.NOBODY if str(state).lower() in TERMINAL_STATES else Owner.SOMEBODY


def _state(task_instance: Any) -> Any:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    map_index = getattr(task_instance, "map_index", -1)
    states = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=map_index if map_index is not None and map_index >= 0 else None,
    )
    by_task = states.get(task_instance.run_id, {})
    return by_task.get(task_instance.task_id) or by_task.get(f"{task_instance.task_id}_{map_index}")


def was_cleared(task_instance: Any) -> bool:
    """Whether a person asked for this try, rather than a retry.

    Clearing gives a task its retries back, so the first of the new tries is the one with all of them still to come.
    """
    retries = int(getattr(task_instance.task, "retries", 0) or 0)
    first_try = int(task_instance.max_tries) - retries + 1
    return bool(task_instance.try_number > 1 and task_instance.try_number == first_try)
