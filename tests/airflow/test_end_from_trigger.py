"""Tasks that end in the triggerer: which do, what they leave behind, and which go on in a worker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from support.airflow_runs import paper_context
from support.books import GET
from support.patience import until
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

PACE = {"first_s": 0.02, "longest_s": 0.05, "confirm_s": 0.02, "grace_s": 0.2}
PAGE = "https://studio.example.com/batches/{batch_id}"


@pytest.fixture
def operator(connection, orders, records) -> Any:
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    connection(extra={"console_url": PAGE})

    def make(**arguments: Any) -> Any:
        given = {"task_id": "task", "source": str(orders), "deferrable": True, "end_from_trigger": True}
        return DeepomaticRunBatchOperator(**{**given, "poll_interval": 0.05, **records.arguments, **arguments})

    return make


@pytest.fixture
def sensor(connection) -> Any:
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor  # noqa: PLC0415

    connection(extra={"console_url": PAGE})

    def make(**arguments: Any) -> Any:
        given = {"task_id": "task", "batch_id": "b", "deferrable": True, "end_from_trigger": True, "timeout": 60.0}
        return DeepomaticBatchSensor(**{**given, **arguments})

    return make


class Pushed(dict[str, Any]):
    """What triggers push, instead of a supervisor that hands it to Airflow."""

    broken = False


@pytest.fixture(autouse=True)
def pushed(monkeypatch) -> Pushed:
    from airflow_visionbatch import _compat  # noqa: PLC0415

    taken = Pushed()

    async def push(task_instance: Any, key: str, value: Any) -> None:
        if taken.broken:
            raise RuntimeError("the API server is away")
        taken[key] = json.loads(json.dumps(value))

    monkeypatch.setattr(_compat, "push_xcom", push)
    return taken


def deferred(task: Any, context: dict[str, Any]) -> Any:
    """The trigger that a task waits with."""
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    caught.value.trigger.pace = PACE
    return caught.value.trigger


async def sent(task: Any, tenant: Any, context: dict[str, Any] | None = None) -> Any:
    """The trigger of a task that has sent its batch, which the service goes on with from now on."""
    tenant.clock.freeze()
    waits = await asyncio.to_thread(deferred, task, context or paper_context())
    tenant.clock.run()
    return waits


async def event_of(trigger: Any) -> Any:
    async with asyncio.timeout(20):
        (event,) = [event async for event in trigger.run()]
    return event


def as_airflow_takes_it(event: Any) -> Any:
    """The event on the other side of the wire between the triggerer's two processes."""
    from airflow.triggers.base import DiscrimatedTriggerEvent  # noqa: PLC0415
    from pydantic import TypeAdapter  # noqa: PLC0415

    adapter = TypeAdapter(DiscrimatedTriggerEvent)
    return adapter.validate_json(adapter.dump_json(event))


def ends(event: Any) -> bool:
    """Whether the task ends with this event; otherwise a worker goes on."""
    return type(as_airflow_takes_it(event)).__name__ == "TaskSuccessEvent"


async def test_a_batch_without_a_failure_ends_its_task_with_the_manifest_that_a_worker_would_give(
    operator, tenant, books, archive, pushed
):
    tenant.configure(profile="rich")
    context = paper_context()
    waits = await sent(operator(), tenant, context)
    event = await event_of(waits)
    assert ends(event)
    manifest = pushed["return_value"]
    assert manifest["outcome"] == "done"
    assert manifest["batch_id"] == books.processed_once(archive)
    assert pushed == {"manifest": manifest, "return_value": manifest}
    assert len(json.dumps(manifest)) < 4096
    assert await asyncio.to_thread(operator().execute_complete, context, event.payload) == manifest


@pytest.mark.parametrize(
    "told",
    [
        {"analysis_failures": {"WO_2": "blurred"}},
        {"analysis_failures": {"WO_2": "blurred"}, "profile": "rich", "error_report": "json"},
        {"analysis_failures": {"WO_1": "blurred", "WO_2": "blurred"}},
    ],
    ids=["partial", "partial-with-report", "failed"],
)
async def test_any_failure_goes_on_in_a_worker(operator, tenant, told):
    tenant.configure(**told)
    waits = await sent(operator(on_partial="accept"), tenant)
    event = await event_of(waits)
    assert not ends(event)
    assert event.payload["snapshot"]["phase"] in ("partial", "failed")


async def test_a_success_whose_report_lists_errors_goes_on_in_a_worker(operator, tenant, books):
    tenant.configure(error_report="json", analysis_failures={"WO_2": "blurred"})
    waits = await sent(operator(), tenant)
    await until(lambda: books.effects("batch.processed"))
    tenant.faults.plan({"instructions": {GET: [{"fault": "set-status", "value": "success"}] * 40}})
    event = await event_of(waits)
    assert event.payload["snapshot"]["phase"] == "succeeded"
    assert not ends(event)


async def test_a_report_that_cannot_be_had_now_is_left_to_a_worker(operator, tenant):
    tenant.configure(error_report="json")
    plan = tenant.faults.plan({"instructions": {"deepomatic.batches.errors": ["return-403"]}})
    waits = await sent(operator(), tenant)
    assert not ends(await event_of(waits))
    assert plan.completed


