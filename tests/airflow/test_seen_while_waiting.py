"""What people see of a wait: before it, during it, and after it; and what Airflow's metrics and spans tell."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest

from support.airflow_runs import PaperTi, paper_context
from support.books import GET
from support.patience import until
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

PACE = {"first_s": 0.02, "longest_s": 0.05, "confirm_s": 0.02, "grace_s": 0.2}
EVENT_BYTES = 4096
PAGE = "https://studio.example.com/batches/{batch_id}"


class Lines:
    """A log that remembers what was written into it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, *values: Any) -> None:
        self.lines.append(message % values)

    debug = warning = error = info


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What operators and sensors write into their task's log."""
    from airflow_visionbatch._compat import BaseOperator  # noqa: PLC0415

    told = Lines()
    monkeypatch.setattr(BaseOperator, "log", told)
    return told


@pytest.fixture
def trigger(connection):
    from airflow_visionbatch.triggers.snapshot import SnapshotTrigger  # noqa: PLC0415

    def make(ref: str, **arguments: Any) -> Any:
        return SnapshotTrigger("deepomatic", "deepomatic_default", ref, pace=PACE, **arguments)

    return make


@pytest.fixture
def operator(connection, orders, records) -> Any:
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    def make(**arguments: Any) -> Any:
        return DeepomaticRunBatchOperator(
            **{
                "task_id": "task",
                "source": str(orders),
                "poll_interval": 0.05,
                "deferrable": True,
                **records.arguments,
                **arguments,
            }
        )

    return make


@pytest.fixture
def sensor(connection) -> Any:
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor  # noqa: PLC0415

    def make(batch_id: str, **arguments: Any) -> Any:
        return DeepomaticBatchSensor(
            **{"task_id": "task", "batch_id": batch_id, "deferrable": True, "timeout": 60.0, **arguments}
        )

    return make


def deferred(task: Any, context: dict[str, Any]) -> Any:
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    return caught.value


