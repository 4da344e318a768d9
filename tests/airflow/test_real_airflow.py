"""The four processes of a real Airflow: what only they can show. One stack serves all of these tests, in this order."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import socket
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from support.airflow_stack import AirflowStack
from support.books import CHUNKS, CREATE, GET, Books
from support.features import Feature, needs
from support.leaks import files_below, header_canary, places_of, rows_of
from support.orders import write_orders
from visionbatch_mock import MockServer
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

OURS = Path(__file__).parents[2] / "dags"
EXPORT = "deepomatic_export"
SHIPPED, SENSOR, SLOT, DEFERRED, FAILING = "deepomatic_batch", "sensor", "in_a_slot", "deferred", "failing"
ENDING, NO_WORKER, OTHERS = "ending", "no_worker", "others"

DAGS = """
    from airflow.sdk import DAG, task

    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator
    from airflow_visionbatch.operators.roboflow import RoboflowRunJobOperator
    from airflow_visionbatch.operators.vias import ViasCreateBatchTaskOperator
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor

    source = {source!r}
    records = {records!r}

    @task
    def outcome(manifest):
        return manifest["outcome"]

    with DAG("sensor", schedule=None, params={{"batch": ""}}):
        DeepomaticBatchSensor(
            task_id="wait", batch_id="{{{{ params.batch }}}}", start_from_trigger=True, poke_interval=1, timeout=120
        )

    with DAG("in_a_slot", schedule=None):
        DeepomaticRunBatchOperator(
            task_id="run", source=source, deepomatic_conn_id="killed", deferrable=False, poll_interval=0.5
        )

    with DAG("deferred", schedule=None):
        DeepomaticRunBatchOperator(
            task_id="run", source=source, deepomatic_conn_id="killed", deferrable=True, poll_interval=0.5, **records
        )

    with DAG("ending", schedule=None):
        ends = DeepomaticRunBatchOperator(
            task_id="run",
            source=source,
            deepomatic_conn_id="ending",
            deferrable=True,
            end_from_trigger=True,
            poll_interval=0.5,
            **records,
        )
        outcome(ends.output)

    with DAG("no_worker", schedule=None, params={{"batch": ""}}):
        DeepomaticBatchSensor(
            task_id="wait",
            batch_id="{{{{ params.batch }}}}",
            start_from_trigger=True,
            end_from_trigger=True,
            poke_interval=1,
            timeout=120,
        )

    with DAG("others", schedule=None):
        hook = {{"url": "{{{{ conn.hook_url.password }}}}", "headers": {{"x-key": "{{{{ conn.hook.password }}}}"}}}}
        sources = [{{"video_source_id": "source-0001"}}]
        groups = [{{"video_source_group_id": "group-0001", "video_source_list": sources}}]
        for task_id in ("refused", "waiting"):
            ViasCreateBatchTaskOperator(
                task_id="vias_" + task_id,
                body={{
                    "name": task_id,
                    "service_name": "fire",
                    "service_version": "1.0",
                    "batch_input": {{"video_source_group": groups}},
                    "output": {{"webhook": {{**hook, "allow_inside": True}}}},
                }},
                vias_conn_id="vias_" + task_id,
                deferrable=True,
                poll_interval=5,
                **records,
            )
        RoboflowRunJobOperator(
            task_id="roboflow_refused",
            batch="photos",
            workflow_id="inspect",
            roboflow_conn_id="roboflow_refused",
            notify=True,
            **records,
        )

    with DAG("failing", schedule=None):
        for conn_id in {failing!r}:
            DeepomaticRunBatchOperator(
                task_id=conn_id,
                source=source,
                deepomatic_conn_id=conn_id,
                deferrable=True,
                poll_interval=0.5,
                retries=1,
                **records,
            )
