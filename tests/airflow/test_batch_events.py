"""`DeepomaticBatchEventTrigger`: events for asset watchers, over Airflow's own shared streams, against the mock."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.features import Feature, lacks, needs
from support.moved import dag_bag, watcher_trigger_codec
from support.patience import until
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

LIST = "deepomatic.batches.list"
QUICK = 0.05
EVENT_BYTES = 2048
DAG = Path(__file__).parents[2] / "dags" / "deepomatic_on_batch_end.py"


@pytest.fixture
def make(connection, tenant):
    from airflow_visionbatch.triggers.batch_events import DeepomaticBatchEventTrigger  # noqa: PLC0415

    tenant.configure(profile="rich", lifecycle="manual")

    def make(**arguments: Any) -> Any:
        return DeepomaticBatchEventTrigger(**{"poll_interval": QUICK, **arguments})

    return make


class Store:
    """What Airflow 3.3 gives a trigger for the state of one asset, as a dictionary of JSON texts."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.broken = False

    async def aget(self, key: str, default: Any = None) -> Any:
        self._check()
        return json.loads(self.texts[key]) if key in self.texts else default

    async def aset(self, key: str, value: Any) -> None:
        self._check()
        self.texts[key] = json.dumps(value)

    def _check(self) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType  # noqa: PLC0415
        from airflow.sdk.execution_time.comms import ErrorResponse  # noqa: PLC0415

        if self.broken:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))


class Watch:
    """A trigger at work, as the triggerer runs it: on the shared stream, or alone."""

    def __init__(self, trigger: Any, stream: AsyncIterator[Any] | None = None) -> None:
        self.payloads: list[dict[str, Any]] = []
        self._events = trigger.run() if stream is None else trigger.filter_shared_stream(stream)
        self._task = asyncio.create_task(self._go())

    async def _go(self) -> None:
        async with aclosing(self._events) as events:
            async for event in events:
                self.payloads.append(event.payload)

    @property
    def ids(self) -> list[str]:
        return [payload["batch_id"] for payload in self.payloads]

    async def until(self, number: int) -> None:
        await until(lambda: len(self.payloads) >= number or self._task.done())
        if len(self.payloads) < number:
            # It has ended too early: what it raises says why.
            await self._task
            pytest.fail(f"it ended after {len(self.payloads)} of {number} events")

    async def failed(self) -> None:
        async with asyncio.timeout(10):
            await self._task

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def watching():
    """Start triggers; they are all stopped at the end."""
    watches: list[Watch] = []

    def start(trigger: Any, stream: AsyncIterator[Any] | None = None) -> Watch:
        watches.append(Watch(trigger, stream))
        return watches[-1]

    yield start
    for watch in watches:
        await watch.stop()


@pytest.fixture
async def looks(books):
    """Wait until the list has been looked at so many times more."""

    async def wait(number: int) -> None:
        target = len(books.requests(LIST)) + number
        await until(lambda: len(books.requests(LIST)) >= target)

    return wait


def running(tenant: Any, label: str = "a batch") -> Any:
    batch = tenant.batches.create(label)
    batch.force(BatchState.PROCESSING)
    return batch


async def test_a_batch_that_ends_is_an_event_and_one_that_had_ended_is_none(make, tenant, watching, looks):
    running(tenant).force(BatchState.SUCCESS)
    batch = running(tenant, "yesterday")
    watch = watching(make())
    await looks(3)
    assert watch.payloads == []
    batch.force(BatchState.PARTIAL_SUCCESS)
    await watch.until(1)
    await looks(5)
    assert watch.payloads == [
        {
            "schema": 1,
            "service": "deepomatic",
            "batch_id": batch.id,
            "label": "yesterday",
            "outcome": "partial",
            "phase": "partial",
            "native": "partial_success",
            "counts": {"total": 0, "succeeded": 0, "failed": 0},
        }
    ]


async def test_the_payload_is_small_json_whatever_the_site_says(make, tenant, watching):
    running(tenant, "\u202eé" * 5000).force(BatchState.ERROR)
    watch = watching(make(catch_up=True))
    await watch.until(1)
    text = json.dumps(watch.payloads[0], allow_nan=False)
    assert json.loads(text) == watch.payloads[0]
    assert len(text.encode()) < EVENT_BYTES


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, ["done", "partial", "failed"]),
        ({"outcomes": ["failed", "partial"]}, ["partial", "failed"]),
        ({"label_prefix": "north"}, ["done", "failed"]),
        ({"label_prefix": "north", "outcomes": ["done"]}, ["done"]),
    ],
)
async def test_label_and_outcome_decide(make, tenant, watching, looks, wishes, expected):
    ends = (("north-1", "SUCCESS"), ("south-1", "PARTIAL_SUCCESS"), ("north-2", "ERROR"))
    for label, state in ends:
        running(tenant, label).force(BatchState[state])
    watch = watching(make(catch_up=True, **wishes))
    await looks(4)
    assert [payload["outcome"] for payload in watch.payloads] == expected