async def event_of(trigger: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        (event,) = [event.payload async for event in trigger.run()]
    return event


def read(event: Any) -> Any:
    from airflow_visionbatch.triggers.snapshot import WaitEnded  # noqa: PLC0415

    return WaitEnded.read(event)


def test_before_it_defers_the_operator_says_how_things_stand(operator, connection, tenant, lines):
    connection(extra={"console_url": PAGE})
    tenant.configure(profile="rich", lifecycle="manual")
    deferred(operator(timeout=3600), paper_context())
    (batch,) = tenant.batches.all()
    how, when = lines.lines[-2:]
    assert how.endswith(f'queued ("uploaded"), 0 of 0 done, 0 failed; https://studio.example.com/batches/{batch.id}')
    found = re.search(r"next look within about 0\.05 s; deadline (\S+ \S+) UTC, in (\d+) s$", when)
    assert found
    assert 3590 <= int(found[2]) <= 3600


def test_an_outage_before_it_defers_is_no_reason_not_to(operator, tenant, books, lines):
    tenant.configure(lifecycle="manual")
    tenant.faults.plan({"instructions": {GET: ["return-503"] * 50}})
    deferred(operator(timeout=None), paper_context())
    assert any("not looked at yet" in line for line in lines.lines)
    assert lines.lines[-1].endswith("no deadline")


def test_the_sensor_says_the_same_without_looking(sensor, batch, books, lines):
    deferred(sensor(batch.id, poke_interval=30.0), paper_context())
    how, when = lines.lines[-2:]
    assert "not looked at yet; https://" in how
    assert "next look within about 30 s; deadline" in when
    assert not books.requests(GET)


async def test_the_event_carries_the_changes_and_their_times(trigger, batch, books):
    began = int(time.time())
    waiting = asyncio.create_task(event_of(trigger(batch.id)))
    await until(lambda: books.requests(GET))
    batch.force(BatchState.SUCCESS)
    event = await waiting
    assert [change["state"] for change in event["history"]] == ['running ("processing")', 'succeeded ("success")']
    assert all(began <= change["at"] <= time.time() for change in event["history"])
    assert event["forgotten"] == 0
    assert read(event).history == [(change["at"], change["state"]) for change in event["history"]]


async def test_a_failed_wait_carries_them_too(trigger, batch):
    event = await event_of(trigger(batch.id, deadline=time.time() + 0.3))
    assert "failure" in event
    assert [state for _, state in read(event).history] == ['running ("processing")']


@pytest.mark.parametrize("letter", ["x", "é", "\u202e", '"'])
def test_however_much_changes_the_event_stays_small(letter):
    from airflow_visionbatch.waiting import CHANGES, History  # noqa: PLC0415
    from visionbatch import Phase, Snapshot  # noqa: PLC0415

    history = History()
    for number in range(100):
        history(Snapshot(Phase.UNKNOWN, f"{number} " + letter * 500))
    event = history.added_to({"schema": 1, "carry": {"record": "r" * 1500}, "snapshot": {}})
    assert len(json.dumps(event).encode()) < EVENT_BYTES
    assert 0 < len(event["history"]) <= CHANGES
    assert len(event["history"]) + event["forgotten"] == 100
    assert event["history"][-1]["state"].startswith('unknown ("99')
    assert json.loads(json.dumps(event)) == event


@pytest.mark.parametrize("history", [None, "text", [1, {}, {"at": "x", "state": "y"}]])
def test_an_event_of_another_version_has_no_history(history):
    event = {"schema": 1, "history": history, "carry": {}}
    assert read(event).history == []
    assert read({"schema": 1, "carry": {}}).history == []


async def test_the_sensor_replays_them(sensor, trigger, batch, lines):
    batch.force(BatchState.SUCCESS)
    event = await event_of(trigger(batch.id))
    event["history"].insert(0, {"at": 1_700_000_000, "state": 'queued ("uploaded")'})
    event["forgotten"] = 3
    await asyncio.to_thread(sensor(batch.id).execute_complete, paper_context(), event)
    assert lines.lines[:2] == [
        f"deepomatic batch {batch.id}: 3 earlier changes are not kept",
        f'deepomatic batch {batch.id}: seen by the triggerer at 2023-11-14 22:13:20 UTC: queued ("uploaded")',
    ]
    assert lines.lines[2].endswith('succeeded ("success")')


async def test_the_operator_replays_them(operator, tenant, lines):
    context = paper_context()
    task = operator()
    waits = (await asyncio.to_thread(deferred, task, context)).trigger
    waits.pace = PACE
    event = await event_of(waits)
    told = len(lines.lines)
    await asyncio.to_thread(operator().execute_complete, context, event)
    assert any("seen by the triggerer at" in line and "succeeded" in line for line in lines.lines[told:])


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415

    counted: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(Stats, "incr", lambda name, tags: counted.append((name, tags)))
    return counted


def names(metrics: list[tuple[str, dict[str, str]]]) -> list[str]:
    return [name.removeprefix("resumable_job.") for name, _ in metrics]


def test_a_first_try_counts_as_a_fresh_submit(operator, metrics):
    operator(deferrable=False).execute(paper_context())
    tags = {"operator": "DeepomaticRunBatchOperator", "service": "deepomatic"}
    assert metrics == [("resumable_job.fresh_submit", tags)]


@pytest.mark.parametrize(
    ("became", "expected"),
    [
        ("processing", ["reconnect_attempt", "reconnect_success"]),
        ("success", ["reconnect_attempt", "already_succeeded"]),
        ("error", ["reconnect_attempt", "terminal_resubmit"]),
    ],
)
def test_a_later_try_counts_by_what_it_finds(operator, tenant, metrics, became, expected):
    context = paper_context()
    tenant.configure(lifecycle="manual")
    deferred(operator(), context)
    (batch,) = tenant.batches.all()
    batch.force(BatchState(became))
    metrics.clear()
    again = {**context, "ti": PaperTi(try_number=2, max_tries=2, run_id=context["ti"].run_id)}
    if became == "success":
        operator().execute(again)
    else:
        deferred(operator(), again)
    assert names(metrics) == expected


def test_a_record_that_names_no_batch_is_an_attempt_only(operator, tenant, metrics, records):
    tenant.configure(profile="strict")
    context = paper_context()
    operator(deferrable=False).execute(context)
    records.write(context, {**records.read(context), "stage": "intent", "ref": ""})
    metrics.clear()
    again = PaperTi(try_number=2, max_tries=2, run_id=context["ti"].run_id)
    operator(deferrable=False).execute({**context, "ti": again})
    assert names(metrics) == ["reconnect_attempt"]


def test_every_action_has_its_metrics():
    from airflow_visionbatch.telemetry import METRICS  # noqa: PLC0415
    from visionbatch import Action  # noqa: PLC0415

    assert set(METRICS) == set(Action)


def test_a_team_is_a_tag(operator, metrics):
    ti = PaperTi()
    ti.stats_tags = {"team_name": "field"}
    operator(deferrable=False).execute(paper_context(ti))
    assert metrics[0][1]["team_name"] == "field"


def test_without_metrics_or_spans_everything_goes_on(operator, monkeypatch):
    import sys  # noqa: PLC0415

    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415

    def broken(name: str, tags: Any) -> None:
        raise OSError("no statsd")

    monkeypatch.setattr(Stats, "incr", broken)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert operator(deferrable=False).execute(paper_context())["outcome"] == "done"


def test_the_span_of_the_task_knows_the_batch_and_no_secret(operator, tenant):
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("task") as span:
        operator(deferrable=False).execute(paper_context())
    (batch,) = tenant.batches.all()
    assert dict(span.attributes) == {
        "visionbatch.service": "deepomatic",
        "visionbatch.action": "begin",
        "visionbatch.generation": 1,
        "visionbatch.batch_id": batch.id,
    }
    assert tenant.token not in str(span.to_json())