@pytest.mark.usefixtures("hand_clock")
async def test_our_deadline_goes_on_in_a_worker(operator, tenant):
    tenant.configure(lifecycle="manual")
    waits = await sent(operator(timeout=1.0), tenant)
    event = await event_of(waits)
    assert not ends(event)
    assert event.payload["failure"]["error"] == "DeadlinePassed"


@pytest.mark.parametrize(
    ("state", "on_partial", "shall"),
    [
        ("SUCCESS", "warn", True),
        ("PARTIAL_SUCCESS", "warn", True),
        ("PARTIAL_SUCCESS", "fail", False),
        ("ERROR", "warn", False),
    ],
)
async def test_the_sensor_ends_where_its_policy_accepts_the_end(sensor, batch, pushed, state, on_partial, shall):
    batch.force(BatchState[state])
    task = sensor(batch_id=batch.id, on_partial=on_partial)
    event = await event_of(await asyncio.to_thread(deferred, task, paper_context()))
    assert ends(event) is shall
    page = f"https://studio.example.com/batches/{batch.id}"
    assert pushed == ({"return_value": event.payload["snapshot"], "console_url": page} if shall else {})


async def test_it_ends_too_when_it_began_in_the_triggerer(sensor, batch, pushed):
    from airflow_visionbatch.triggers.snapshot import SnapshotTrigger  # noqa: PLC0415

    batch.force(BatchState.SUCCESS)
    start = sensor(batch_id=batch.id, deferrable=False, start_from_trigger=True, poke_interval=0.05).start_trigger_args
    assert ends(await event_of(SnapshotTrigger(**start.trigger_kwargs)))
    assert pushed["return_value"]["phase"] == "succeeded"


async def test_a_task_that_pushes_nothing_returns_nothing(sensor, batch, pushed):
    batch.force(BatchState.SUCCESS)
    task = sensor(batch_id=batch.id, do_xcom_push=False)
    event = await event_of(await asyncio.to_thread(deferred, task, paper_context()))
    assert ends(event)
    assert set(pushed) == {"console_url"}


async def test_what_airflow_does_not_take_from_a_trigger_goes_on_in_a_worker(sensor, batch, pushed):
    pushed.broken = True
    batch.force(BatchState.SUCCESS)
    event = await event_of(await asyncio.to_thread(deferred, sensor(batch_id=batch.id), paper_context()))
    assert not ends(event)
    assert event.payload["snapshot"]["phase"] == "succeeded"


async def test_without_the_option_every_task_goes_on_in_a_worker(sensor, operator, batch):
    batch.force(BatchState.SUCCESS)
    task = sensor(batch_id=batch.id, end_from_trigger=False)
    assert not ends(await event_of(await asyncio.to_thread(deferred, task, paper_context())))


async def test_a_wish_of_a_later_version_goes_on_in_a_worker(sensor, batch):
    batch.force(BatchState.SUCCESS)
    waits = await asyncio.to_thread(deferred, sensor(batch_id=batch.id), paper_context())
    waits.end = {"result": "something newer"}
    assert not ends(await event_of(waits))


def test_dag_test_resumes_the_task_as_it_always_does(airflow, connection, operator, orders, records):
    run = airflow.run(
        type(operator()),
        source=str(orders),
        deferrable=True,
        end_from_trigger=True,
        poll_interval=0.05,
        **records.arguments,
    )
    assert (run.state, run.result["outcome"]) == ("success", "done")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"deferrable": False}, "deferrable=True"),
        ({"wait": False}, "deferrable=True"),
        ({"report_path": "/reports"}, "report_path"),
        ({"outlets": ["asset"]}, "outlets"),
        ({"multiple_outputs": True}, "multiple_outputs"),
        ({"on_success_callback": print}, "on_success_callback"),
    ],
)
def test_the_operator_refuses_what_needs_a_worker(operator, arguments, reason):
    if "outlets" in arguments:
        from airflow.sdk import Asset  # noqa: PLC0415

        arguments = {"outlets": [Asset("file:///x")]}
    with pytest.raises(ValueError, match=f"task: end_from_trigger .*{reason}"):
        operator(**arguments)


@pytest.mark.parametrize(
    ("arguments", "reason"), [({"deferrable": False}, "deferrable=True"), ({"outlets": ["asset"]}, "outlets")]
)
def test_the_sensor_refuses_what_needs_a_worker(sensor, arguments, reason):
    if "outlets" in arguments:
        from airflow.sdk import Asset  # noqa: PLC0415

        arguments = {"outlets": [Asset("file:///x")]}
    with pytest.raises(ValueError, match=f"task: end_from_trigger .*{reason}"):
        sensor(**arguments)


@pytest.mark.parametrize(
    "end",
    [{"result": "snapshot"}, {"result": "manifest", "on_partial": "warn"}, {"result": "of a later version"}],
    ids=str,
)
async def test_what_a_later_version_wrote_goes_on_in_a_worker(sensor, batch, pushed, end):
    from airflow_visionbatch.triggers.snapshot import SnapshotTrigger  # noqa: PLC0415

    batch.force(BatchState.SUCCESS)
    sensor()
    event = await event_of(SnapshotTrigger("deepomatic", "deepomatic_default", batch.id, pace=PACE, end=end))
    assert not ends(event)
    assert event.payload["snapshot"]["phase"] == "succeeded"
    assert pushed == {}