async def test_a_site_without_a_list_says_so(make, tenant, watching):
    from visionbatch import VisionBatchError  # noqa: PLC0415

    tenant.configure(profile="strict")
    with pytest.raises(VisionBatchError, match="the site does not list batches"):
        await watching(make()).failed()


@pytest.mark.parametrize("fault", ["return-404", "return-405"])
async def test_so_does_one_that_stops_listing(make, tenant, watching, looks, fault):
    from visionbatch import VisionBatchError  # noqa: PLC0415

    watch = watching(make())
    await looks(2)
    tenant.faults.plan({"instructions": {LIST: [fault] * 3}})
    with pytest.raises(VisionBatchError, match="the site does not list batches"):
        await watch.failed()


async def test_an_outage_is_lived_through(make, tenant, watching, looks):
    batch = running(tenant)
    watch = watching(make())
    await looks(1)
    plan = tenant.faults.plan({"instructions": {LIST: ["return-503", "html-502", "return-reset-connection"] * 2}})
    batch.force(BatchState.SUCCESS)
    await watch.until(1)
    assert plan.completed


async def test_a_wrong_key_is_an_error(make, tenant, watching):
    from visionbatch.errors import NotAuthorized  # noqa: PLC0415

    tenant.revoke()
    with pytest.raises(NotAuthorized) as caught:
        await watching(make()).failed()
    assert tenant.token not in str(caught.value)


@needs(Feature.SHARED_STREAMS)
async def test_all_watchers_of_a_connection_share_one_look(make, tenant, watching, looks):
    """Through Airflow's own manager of shared streams, which is what the triggerer uses."""
    from airflow.triggers.shared_stream import SharedStreamManager  # noqa: PLC0415

    manager = SharedStreamManager()
    batches = [running(tenant, label) for label in ("north", "south")]
    watches = []
    for number in range(20):
        trigger = make(label_prefix="north" if number % 2 else "south")
        stream = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        watches.append(watching(trigger, stream))
    await looks(3)
    for batch in batches:
        batch.force(BatchState.SUCCESS)
    for number, watch in enumerate(watches):
        await watch.until(1)
        assert watch.ids == [batches[0 if number % 2 else 1].id]
    began = time.monotonic()
    await looks(5)
    # Twenty with looks of their own would make five of them in the time of one.
    assert time.monotonic() - began >= 4 * 0.8 * QUICK
    await manager.stop_all()


async def test_the_session_is_closed_behind_the_last(make, tenant, watching, looks):
    import gc  # noqa: PLC0415

    import aiohttp  # noqa: PLC0415

    watch = watching(make())
    await looks(2)
    await watch.stop()
    gc.collect()
    assert all(it.closed for it in gc.get_objects() if type(it) is aiohttp.ClientSession)


def test_who_agrees_in_connection_and_interval_shares(make):
    keys = [make(**wishes).shared_stream_key() for wishes in ({}, {"label_prefix": "x"}, {"outcomes": ["done"]})]
    assert len(set(keys)) == 1
    assert make(poll_interval=9).shared_stream_key() == make(poll_interval=9.0).shared_stream_key()
    assert make(poll_interval=9).shared_stream_key() not in keys
    assert make(conn_id="other").shared_stream_key() not in keys


async def test_a_restart_neither_repeats_nor_loses(make, tenant, watching, looks):
    store = Store()
    before, during, after = (running(tenant, label) for label in ("before", "during", "after"))

    def started() -> Watch:
        trigger = make()
        trigger.asset_state_store = store
        return watching(trigger)

    first = started()
    await looks(2)
    before.force(BatchState.SUCCESS)
    await first.until(1)
    await looks(3)
    await first.stop()
    during.force(BatchState.ERROR)
    second = started()
    await second.until(1)
    after.force(BatchState.SUCCESS)
    await second.until(2)
    await looks(3)
    assert (first.ids, second.ids) == ([before.id], [during.id, after.id])
    (text,) = store.texts.values()
    assert len(text) < 200


async def test_the_place_to_begin_survives_a_restart_before_the_first_event(make, tenant, watching, looks):
    store, batch = Store(), running(tenant)
    trigger = make()
    trigger.asset_state_store = store
    first = watching(trigger)
    await looks(2)
    await first.stop()
    assert store.texts
    batch.force(BatchState.SUCCESS)
    again = make()
    again.asset_state_store = store
    second = watching(again)
    await second.until(1)
    assert second.ids == [batch.id]


async def test_the_cursor_is_kept_after_airflow_could_write_the_event_down(make, tenant):
    """A triggerer that dies right after an event tells it again rather than never."""
    from airflow_visionbatch.triggers.ended_events import SETTLE_S, _pace  # noqa: PLC0415

    store, batch = Store(), running(tenant)
    trigger = make(catch_up=True)
    trigger.asset_state_store = store
    batch.force(BatchState.SUCCESS)
    stream = trigger.open_shared_stream(trigger.serialize()[1])
    async with aclosing(stream), aclosing(trigger.filter_shared_stream(stream)) as events, asyncio.timeout(10):
        await anext(events)
        assert not store.texts
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: store.texts)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    pace = _pace(60.0)
    assert pace.confirm_s == pace.first_s == SETTLE_S
    assert pace.pause(1).at_least > 2


