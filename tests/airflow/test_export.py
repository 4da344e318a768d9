"""Waiting for an export and fetching it from a Dag: sensor, triggers, operator, against the mock's bucket."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack, aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import visionbatch
from support.buckets import Bucket, line
from support.meanwhile import meanwhile
from support.patience import until
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

URI = "gs://exports/prod"
LIST = "storage.objects.list"
WAYS = {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}


@pytest.fixture
def google(mock, monkeypatch, request) -> Tenant:
    """Airflow's Google connection, anonymous, and a customer without a history behind it."""
    tenant = mock.world.tenant("anonymous")
    tenant.reset()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    value = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(value))
    return tenant


@pytest.fixture
def owner(mock, google) -> Bucket:
    return Bucket(mock.url, "exports").make()


def listings(tenant: Tenant) -> int:
    return len(tenant.journal.entries(LIST))


@pytest.fixture
def after_looks(google):
    """Do something in the background once the bucket was listed that often."""
    with ExitStack() as acts:
        yield lambda looks, act: acts.enter_context(meanwhile(lambda: listings(google) >= looks, act))


@pytest.fixture
def run_sensor(airflow, owner):
    from airflow_visionbatch.sensors.deepomatic_export import DeepomaticExportSensor  # noqa: PLC0415

    def run(**arguments: Any) -> Any:
        wishes = {"storage_uri": URI, "settle": 0.1, "poke_interval": 0.2, "timeout": 30.0, **arguments}
        return airflow.run(DeepomaticExportSensor, **wishes)

    return run


@pytest.fixture
def run_fetch(airflow, owner):
    from airflow_visionbatch.operators.deepomatic_export import DeepomaticFetchExportOperator  # noqa: PLC0415

    def run(**arguments: Any) -> Any:
        return airflow.run(DeepomaticFetchExportOperator, **arguments)

    return run


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_when_a_whole_set_of_files_is_there(run_sensor, owner, after_looks, way):
    owner.put("prod/images/x.jpg", b"no data")
    owner.put("prod10/day/a.jsonl", b"of another prefix")
    after_looks(2, lambda: owner.put("prod/day/a.jsonl", b"{}\n"))
    run = run_sensor(**WAYS[way])
    assert (run.state, run.errors) == ("success", [])
    assert (run.result["files"], run.result["count"], run.result["bytes"]) == (["prod/day/a.jsonl"], 1, 3)
    assert run.result["storage_uri"] == "gs://exports/prod/"


@pytest.mark.parametrize("way", WAYS)
def test_files_of_before_are_not_new(run_sensor, owner, way):
    owner.put("prod/day/a.jsonl", b"{}\n")
    run = run_sensor(since="{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(hours=1) }}",
                     timeout=1.0, **WAYS[way])  # fmt: skip
    assert run.state == "failed"
    assert "imeout" in type(run.error).__name__


@pytest.mark.parametrize("way", WAYS)
def test_a_bucket_that_is_not_there_ends_the_wait(run_sensor, way):
    run = run_sensor(storage_uri="gs://nowhere-at-all/", **WAYS[way])
    assert run.state == "failed"
    assert "nowhere-at-all" in str(run.error)


def test_a_place_that_is_none_is_refused_by_the_name_of_its_rule(run_sensor):
    assert "storage-uri" in str(run_sensor(storage_uri="s3://exports").error)


