"""`SnapshotTrigger`, on a real loop against the mock, and what it writes into Airflow's database."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import threading
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from support.airflow_runs import paper_context
from support.books import DELETE, GET
from support.orders import write_orders
from support.patience import until
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

EVENT_BYTES = 4096
PACE = {"first_s": 0.02, "longest_s": 0.05, "confirm_s": 0.02, "grace_s": 0.2}


@pytest.fixture
def trigger(connection):
    from airflow_visionbatch.triggers.snapshot import SnapshotTrigger  # noqa: PLC0415

    def make(ref: str, **arguments: Any) -> Any:
        return SnapshotTrigger(
            **{"service": "deepomatic", "conn_id": "deepomatic_default", "ref": ref, "pace": PACE, **arguments}
        )

    return make


async def events(trigger: Any, within_s: float = 20.0) -> list[dict[str, Any]]:
    """Everything the trigger says until it ends."""
    async with asyncio.timeout(within_s):
        return [event.payload async for event in trigger.run()]


def assert_primitive_and_small(value: Any) -> None:
    text = json.dumps(value, allow_nan=False)
    assert json.loads(text) == value
    assert len(text.encode()) < EVENT_BYTES


def assert_none_left_open() -> None:
    import aiohttp  # noqa: PLC0415

    gc.collect()
    sessions = [thing for thing in gc.get_objects() if type(thing) is aiohttp.ClientSession]
    assert all(session.closed for session in sessions)


async def test_one_event_and_then_the_end(trigger, batch):
    batch.force(BatchState.SUCCESS)
    (event,) = await events(trigger(batch.id, carry={"some": "thing"}))
    assert (event["ref"], event["carry"]) == (batch.id, {"some": "thing"})
    assert event["snapshot"]["phase"] == "succeeded"
    assert "failure" not in event
    assert_none_left_open()


async def test_nothing_happens_between_the_event_and_the_end(trigger, batch):
    """A trigger that lingers after its event is told of a kill."""
    batch.force(BatchState.SUCCESS)
    stream = trigger(batch.id).run()
    await anext(stream)
    ended = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ended.done()
    assert ended.result() is None


async def test_it_looks_until_the_batch_has_ended(trigger, tenant, batch, books):
    waiting = asyncio.create_task(events(trigger(batch.id)))
    await until(lambda: len(books.requests(GET)) >= 3)
    assert not waiting.done()
    batch.force(BatchState.PARTIAL_SUCCESS)
    (event,) = await waiting
    assert event["snapshot"]["phase"] == "partial"


async def test_an_outage_is_lived_through(trigger, tenant, batch, books):
    plan = tenant.faults.plan({"instructions": {GET: ["return-503", "html-200", "return-reset-connection", "pass"]}})
    batch.force(BatchState.SUCCESS)
    (event,) = await events(trigger(batch.id))
    assert plan.completed
    assert event["snapshot"]["phase"] == "succeeded"


@pytest.mark.parametrize("fault", [None, "return-503"], ids=["alive", "in an outage"])
async def test_the_deadline_is_an_event_that_names_the_last_state(trigger, tenant, batch, fault):
    if fault:
        tenant.faults.plan({"instructions": {GET: ["pass", *[fault] * 200]}})
    (event,) = await events(trigger(batch.id, deadline=time.time() + 0.3))
    assert event["failure"]["error"] == "DeadlinePassed"
    assert "last seen running" in event["failure"]["what"]
    assert batch.id in event["failure"]["what"]
    assert_primitive_and_small(event)


async def test_a_batch_that_stays_unknown_is_an_event(trigger, connection):
    (event,) = await events(trigger("7d0f5a52-3c11-4d8f-8f5c-2f6f5f0b9a11"))
    assert event["failure"]["error"] == "NotFound"


async def test_what_cannot_be_mended_is_an_event(trigger, connection, batch):
    connection(extra={"bachpath": "/x"})
    (event,) = await events(trigger(batch.id))
    assert event["failure"]["error"] == "ConfigError"
    assert_primitive_and_small(event)


async def test_a_cancelled_trigger_says_nothing_and_cancels_nothing(trigger, batch, books):
    waiting = asyncio.create_task(events(trigger(batch.id, cancel_on_kill=True)))
    await until(lambda: books.requests(GET))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not books.requests(DELETE)
    assert_none_left_open()


async def test_many_triggers_of_a_loop_share_one_session(trigger, tenant, batch, books, monkeypatch):
    import aiohttp  # noqa: PLC0415

    made = []
    begin = aiohttp.ClientSession.__init__

    def counted(self: Any, *arguments: Any, **options: Any) -> None:
        made.append(self)
        begin(self, *arguments, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", counted)
    waiting = [asyncio.create_task(events(trigger(batch.id))) for _ in range(20)]
    await until(lambda: len(books.requests(GET)) >= 20)
    batch.force(BatchState.SUCCESS)
    for (event,) in await asyncio.gather(*waiting):
        assert event["snapshot"]["phase"] == "succeeded"
    assert len(made) == 1
    assert made[0].closed


@pytest.mark.parametrize(
    ("state", "options", "deleted"),
    [
        ("failed", {"cancel_on_kill": True}, True),
        ("success", {"cancel_on_kill": True}, True),
        ("deferred", {"cancel_on_kill": True}, False),
        ("running", {"cancel_on_kill": True}, False),
        ("failed", {"cancel_on_kill": False}, False),
        (None, {"cancel_on_kill": True}, False),
        (None, {"cancel_on_kill": True, "cancel_on_unknown": True}, True),
    ],
)
async def test_a_kill_cancels_only_what_nobody_else_looks_after(
    trigger, batch, books, monkeypatch, state, options, deleted
):
    from airflow_visionbatch import ownership  # noqa: PLC0415

    def told(task_instance: Any) -> Any:
        return state

    monkeypatch.setattr(ownership, "_state", told)
    killed = trigger(batch.id, **options)
    killed.task_instance = SimpleNamespace(task_id="task")
    await killed.on_kill()
    assert bool(books.requests(DELETE)) is deleted


async def test_a_kill_that_is_repeated_while_it_is_answered_still_cancels(trigger, batch, books, monkeypatch):
    """Airflow 3.3 cancels again with every exchange between triggerer and runner until the trigger has ended."""
    from airflow_visionbatch import ownership  # noqa: PLC0415

    loop, asked, may_answer = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def told_late(task_instance: Any) -> str:
        loop.call_soon_threadsafe(asked.set)
        may_answer.wait(10)
        return "failed"

    monkeypatch.setattr(ownership, "_state", told_late)
    killed = trigger(batch.id, cancel_on_kill=True)
    killed.task_instance = SimpleNamespace(task_id="task")
    async with asyncio.timeout(20):
        answer = asyncio.create_task(killed.on_kill())
        await asked.wait()
        for _ in range(3):
            answer.cancel()
            await asyncio.sleep(0)
        may_answer.set()
        await answer
    assert len(books.requests(DELETE)) == 1


def deferred(connection, tenant, source: Any) -> Any:
    """The trigger that the operator defers to."""
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    task = DeepomaticRunBatchOperator(task_id="task", source=str(source), deferrable=True, poll_interval=0.02)
    with pytest.raises(TaskDeferred) as caught:
        task.execute(paper_context())
    return caught.value.trigger


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_it_survives_the_way_through_the_database(trigger):
    from airflow.models.trigger import Trigger  # noqa: PLC0415

    first = trigger("b", deadline=12.5, carry={"record": {"a": [1, None]}}, cancel_on_kill=True)
    path, arguments = first.serialize()
    again = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(arguments))
    second = type(first)(**again)
    assert second.serialize() == (path, arguments)
    assert path == "airflow_visionbatch.triggers.snapshot.SnapshotTrigger"


def test_a_row_of_a_newer_version_still_waits(trigger):
    newer = trigger("b", something_new={"x": 1})
    path, arguments = newer.serialize()
    assert arguments["something_new"] == {"x": 1}
    assert type(newer)(**arguments).serialize() == (path, arguments)


def test_every_argument_is_documented_and_kept(trigger):
    import inspect  # noqa: PLC0415
    import re  # noqa: PLC0415

    made = trigger("b")
    arguments = set(inspect.signature(type(made).__init__).parameters) - {"self", "later"}
    assert set(re.findall(r":param (\w+):", type(made).__doc__)) == arguments
    assert set(made.serialize()[1]) == arguments


@pytest.mark.fault("SE16")
def test_its_arguments_hold_ids_and_no_secret_or_address(connection, tenant, orders):
    _, arguments = deferred(connection, tenant, orders).serialize()
    assert_primitive_and_small(arguments)
    sessions = [session.id for batch in tenant.batches.all() for session in batch.sessions]
    assert sessions
    text = json.dumps(arguments)
    for secret in (tenant.token, *sessions):
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert form not in text
    assert not [part for part in strings(arguments) if "://" in part]


@pytest.mark.fault("SE17")
async def test_the_event_of_a_thousand_work_orders_is_small(connection, tenant, tmp_path):
    source = write_orders(tmp_path / "orders", work_orders=1000, photos=1, side=4)
    tenant.configure(profile="rich")
    tenant.clock.freeze()
    waits = deferred(connection, tenant, source)
    tenant.clock.run()
    assert_primitive_and_small(waits.serialize()[1])
    (event,) = await events(waits)
    assert event["snapshot"]["counts"]["total"] == 1000
    assert_primitive_and_small(event)


@pytest.mark.parametrize("status", ["return-404", "return-400", "return-403", "html-404"])
async def test_the_event_of_a_failure_is_small(trigger, tenant, batch, orders, connection, status):
    tenant.configure(lifecycle="time")
    waits = deferred(connection, tenant, orders)
    tenant.faults.plan({"instructions": {GET: [status] * 50}})
    waits.pace = PACE
    (event,) = await events(waits)
    assert event["failure"]["error"]
    assert_primitive_and_small(event)


async def test_a_service_that_talks_too_much_makes_no_large_event(trigger, tenant, batch):
    tenant.faults.plan({"instructions": {GET: [{"fault": "set-status", "value": "\u202eé" * 50_000}] * 200}})
    (event,) = await events(trigger(batch.id, deadline=time.time() + 0.3))
    assert event["failure"]["error"] == "DeadlinePassed"
    assert_primitive_and_small(event)


@pytest.mark.parametrize("value", [None, "text", {}, {"schema": 99}])
def test_an_event_of_somebody_else_is_refused(value):
    from airflow_visionbatch.triggers.snapshot import WaitEnded  # noqa: PLC0415
    from visionbatch import VisionBatchError  # noqa: PLC0415

    with pytest.raises(VisionBatchError, match="not one of ours"):
        WaitEnded.read(value)