async def test_a_store_that_does_not_answer_delays_and_loses_nothing(make, tenant, watching, looks):
    store, batch = Store(), running(tenant)
    trigger = make()
    trigger.asset_state_store = store
    first = watching(trigger)
    await looks(2)
    await first.stop()
    batch.force(BatchState.SUCCESS)
    store.broken = True
    again = make()
    again.asset_state_store = store
    second = watching(again)
    await looks(3)
    assert second.payloads == []
    store.broken = False
    await second.until(1)
    store.broken = True
    await looks(3)
    store.broken = False
    await looks(3)
    assert second.ids == [batch.id]


@needs(Feature.ASSET_STATE)
async def test_two_assets_may_share_a_trigger(make, tenant, watching, looks):
    from airflow.sdk import Asset  # noqa: PLC0415
    from airflow.sdk.execution_time import context  # noqa: PLC0415

    stores = {"one": Store(), "two": Store()}
    accessors = context.AssetStateStoreAccessors(
        inlets=[Asset(name=name, uri=f"deepomatic://s/{name}") for name in stores]
    )
    accessors._by_name = stores
    trigger = make()
    trigger.asset_state_store = accessors
    watch = watching(trigger)
    await looks(3)
    assert all(store.texts for store in stores.values())
    await watch.stop()


async def test_triggers_of_one_asset_with_other_wishes_have_cursors_of_their_own(make, tenant, watching, looks):
    store = Store()
    for wishes in ({}, {"label_prefix": "x"}, {"outcomes": ["done"]}, {"poll_interval": 0.06}):
        trigger = make(**wishes)
        trigger.asset_state_store = store
        watching(trigger)
    await looks(8)
    assert len(store.texts) == 3


async def test_a_cursor_of_somebody_else_is_refused(make, tenant, watching):
    from visionbatch.errors import UnreadableRecord  # noqa: PLC0415

    trigger = make()
    trigger.asset_state_store = store = Store()
    await store.aset(trigger._cursor_key(), {"schema": 99})
    with pytest.raises(UnreadableRecord, match="cursor"):
        await watching(trigger).failed()


@lacks(Feature.SHARED_STREAMS)
async def test_where_airflow_shares_no_looks_each_watcher_has_its_own(make, tenant, watching, looks, books):
    batch = running(tenant)
    watches = [watching(make()) for _ in range(3)]
    await looks(6)
    batch.force(BatchState.SUCCESS)
    for watch in watches:
        await watch.until(1)
        assert watch.ids == [batch.id]


async def test_where_airflow_gives_no_store_the_cursor_lives_as_long_as_the_trigger(make, tenant, watching):
    batch = running(tenant)
    batch.force(BatchState.SUCCESS)
    trigger = make(catch_up=True)
    vars(trigger).pop("asset_state_store", None)
    watch = watching(trigger)
    await watch.until(1)
    assert watch.ids == [batch.id]


def test_arguments_survive_the_way_through_the_database(make):
    encode_trigger, smart_decode_trigger_kwargs = watcher_trigger_codec()
    trigger = make(label_prefix="north", outcomes=("failed", "done"), poll_interval=30, catch_up=True)
    path, arguments = trigger.serialize()
    assert path == "airflow_visionbatch.triggers.batch_events.DeepomaticBatchEventTrigger"
    stored = json.loads(json.dumps(encode_trigger(trigger)))
    decoded = {key: smart_decode_trigger_kwargs(value) for key, value in stored["kwargs"].items()}
    again = type(trigger)(**decoded)
    assert again.serialize() == (path, arguments)
    assert type(trigger).hash(path, arguments) == type(trigger).hash(*again.serialize())


def test_an_argument_of_a_newer_version_is_kept(make):
    assert make(colour="blue").serialize()[1]["colour"] == "blue"


@pytest.mark.parametrize("wrong", [{"outcomes": ["wait"]}, {"outcomes": []}, {"outcomes": ["x"]}, {"poll_interval": 0}])
def test_wishes_that_cannot_be_are_refused_when_the_dag_is_read(make, wrong):
    with pytest.raises(ValueError, match=r"outcomes|poll_interval"):
        make(**wrong)


def test_the_shipped_dag_watches_and_tells(make):
    bag = dag_bag()(dag_folder=DAG)
    assert not bag.import_errors
    dag = bag.dags["deepomatic_on_batch_end"]
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert type(watcher.trigger) is type(make())
    payload = {"batch_id": "b1", "label": "north", "outcome": "partial",
               "counts": {"total": 6, "succeeded": 5, "failed": 1}}  # fmt: skip

    event = SimpleNamespace(extra={"from_trigger": True, "payload": payload})
    (task,) = dag.tasks

    class OfThisRun:
        def __getitem__(self, key: Any) -> list[Any]:
            return [event] if key == asset else []

    told = task.python_callable(triggering_asset_events=OfThisRun())
    assert told == ["Batch b1 (north): partial; 5 of 6 work orders analysed, 1 failed"]