class Watch:
    """A trigger at work."""

    def __init__(self, events: Any) -> None:
        self.payloads: list[dict[str, Any]] = []
        self._task = asyncio.create_task(self._go(events))

    async def _go(self, events: Any) -> None:
        async with aclosing(events) as opened:
            async for event in opened:
                self.payloads.append(event.payload)

    async def until(self, number: int) -> None:
        await until(lambda: len(self.payloads) >= number or self._task.done())
        if len(self.payloads) < number:
            await self._task
            pytest.fail("it ended too early")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Store:
    """What Airflow 3.3 gives a trigger for the state of one asset."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.texts[key]) if key in self.texts else default

    async def aset(self, key: str, value: Any) -> None:
        self.texts[key] = json.dumps(value)


@pytest.fixture
def make(owner):
    from airflow_visionbatch.triggers.export_files import DeepomaticExportEventTrigger  # noqa: PLC0415

    def make(**wishes: Any) -> Any:
        return DeepomaticExportEventTrigger(**{"storage_uri": URI, "settle": 0.0, "poll_interval": 0.1, **wishes})

    return make


async def looked(tenant: Tenant, number: int) -> None:
    target = listings(tenant) + number
    await until(lambda: listings(tenant) >= target)


async def test_what_arrives_is_an_event_and_what_was_there_is_none(make, owner, google):
    await asyncio.to_thread(owner.put, "prod/old.jsonl", b"old")
    watch = Watch(make().run())
    await looked(google, 2)
    await asyncio.to_thread(owner.put, "prod/new.jsonl", b"new")
    await watch.until(1)
    await looked(google, 4)
    await watch.stop()
    (payload,) = watch.payloads
    assert payload["files"] == ["prod/new.jsonl"]
    assert len(json.dumps(payload)) < 2048


async def test_a_restart_neither_repeats_nor_loses(make, owner, google):
    store = Store()

    def started() -> Watch:
        trigger = make()
        trigger.asset_state_store = store
        return Watch(trigger.run())

    await asyncio.to_thread(owner.put, "prod/old.jsonl", b"old")
    first = started()
    await looked(google, 2)
    await asyncio.to_thread(owner.put, "prod/a.jsonl", b"a")
    await first.until(1)
    await looked(google, 3)
    await first.stop()
    await asyncio.to_thread(owner.put, "prod/b.jsonl", b"b")
    second = started()
    await second.until(1)
    await looked(google, 3)
    await second.stop()
    told = [name for watch in (first, second) for payload in watch.payloads for name in payload["files"]]
    assert told == ["prod/a.jsonl", "prod/b.jsonl"]


async def test_twenty_who_agree_share_one_look(make, owner, google):
    from airflow_visionbatch.triggers.export_files import DeepomaticExportTrigger  # noqa: PLC0415

    class Task(DeepomaticExportTrigger):
        pass

    triggers = [Task("google_cloud_default", URI, settle=0.0, poll_interval=0.2) for _ in range(20)]
    watches = [Watch(trigger.run()) for trigger in triggers]
    began = time.monotonic()
    await looked(google, 5)
    # Twenty with looks of their own would make five of them at once.
    assert time.monotonic() - began >= 3 * 0.2
    await asyncio.to_thread(owner.put, "prod/a.jsonl", b"a")
    for watch in watches:
        await watch.until(1)
        assert watch.payloads[0]["arrival"]["files"] == ["prod/a.jsonl"]
    keys = {make(**wishes).shared_stream_key() for wishes in ({}, {"settle": 9.0}, {"poll_interval": 0.1})}
    assert len(keys) == 1


async def test_an_outage_is_lived_through_and_the_loop_is_not_held_up(make, owner, google):
    plan = google.faults.plan({"instructions": {LIST: ["return-403"]}})
    watch = Watch(make(poll_interval=0.05).run())
    await until(watch._task.done)
    with pytest.raises(Exception, match=r"storage\.objects\.list"):
        await watch._task
    assert plan.completed
    slow = google.faults.plan({"instructions": {LIST: ["delay-for-2.5s"]}})
    watch = Watch(make().run())
    await until(lambda: slow.completed)
    assert not google.journal.entries(LIST)[-1].status, "the loop goes on before the answer is there"
    await until(lambda: google.journal.entries(LIST)[-1].status)
    await watch.stop()


@pytest.mark.parametrize("kind", ["DeepomaticExportTrigger", "DeepomaticExportEventTrigger"])
def test_arguments_survive_the_way_through_the_database(kind):
    from airflow.serialization.decoders import smart_decode_trigger_kwargs  # noqa: PLC0415
    from airflow.serialization.encoders import encode_trigger  # noqa: PLC0415

    from airflow_visionbatch.triggers import export_files  # noqa: PLC0415

    trigger = getattr(export_files, kind)(storage_uri=URI, conn_id=None, patterns=["*.json"], later_wish=1)
    stored = json.loads(json.dumps(encode_trigger(trigger)))
    decoded = {key: smart_decode_trigger_kwargs(value) for key, value in stored["kwargs"].items()}
    assert type(trigger)(**decoded).serialize() == trigger.serialize()
    assert trigger.serialize()[1]["later_wish"] == 1


def test_an_export_is_fetched_and_a_rerun_says_that_it_is(run_fetch, owner, tmp_path, google):
    owner.put("prod/day/a.jsonl", line("wo-1", "in-1", "in-2"))
    owner.put("prod/site-1/images/in-1.jpg", b"one")
    run = run_fetch(storage_uri=URI, destination=str(tmp_path / "out"))
    assert (run.state, run.errors) == ("success", [])
    assert run.result["outcome"] == "partial"
    assert run.result["missing_images"] == ["in-2"]
    assert run.xcoms["manifest"] == run.result
    assert len(json.dumps(run.result)) <= 4096
    assert (tmp_path / "out" / "data" / "day" / "a.jsonl").read_bytes() == line("wo-1", "in-1", "in-2")
    assert (tmp_path / "out" / "images" / "in-1.jpg").read_bytes() == b"one"
    assert run.record["stage"] == "ended"
    refused = run_fetch(storage_uri=URI, destination=str(tmp_path / "again"), on_missing="fail")
    assert refused.state == "failed"


def test_an_arrival_says_what_is_fetched(run_fetch, owner, tmp_path, google):
    from airflow_visionbatch.exports import arrival  # noqa: PLC0415
    from visionbatch import BucketFile  # noqa: PLC0415

    owner.put("prod/a.jsonl", b"")
    generation = owner.put("prod/b.jsonl", b"{}\n")
    (entry,) = [one for one in google.objects.listing("exports") if one.name == "prod/b.jsonl"]
    created = int(entry.created * 1000) / 1000
    found = arrival("exports", "prod/", [BucketFile("prod/b.jsonl", generation, 3, created)])
    found["since"] -= 0.001
    found["until"] += 0.001
    run = run_fetch(arrival=[found], destination=str(tmp_path / "out"))
    assert run.errors == []
    assert "data/b.jsonl" in run.result["data_files"]


def test_it_goes_to_any_object_store_that_airflow_knows(run_fetch, owner, tmp_path):
    owner.put("prod/a.jsonl", line("wo-1"))
    run = run_fetch(storage_uri=URI, destination=f"file://{tmp_path / 'out'}", destination_conn_id="")
    assert run.errors == []
    assert (tmp_path / "out" / "data" / "a.jsonl").is_file()


def test_a_link_is_fetched_without_a_credential_and_never_shown(run_fetch, mock, google, tmp_path, monkeypatch):
    export = google.exports.create(connector_type="email", emails=["a@b.example"], interval="daily")
    export.seed({"generate": {"count": 3}})
    export.run()
    google.settle()
    (mail,) = google.exports.mails
    url = mail.as_json(mock.url)["link"]
    value = {"conn_type": "http", "password": url, "host": mock.url}
    monkeypatch.setenv("AIRFLOW_CONN_EXPORT_LINK", json.dumps(value))
    run = run_fetch(destination=str(tmp_path / "out"), link_conn_id="export_link")
    assert run.errors == []
    (name,) = run.result["data_files"]
    assert (Path(tmp_path) / "out" / name).stat().st_size > 0
    assert url.rpartition("/")[2] not in json.dumps(run.xcoms) + json.dumps(run.rendered)
    assert not [entry for entry in google.journal.entries("exports.link") if entry.authorization]


def test_a_moment_is_read_in_every_form_and_never_guessed():
    from airflow_visionbatch.exports import moment  # noqa: PLC0415
    from visionbatch.errors import ConfigError  # noqa: PLC0415

    assert moment("2025-05-12T00:00:00+02:00") == moment("2025-05-11T22:00:00Z") == moment("1747000800.0") == 1747000800
    assert moment("") is moment(None) is moment("None") is None
    for wrong in ("2025-05-12T00:00:00", "yesterday", True and [1]):
        with pytest.raises(ConfigError):
            moment(wrong)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"impersonation_chain": "x@y"}, "apache-airflow-providers-google"),
        ({"keyfile_dict": '{"private_key": "canary"}'}, "cannot be read"),
        ({"key_path": "/nowhere/key.json"}, "cannot be read"),
    ],
)
def test_a_connection_that_cannot_be_used_says_why_and_shows_no_key(run_fetch, monkeypatch, tmp_path, extra, says):
    value = {"conn_type": "google_cloud_platform", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(value))
    run = run_fetch(storage_uri=URI, destination=str(tmp_path / "out"))
    assert says in str(run.error)
    assert "canary" not in str(run.error)


def test_the_shipped_dag_waits_for_the_asset_and_fetches_what_arrived():
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415

    from airflow_visionbatch.triggers.export_files import DeepomaticExportEventTrigger  # noqa: PLC0415

    bag = DagBag(dag_folder=Path(__file__).parents[2] / "dags" / "deepomatic_export.py")
    assert not bag.import_errors
    dag = bag.dags["deepomatic_export"]
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert type(watcher.trigger) is DeepomaticExportEventTrigger
    order = {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks}
    assert order == {"what_arrived": [], "fetch": ["what_arrived"], "tables": ["fetch"], "report": ["tables"]}
    payload = {"schema": 1, "service": "deepomatic_export"}
    event = SimpleNamespace(extra={"from_trigger": True, "payload": payload})
    first = dag.get_task("what_arrived")
    assert first.python_callable(triggering_asset_events={asset: [event, event]}) == [payload, payload]


@pytest.mark.skipif("export_tables" not in visionbatch.__all__, reason="the tables are not there yet")
def test_tables_and_report_are_made_of_what_was_fetched(airflow, run_fetch, owner, tmp_path):
    from airflow_visionbatch.operators import deepomatic_export_tables as operators  # noqa: PLC0415

    owner.put("prod/day/a.jsonl", line("wo-1", "in-1"))
    place = tmp_path / "out"
    assert run_fetch(storage_uri=URI, destination=str(place)).errors == []
    tables = airflow.run(operators.DeepomaticExportTablesOperator, source=str(place))
    assert tables.errors == []
    assert (place / "tables" / "work_orders.parquet").is_file()
    wishes = {"tables": str(place / "tables"), "report": str(place / "report.html"), "images": str(place / "images")}
    report = airflow.run(operators.DeepomaticExportReportOperator, picture=False, **wishes)
    assert report.errors == []
    assert (place / "report.html").stat().st_size > 0


@pytest.fixture
def task_trigger(owner):
    from airflow_visionbatch.triggers.export_files import DeepomaticExportTrigger  # noqa: PLC0415

    def make(**wishes: Any) -> Any:
        return DeepomaticExportTrigger(**{"conn_id": "google_cloud_default", "storage_uri": URI, **wishes})

    return make


async def event_of(trigger: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        (event,) = [event.payload async for event in trigger.run()]
    return event


async def test_a_deadline_that_has_passed_still_looks_once(task_trigger, google):
    event = await event_of(task_trigger(deadline=time.time() - 60))
    assert event["failure"]["error"] == "DeadlinePassed"
    assert listings(google) == 1


async def test_a_deadline_ends_a_wait_for_files_that_do_not_come(task_trigger, google, monkeypatch):
    from airflow_visionbatch.triggers import export_files  # noqa: PLC0415

    began = time.time()
    monkeypatch.setattr(
        export_files, "time", SimpleNamespace(time=lambda: began + (7200 if listings(google) >= 2 else 0))
    )
    event = await event_of(task_trigger(poll_interval=0.05, deadline=began + 3600))
    assert event["failure"]["error"] == "DeadlinePassed"
    assert listings(google) >= 2


async def test_a_time_out_of_something_else_is_not_taken_for_the_deadline(task_trigger, monkeypatch):
    from airflow_visionbatch.triggers import export_files  # noqa: PLC0415

    async def broken(conn_id: str | None, bucket: str) -> Any:
        raise TimeoutError("the connection was not looked up in time")

    monkeypatch.setattr(export_files, "bucket_of_async", broken)
    with pytest.raises(TimeoutError, match="not looked up"):
        await event_of(task_trigger(deadline=time.time() + 3600))
