"""Ending a task where it waits: the triggerer says that it succeeded, and no worker is asked for again.

Only a success ends there. For a failure Airflow would have no error to show and before 3.3 would spend no retry, nor
ask a retry policy; so whatever is not a success goes on in a worker, as without this.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.links import CONSOLE_KEY

if TYPE_CHECKING:
    from visionbatch import Hub, Snapshot

RETURN_KEY = "return_value"
MANIFEST_KEY = "manifest"
"""XCom key of the manifest, pushed before a bad end is raised."""


class Result(StrEnum):
    """What the task returns."""

    SNAPSHOT = "snapshot"
    """The last state, of a batch that something else has made: `DeepomaticBatchSensor`."""
    MANIFEST = "manifest"
    """What became of the batch that the task has sent: `DeepomaticRunBatchOperator`."""


def ending(result: Result, *, on_partial: str, push: bool) -> dict[str, Any]:
    """What a trigger has to know to end its task, as JSON.

    :param on_partial: policy, for a snapshot; with a manifest a partial end always goes on in a worker.
    :param push: whether the task pushes what it returns.
    """
    return {"result": result.value, "on_partial": on_partial, "push": push}


async def xcoms_of_a_success(
    end: Mapping[str, Any] | None, shared: Hub, ref: str, carry: Mapping[str, Any], snapshot: Snapshot
) -> dict[str, Any] | None:
    """What a task that has succeeded leaves behind; ``None`` when it has not, or has to go on in a worker.

    :param end: from `ending`; ``None`` and what a later version writes let every task go on in a worker.
    :raises ConfigError: for an ``on_partial`` that cannot be.
    """
    if end is None or not {"result", "on_partial", "push"} <= end.keys():
        return None
    if end["result"] == Result.SNAPSHOT:
        value = _accepted(snapshot, end["on_partial"])
        page = getattr(shared.site.api, "console_url", None)
        more = {CONSOLE_KEY: page(ref)} if page else {}
    elif end["result"] == Result.MANIFEST:
        value = await _manifest(shared, carry, snapshot)
        more = {MANIFEST_KEY: value}
    else:
        return None
    if value is None:
        return None
    return {**more, RETURN_KEY: value} if end["push"] else more


async def pushed(task_instance: Any, xcoms: Mapping[str, Any], log: Any) -> bool:
    """Push what the task leaves behind; ``False`` when Airflow does not take it, and a worker has to.

    Not through Airflow's own event: it would write the values into the database as texts of JSON, which no task could
    use as what they were, and past a custom XCom backend.
    """
    from airflow_visionbatch._compat import push_xcom

    try:
        for key, value in xcoms.items():
            await push_xcom(task_instance, key, value)
    except Exception as error:  # noqa: BLE001  # whatever it is, a worker can do the same in another way
        log.warning("the task goes on in a worker, for its XCom %s is not taken here: %r", key, error)
        return False
    return True


def _accepted(snapshot: Snapshot, on_partial: str) -> dict[str, Any] | None:
    from visionbatch import OnPartial, judge

    return snapshot.to_json() if judge(snapshot, OnPartial.parse(on_partial)).accepted else None


async def _manifest(shared: Hub, carry: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any] | None:
    from visionbatch import Submitted, manifest_if_all_well

    manifest = await shared.perform(manifest_if_all_well(shared.site.api, Submitted.from_json(carry), snapshot))
    return None if manifest is None else manifest.to_json()


def refuse_what_needs_a_worker(task: Any, *, waits_in_the_triggerer: bool, **arguments: Any) -> None:
    """Refuse, when the Dag is read, an ``end_from_trigger`` that would break what else was asked for.

    :param arguments: those of the operator that only a worker can see to, by name; an empty one was not asked for.
    :raises ValueError: with the reason.
    """
    if not waits_in_the_triggerer:
        raise ValueError(
            f"{task.task_id}: end_from_trigger needs a task that waits in the triggerer: set deferrable=True"
        )
    for name, why in _NEEDS_A_WORKER.items():
        if arguments.get(name) or getattr(task, name, None):
            raise ValueError(f"{task.task_id}: end_from_trigger does not go with {name}: {why}")


_NEEDS_A_WORKER = {
    "report_path": "error report and manifest are written by a worker",
    "outlets": "Airflow makes asset events for tasks that end in a worker only",
    "on_success_callback": "Airflow runs it in a worker only",
    "multiple_outputs": "what a task returns is split by a worker",
}
