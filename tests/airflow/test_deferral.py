"""What the triggers of tasks have in common: they say nothing before the scheduler has heard of the worker's end."""

from __future__ import annotations

import asyncio
import inspect
import pkgutil
import time
from importlib import import_module
from typing import Any

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

FLOOR_S = 0.4
PAST, FUTURE = -3600.0, 3600.0
IN_VAIN: dict[str, dict[str, Any]] = {
    "SnapshotTrigger": {"service": "deepomatic", "conn_id": "deepomatic_default", "ref": "b"},
    "BatchListTrigger": {"service": "deepomatic", "conn_id": "deepomatic_default", "refs": ["b"]},
    "DeepomaticExportTrigger": {"conn_id": None, "storage_uri": "s3://no-place-of-an-export"},
}
"""Arguments with which each trigger has its answer at once, for its connection or its place cannot be."""


@pytest.fixture
def kinds() -> dict[str, Any]:
    """The triggers that end the wait of a task, by name."""
    from airflow.triggers.base import BaseEventTrigger, BaseTrigger  # noqa: PLC0415

    import airflow_visionbatch.triggers as package  # noqa: PLC0415

    modules = [import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    classes = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    ours = [kind for kind in classes if issubclass(kind, BaseTrigger) and kind.__module__.startswith(package.__name__)]
    return {kind.__name__: kind for kind in ours if not issubclass(kind, BaseEventTrigger)}


@pytest.fixture(autouse=True)
def floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_visionbatch.deferral.SETTLED_S", FLOOR_S)


@pytest.fixture
def broken(connection: Any) -> None:
    connection(extra={"bachpath": "/x"})


async def event_of(trigger: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        (event,) = [event.payload async for event in trigger.run()]
    return event


def test_these_are_all_of_them(kinds):
    assert set(kinds) == set(IN_VAIN)


@pytest.mark.parametrize("ahead_s", [PAST, FUTURE], ids=["its clock is ahead", "its clock is behind"])
@pytest.mark.parametrize("name", IN_VAIN)
async def test_a_trigger_says_nothing_before_the_scheduler_has_heard_of_the_workers_end(kinds, broken, name, ahead_s):
    """Whatever the time of day is where the worker ran."""
    # The first one of a process takes longer than the floor, for what it imports.
    await event_of(kinds[name](**IN_VAIN[name]))
    trigger = kinds[name](**IN_VAIN[name], not_before=time.time() + ahead_s)
    began = time.monotonic()
    event = await event_of(trigger)
    assert time.monotonic() - began >= FLOOR_S
    assert event["failure"]


@pytest.mark.parametrize("name", IN_VAIN)
async def test_a_trigger_that_no_worker_ran_before_need_not_wait(kinds, broken, name, monkeypatch):
    monkeypatch.setattr("airflow_visionbatch.deferral.SETTLED_S", 3600.0)
    assert (await event_of(kinds[name](**IN_VAIN[name])))["failure"]


@pytest.mark.parametrize("sensor", ["deepomatic", "deepomatic_batches", "deepomatic_export"])
def test_whoever_defers_tells_the_trigger_that_a_worker_ran(connection, sensor):
    from airflow.sdk.exceptions import TaskDeferred  # noqa: PLC0415

    from support.airflow_runs import paper_context  # noqa: PLC0415

    module = import_module(f"airflow_visionbatch.sensors.{sensor}")
    kind, arguments = {
        "deepomatic": ("DeepomaticBatchSensor", {"batch_id": "b"}),
        "deepomatic_batches": ("DeepomaticBatchesSensor", {"batch_ids": ["b"]}),
        "deepomatic_export": ("DeepomaticExportSensor", {"storage_uri": "gs://exports"}),
    }[sensor]
    task = getattr(module, kind)(task_id="task", deferrable=True, timeout=60.0, **arguments)
    with pytest.raises(TaskDeferred) as caught:
        task.execute(paper_context())
    assert caught.value.trigger.serialize()[1]["not_before"] is not None