"""


def nobody_listens() -> str:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def export_dag(folder: Path) -> str:
    """The shipped Dag of the export, with what its users put in, and in a hurry."""
    text = (OURS / "deepomatic_export.py").read_text()
    for shipped, own in (
        ('"/data/exports"', repr(str(folder))),
        ("storage_uri=URI", "storage_uri=URI, settle=1.0, poll_interval=1.0"),
    ):
        assert shipped in text
        text = text.replace(shipped, own)
    return text


@dataclass
class Deployment:
    """A running Airflow and the customers of the mock that its connections lead to.

    :param guarded: every secret that was put into it.
    """

    airflow: AirflowStack
    mock: MockServer
    shipped: Tenant
    killed: Tenant
    ending: Tenant
    tenants: list[Tenant]
    orders: Path
    home: Path
    guarded: list[str]
    failing_run: str = ""
    others_run: str = ""
    deferred_rows: int = 0

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def records(self) -> Path:
        """Run records, where Airflow keeps none."""
        return self.home / "records"

    def state(self, dag_id: str, run_id: str) -> str:
        ((state,),) = self.airflow.rows(
            "select state from task_instance where dag_id = ? and run_id = ?", dag_id, run_id
        )
        return str(state)

    def wait_state(self, dag_id: str, run_id: str, *states: str) -> None:
        self.airflow.wait_for(lambda: self.state(dag_id, run_id) in states, f"{dag_id} to be {states}", 60)

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self.airflow.api("PATCH", path, json={"new_state": state})

    def trigger_kwargs(self) -> list[str]:
        """The arguments of all waiting triggers, decrypted as the triggerer does."""
        key = Fernet(self.airflow.environment["AIRFLOW__CORE__FERNET_KEY"].encode())
        rows = self.airflow.rows("select kwargs from trigger")
        return [text if text.startswith("{") else key.decrypt(text.encode()).decode() for (text,) in rows]


def other_services(mock: MockServer, tenant: Callable[..., Tenant], guarded: list[str]) -> dict[str, Any]:
    """Connections to the other two services, where the answer to a creation is the request, as gateways have it."""
    sk, field = header_canary("sk"), header_canary("field")
    hook, receiver = (f"{name}-{secrets.token_hex(16)}" for name in ("hook", "receiver"))
    guarded += [sk, field, hook, receiver]
    huawei = {"vias_secret_key": sk, "vias_open_sources": True, "vias_lives": {"*": ["RUNNING"]}}
    vias = [tenant(name, **huawei) for name in ("vias-refused", "vias-waiting")]
    roboflow = tenant("roboflow")
    path = f"/visionbatch/hooks/roboflow/roboflow_refused/{receiver}"
    for each, operation, told in (
        (vias[0], "vias.batch_tasks.create", {"error_msg": f"x-key: {field} for /{hook}", "error_code": "GATE.1"}),
        (roboflow, "roboflow.jobs.create", {"error": f"Bearer {roboflow.token} for {path}"}),
    ):
        page = {"fault": "answer", "status": 400, "content_type": "application/json", "body": json.dumps(told)}
        each.faults.plan({"instructions": {operation: [page]}})

    def project(account: Tenant) -> dict[str, Any]:
        extra = {"region": "cn-north-4", "iam_url": mock.url}
        return {"conn_type": "huawei_vias", "host": mock.url, "login": account.token, "password": sk, "extra": extra}

    workspace = {"upload_hosts": mock.url, "download_hosts": mock.url, "webhook_secret": receiver}
    return {
        "vias_refused": project(vias[0]),
        "vias_waiting": project(vias[1]),
        "hook": {"conn_type": "generic", "password": field},
        # An address that is a secret is a password too: Airflow shows the host of a connection to everybody.
        "hook_url": {"conn_type": "generic", "password": f"http://127.0.0.1:9/{hook}"},
        "roboflow_refused": {
            "conn_type": "roboflow",
            "host": mock.url,
            "password": roboflow.token,
            "extra": {**workspace, "webhook_inside": True},
        },
    }


@pytest.fixture(scope="module")
def deployed(mock: MockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("stack")
    orders = write_orders(home / "orders", photos=2)
    guarded: list[str] = []

    def tenant(name: str, **settings: Any) -> Tenant:
        made = mock.world.tenant(header_canary(name))
        made.configure(**settings)
        guarded.append(made.token)
        return made

    def connection(token: str, host: str = mock.url) -> dict[str, Any]:
        extra = {"upload_hosts": mock.url, "console_url": "https://studio.example.com/batches/{batch_id}"}
        return {"conn_type": "deepomatic", "host": host, "password": token, "extra": extra}

    shipped = tenant(
        "shipped", queued_s=3.0, processing_s=5.0, error_report="json", analysis_failures={"WO_2": "blurred"}
    )
    killed = tenant("killed", lifecycle="manual")
    ending = tenant("ending", lifecycle="manual")
    evil = tenant("evil")
    elsewhere = header_canary("evil-session")
    guarded.append(elsewhere)
    address = f"https://evil.example.net/upload?upload_id={elsewhere}"
    evil.faults.plan({"instructions": {CREATE: [{"fault": "set-upload_url", "value": address}] * 4}})
    refused = tenant("refused")
    refused.faults.plan({"instructions": {CHUNKS: ["return-403"] * 4}})
    dark = {"WO_1": "too dark", "WO_2": "too dark"}
    cut = tenant("cut", queued_s=0.0, processing_s=0.5, analysis_failures=dark)
    cut.faults.plan({"instructions": {CREATE: ["truncate-40B"] * 4, GET: ["return-500"] * 4}})
    wrong_key = tenant("invalid")
    lonely = header_canary("lonely")
    guarded.append(lonely)
    connections = {
        **other_services(mock, tenant, guarded),
        "deepomatic_default": connection(shipped.token),
        "killed": connection(killed.token),
        "ending": connection(ending.token),
        "evil": connection(evil.token),
        "refused": connection(refused.token),
        "cut": connection(cut.token),
        "wrong_key": connection(wrong_key.token),
        "wrong_host": connection(lonely, nobody_listens()),
        "google_cloud_default": {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}},
    }
    failing = ["evil", "refused", "cut", "wrong_key", "wrong_host"]
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(OURS / "deepomatic_batch.py", dags)
    (dags / "deepomatic_export.py").write_text(export_dag(home / "exports"))
    records = {} if Feature.TASK_STATE.is_there else {"state_path": f"file://{home}/records"}
    text = DAGS.format(source=str(orders), failing=failing, records=records)
    (dags / "of_the_test.py").write_text(textwrap.dedent(text))
    settings = {"AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1", "STORAGE_EMULATOR_HOST": mock.url}
    with AirflowStack(home / "airflow", dags, connections=connections, settings=settings) as airflow:
        tenants = [shipped, killed, ending, evil, refused, cut, wrong_key]
        made = Deployment(airflow, mock, shipped, killed, ending, tenants, orders, home, guarded)
        # Its slowest task waits out half a minute of refused connections, beside what the other tests do.
        made.failing_run = airflow.trigger(FAILING)
        made.others_run = airflow.trigger(OTHERS)
        yield made


def test_the_shipped_dag_gives_its_worker_back_and_brings_a_partial_result(deployed):
    airflow, books = deployed.airflow, Books(deployed.shipped)
    deployed.shipped.clock.freeze()
    run = airflow.trigger(SHIPPED, {"work_orders": str(deployed.orders), "reports": str(deployed.reports)})

    def waiting() -> list[tuple[Any, ...]]:
        return airflow.rows(
            "select t.classpath from task_instance i join trigger t on t.id = i.trigger_id"
            " where i.dag_id = ? and i.run_id = ? and i.task_id = 'run_batch' and i.state = 'deferred'",
            SHIPPED,
            run,
        )

    ((classpath,),) = airflow.wait_for(waiting, "the task to be deferred", 90)
    assert classpath == "airflow_visionbatch.triggers.snapshot.SnapshotTrigger"
    kwargs = deployed.trigger_kwargs()
    deployed.deferred_rows += len(kwargs)
    assert not places_of(deployed.guarded, [("trigger", text.encode()) for text in kwargs])
    (batch,) = deployed.shipped.batches.all()
    page = f"https://studio.example.com/batches/{batch.id}"
    path = f"/dags/{SHIPPED}/dagRuns/{run}/taskInstances/run_batch/links"
    # Airflow stores the link a moment after the state.
    shown = airflow.wait_for(lambda: airflow.api("GET", path)["extra_links"]["Deepomatic batch"], "the link", 30)
    assert shown == page

    def look_taken() -> None:
        before = len(books.requests(GET))
        airflow.wait_for(lambda: len(books.requests(GET)) > before, "the triggerer to look", 60)

    for seconds in (0, 4, 6):  # uploaded, processing, ended
        deployed.shipped.clock.advance(seconds)
        look_taken()
    deployed.shipped.clock.run()
    assert airflow.wait_run(SHIPPED, run, 90) == "success"
    manifest = airflow.xcom(SHIPPED, run, "run_batch")
    manifest = json.loads(manifest) if isinstance(manifest, str) else manifest
    assert (manifest["batch_id"], manifest["outcome"]) == (batch.id, "partial")
    assert manifest["counts"] == {"total": 2, "succeeded": 1, "failed": 1}
    assert airflow.xcom(SHIPPED, run, "run_batch", "batch_id").strip('"') == batch.id
    assert "1 of 2 work orders analysed" in str(airflow.xcom(SHIPPED, run, "tell"))
    report = deployed.reports / f"{batch.id}.errors.json"
    assert "blurred" in report.read_text()
    assert len(books.effects("archive.committed")) == 1


def test_the_tasks_log_tells_what_was_seen_in_the_triggerer(deployed):
    ((run,),) = deployed.airflow.rows("select run_id from dag_run where dag_id = ?", SHIPPED)
    log = deployed.airflow.task_log(SHIPPED, run, "run_batch")
    for line in (
        "queued (",
        "running (",
        "partial (",
        "Pausing task as DEFERRED",
        "accepted by on_partial=warn",
    ):
        assert line in log, line
    folder = deployed.airflow.home / "task-logs"
    of_the_trigger = [path for path in folder.rglob("*.trigger.*.log") if f"dag_id={SHIPPED}" in str(path)]
    assert any("running (" in path.read_text() for path in of_the_trigger)


@needs(Feature.STARTS_IN_TRIGGERER)
def test_a_sensor_that_starts_in_the_triggerer_needs_no_worker_before(deployed):
    airflow = deployed.airflow
    deployed.shipped.configure(lifecycle="manual")
    batch = deployed.shipped.batches.create("made elsewhere")
    batch.force(BatchState.UPLOADED)
    run = airflow.trigger(SENSOR, {"batch": batch.id})
    looks = Books(deployed.shipped).requests(GET)
    airflow.wait_for(
        lambda: [entry for entry in Books(deployed.shipped).requests(GET)[len(looks) :] if batch.id in entry.path],
        "the triggerer to look at the batch",
        60,
    )
    ((state, pid, started),) = airflow.rows(
        "select state, pid, start_date from task_instance where dag_id = ? and run_id = ?", SENSOR, run
    )
    assert (state, pid) == ("deferred", None), started
    logs = list((airflow.home / "task-logs").rglob(f"dag_id={SENSOR}/**/attempt=*.log*"))
    assert not [path for path in logs if ".trigger." not in path.name]
    batch.force(BatchState.PROCESSING)
    batch.force(BatchState.SUCCESS)
    assert airflow.wait_run(SENSOR, run, 60) == "success"
    assert "succeeded" in str(airflow.xcom(SENSOR, run, "wait"))


def test_a_task_may_end_in_the_triggerer_and_no_worker_is_asked_for_again(deployed):
    airflow, books = deployed.airflow, Books(deployed.ending)
    run = airflow.trigger(ENDING)
    query = "select state from task_instance where task_id = 'run' and dag_id = ? and run_id = ?"
    airflow.wait_for(lambda: airflow.rows(query, ENDING, run) == [("deferred",)], "the task to be deferred", 90)
    query = "select pid, queued_dttm, try_number from task_instance where task_id = 'run' and dag_id = ? and run_id = ?"
    before = airflow.rows(query, ENDING, run)
    assert before[0][0] is not None
    (batch,) = deployed.ending.batches.all()
    batch.force(BatchState.PROCESSING)
    batch.force(BatchState.SUCCESS)
    assert airflow.wait_run(ENDING, run, 90) == "success"
    assert airflow.rows(query, ENDING, run) == before
    (committed,) = books.effects("archive.committed")
    manifest = airflow.xcom(ENDING, run, "run")
    manifest = json.loads(manifest) if isinstance(manifest, str) else manifest
    assert (manifest["batch_id"], manifest["outcome"]) == (batch.id, "done")
    assert committed["batch_id"] == batch.id
    assert not books.effects("batch.deleted")
    assert str(airflow.xcom(ENDING, run, "outcome")).strip('"') == "done", "the next task gets it as it was"
    assert "its task ends here without a worker" in airflow.task_log(ENDING, run, "run")


@needs(Feature.STARTS_IN_TRIGGERER)
def test_a_sensor_may_begin_and_end_in_the_triggerer_and_never_have_a_worker(deployed):
    airflow = deployed.airflow
    deployed.shipped.configure(lifecycle="manual")
    batch = deployed.shipped.batches.create("made elsewhere")
    batch.force(BatchState.UPLOADED)
    batch.force(BatchState.PROCESSING)
    batch.force(BatchState.SUCCESS)
    run = airflow.trigger(NO_WORKER, {"batch": batch.id})
    assert airflow.wait_run(NO_WORKER, run, 90) == "success"
    assert airflow.rows("select state, pid from task_instance where dag_id = ?", NO_WORKER) == [("success", None)]
    assert "succeeded" in str(airflow.xcom(NO_WORKER, run, "wait"))
    assert batch.id in str(airflow.xcom(NO_WORKER, run, "wait", "console_url"))
    logs = list((airflow.home / "task-logs").rglob(f"dag_id={NO_WORKER}/**/attempt=*.log*"))
    assert not [path for path in logs if ".trigger." not in path.name]


def test_a_running_task_that_a_person_fails_deletes_its_batch(deployed):
    airflow, books = deployed.airflow, Books(deployed.killed)
    run = airflow.trigger(SLOT)
    airflow.wait_for(lambda: books.effects("archive.committed"), "the archive to arrive", 60)
    deployed.set_state(SLOT, run, "run", "failed")
    (deleted,) = airflow.wait_for(lambda: books.effects("batch.deleted"), "the batch to be deleted", 60)
    assert deleted["batch_id"] == books.effects("archive.committed")[0]["batch_id"]


def test_a_deferred_task_keeps_its_batch_when_cleared_and_deletes_it_when_failed(deployed):
    airflow, tenant = deployed.airflow, deployed.killed
    tenant.reset()
    tenant.configure(lifecycle="manual")
    books = Books(tenant)
    run = airflow.trigger(DEFERRED)
    deployed.wait_state(DEFERRED, run, "deferred")
    body = {"dry_run": False, "dag_run_id": run, "task_ids": ["run"], "only_failed": False}
    airflow.api("POST", f"/dags/{DEFERRED}/clearTaskInstances", json=body)

    def deferred_again() -> bool:
        rows = airflow.rows(
            "select state, try_number from task_instance where dag_id = ? and run_id = ?", DEFERRED, run
        )
        return rows == [("deferred", 2)]

    airflow.wait_for(deferred_again, "the second try to wait", 90)
    looks = len(books.requests(GET))
    airflow.wait_for(lambda: len(books.requests(GET)) > looks + 2, "the second try to look", 60)
    (committed,) = books.effects("archive.committed")
    assert not books.effects("batch.deleted")
    deployed.set_state(DEFERRED, run, "run", "failed")
    airflow.wait_for(lambda: books.effects("batch.deleted"), "the batch to be deleted", 90)
    assert [entry["batch_id"] for entry in books.effects("batch.deleted")] == [committed["batch_id"]]


@needs(Feature.ASSET_STATE)
def test_files_of_an_export_run_the_shipped_dag_to_its_report_once(deployed):
    from pyarrow import parquet  # noqa: PLC0415  # the older Airflows are tested without tables

    airflow, owner = deployed.airflow, deployed.mock.world.tenant("anonymous")
    owner.reset()
    owner.own_bucket("my-exports")
    airflow.unpause(EXPORT)

    def runs() -> list[str]:
        found = airflow.rows("select run_id from dag_run where dag_id = ? order by queued_at", EXPORT)
        return [run_id for (run_id,) in found]

    airflow.wait_for(lambda: owner.journal.entries("storage.objects.list"), "the triggerer to look at the bucket", 90)
    assert runs() == []
    export = owner.exports.create(storage_uri="gs://my-exports/prod/", interval="daily", export_images=True)
    export.seed({"generate": {"count": 5}})
    export.run()
    owner.settle()
    (run,) = airflow.wait_for(runs, "the event to start a run", 60)
    assert airflow.wait_run(EXPORT, run, 120) == "success"
    looks = len(owner.journal.entries("storage.objects.list"))
    airflow.wait_for(lambda: len(owner.journal.entries("storage.objects.list")) > looks + 2, "more looks", 60)
    assert runs() == [run], "the same files are no news"
    (folder,) = (deployed.home / "exports").iterdir()
    got = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
    sent = [entry["sha256"] for entry in owner.ledger.entries("object.created")]
    assert len(sent) > 1
    assert set(sent) <= got
    assert parquet.read_metadata(folder / "tables" / "work_orders.parquet").num_rows == 5
    assert "Content-Security-Policy" in (folder / "report.html").read_text()


def test_the_button_that_tests_a_connection_answers(deployed):
    body = {
        "connection_id": "from_the_form",
        "conn_type": "deepomatic",
        "host": deployed.mock.url,
        "password": deployed.shipped.token,
        "extra": json.dumps({"upload_hosts": deployed.mock.url}),
    }
    answer = deployed.airflow.api("POST", "/connections/test", json=body)
    assert answer == {"status": True, "message": "The site answers and accepts the key."}
    deployed.airflow.api("POST", "/connections", json=body)
    answer = deployed.airflow.api("POST", "/connections/test", json={**body, "host": nobody_listens()})
    assert answer["status"] is False
    assert not places_of(deployed.guarded, [("answer", json.dumps(answer).encode())])


@pytest.mark.fault("SC1")
def test_no_secret_is_written_anywhere(deployed):
    airflow = deployed.airflow
    assert airflow.wait_run(FAILING, deployed.failing_run, 150) == "failed"
    states = dict(
        airflow.rows(
            "select task_id, state from task_instance where run_id = ? and dag_id = ?", deployed.failing_run, FAILING
        )
    )
    assert set(states.values()) == {"failed"}, states
    others = "select task_id, state from task_instance where run_id = ? and dag_id = ?"
    ended = {"vias_refused": "failed", "roboflow_refused": "failed", "vias_waiting": "deferred"}
    airflow.wait_for(lambda: dict(airflow.rows(others, deployed.others_run, OTHERS)) == ended, f"{OTHERS} to end", 90)
    sessions = [
        session.id for tenant in deployed.tenants for batch in tenant.batches.all() for session in batch.sessions
    ]
    assert len(sessions) >= 3
    assert deployed.deferred_rows
    guarded = [*deployed.guarded, *sessions]

    def written() -> Iterator[tuple[str, bytes]]:
        yield from files_below(airflow.home, deployed.reports, deployed.records)
        yield from rows_of(airflow.database)
        # In the table they are encrypted.
        yield from (("kwargs of a trigger", kwargs.encode()) for kwargs in deployed.trigger_kwargs())
        for task_id in states:
            # Not every number up to the last: a try that the scheduler took back before it began has no row and no log.
            tries = airflow.rows(
                "select try_number from task_instance where run_id = ? and task_id = ? "
                "union select try_number from task_instance_history where run_id = ? and task_id = ?",
                *(deployed.failing_run, task_id) * 2,
            )
            assert tries, f"{task_id} has not begun"
            for (number,) in tries:
                log = airflow.task_log(FAILING, deployed.failing_run, task_id, int(number))
                yield f"log of {task_id}, try {number}", log.encode()

    everything = list(written())
    assert any("task-logs" in place and b"UnsafeUrl" in text for place, text in everything)
    kept = "table task_state_store" if Feature.TASK_STATE.is_there else str(deployed.records)
    assert any(place.startswith(kept) for place, _ in everything)
    tables = {place.split(",")[0] for place, _ in everything if place.startswith("table ")}
    written_to = {"xcom", "rendered_task_instance_fields", "trigger", "task_instance", "dag_run", "log"}
    assert {f"table {name}" for name in written_to} <= tables
    assert any("SnapshotTrigger" in text.decode("utf-8", "replace") for place, text in everything if "trigger" in place)
    assert any(place == "kwargs of a trigger" and b"huawei_vias" in text for place, text in everything)
    assert any("task-logs" in place and b"GATE.1" in text for place, text in everything), "the page is told of"
    assert places_of(guarded, everything) == []


@pytest.mark.fault("SC11")
def test_what_every_user_of_the_ui_can_read_leads_to_no_session(deployed):
    """Task state and XCom lie in clear text: a session is named there by its batch, never by its address."""
    airflow = deployed.airflow
    (batch,) = [batch for tenant in deployed.tenants if "refused" in tenant.token for batch in tenant.batches.all()]
    (session,) = batch.sessions
    task = f"/dags/{FAILING}/dagRuns/{deployed.failing_run}/taskInstances/refused"
    shown = [("XComs", airflow.api("GET", f"{task}/xcomEntries"))]
    keys = [entry["key"] for entry in shown[0][1]["xcom_entries"]]
    shown.extend((key, airflow.api("GET", f"{task}/xcomEntries/{key}")) for key in keys)
    if Feature.TASK_STATE.is_there:
        shown.append(("task state", airflow.api("GET", f"{task}/state-store")))
        record = shown[-1][1]["task_state_store"][0]["value"]
    else:
        (file,) = deployed.records.glob(f"{FAILING}.*.refused.*")
        record = json.loads(file.read_text())
        shown.append((str(file), record))
    assert (record["ref"], record["stage"]) == (batch.id, "created"), "a batch whose session is still open"
    assert {"batch_id", "console_url"} <= {place for place, _ in shown}
    texts = [(place, json.dumps(value).encode()) for place, value in shown]
    tables = ("table task_state_store", "table xcom", "table rendered_task_instance_fields")
    texts += [(place, text) for place, text in rows_of(airflow.database) if place.startswith(tables)]
    assert places_of([session.id, *deployed.guarded], texts) == []
    assert places_of([batch.id], texts), "the search finds what is there"
