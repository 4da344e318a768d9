"""The receiver over a real socket, with Airflow's database behind it: what it takes, refuses, lands and wakes."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from support.airflow_runs import _write_down, database
from support.asgi_server import Served, served
from support.orders import photo
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

PREFIX = "/visionbatch/hooks"
WORKSPACE = "mock-workspace"


def job(event: str | None = None, ref: str = "night-1", **changes: Any) -> dict[str, Any]:
    return {
        "type": "roboflow-batch-job-notification-v1",
        "event_id": event or str(uuid.uuid4()),
        "job_id": ref,
        "job_state": "success",
        "delivery_attempt": 1,
        **changes,
    }


def event(task: str, message: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "event_type": 196609,
        "task_id": task,
        "stream_id": "dock#2",
        "timestamp": 1618299313,
        "message_id": message or str(uuid.uuid4()).upper(),
        "image_base64": "/9j/4AAQ",
        "data": {"event_set": []},
        **changes,
    }


@pytest.fixture
def server() -> Iterator[Served]:
    """The plugin's application under its prefix, as the API server mounts it."""
    with served(mounted()) as found:
        yield found


def mounted(**limits: Any) -> Any:
    from fastapi import FastAPI  # noqa: PLC0415

    from airflow_visionbatch.plugins.webhooks import Receiver, WebhooksPlugin  # noqa: PLC0415
    from airflow_visionbatch.receiver.app import Limits, create_app  # noqa: PLC0415

    ((entry),) = WebhooksPlugin.fastapi_apps
    receiver = Receiver()
    receiver._app = create_app(Limits(**limits))
    whole = FastAPI()
    whole.mount(entry["url_prefix"], receiver)
    return whole


class Address:
    """A connection with a receiver's address, and a Dag for each of its assets."""

    def __init__(self, airflow: Any, service: str, conn_id: str, secret: str) -> None:
        self.airflow = airflow
        self.service, self.conn_id, self.secret = service, conn_id, secret

    @property
    def path(self) -> str:
        return f"{PREFIX}/{self.service}/{self.conn_id}/{self.secret}"

    def post(self, server: Served, body: Any, **arguments: Any) -> requests.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": "Bearer rf_workspace"}
        return requests.post(
            server.url + self.path, data=raw, headers={**headers, **arguments.pop("headers", {})}, timeout=60
        )

    def watched(self, *refs: str) -> None:
        """Put a Dag into the database that is scheduled on the connection's asset, and one for each ref."""
        from airflow.sdk import DAG  # noqa: PLC0415

        from airflow_visionbatch.receiver.assets import hook_asset  # noqa: PLC0415

        for ref in ("", *refs):
            dag_id = f"woken_{self.conn_id}_{ref or 'all'}"
            _write_down(
                DAG(dag_id, schedule=[hook_asset(self.service, self.conn_id, ref)], is_paused_upon_creation=False)
            )

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The asset events of the connection: what of its asset's address is behind the connection, and the extra."""
        root = f"visionbatch-hook://{self.service}/{self.conn_id}"
        query = "select a.uri, e.extra from asset_event e join asset a on a.id = e.asset_id order by e.id"
        with database(self.airflow.home) as connection:
            rows = connection.execute(query).fetchall()
        return [(uri.removeprefix(root), json.loads(extra)) for uri, extra in rows if uri.startswith(root)]


@pytest.fixture
def address(airflow, monkeypatch) -> Callable[..., Address]:
    def made(service: str = "roboflow", **extra: Any) -> Address:
        conn_id, secret = f"rf_{secrets.token_hex(4)}", secrets.token_urlsafe(32)
        value = {"conn_type": service, "password": "key", "extra": {"webhook_secret": secret, **extra}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
        return Address(airflow, service, conn_id, secret)

    return made


def test_a_notification_becomes_an_event_of_the_job_s_asset_and_of_the_connection_s(server, address):
    hook = address()
    hook.watched("night-1", "night-2")
    body = job("e-1")
    answer = hook.post(server, body)
    assert (answer.status_code, answer.json()) == (200, {"detail": "taken"})
    expected = {
        "schema": 1,
        "conn_id": hook.conn_id,
        "service": "roboflow",
        "kind": "job",
        "event_id": "e-1",
        "ref": "night-1",
    }
    assert sorted(hook.events()) == [("", expected), ("/night-1", expected)]


def test_an_event_queues_the_dag_that_is_scheduled_on_it(server, address, airflow):
    hook = address()
    hook.watched()
    hook.post(server, job())
    with database(airflow.home) as connection:
        queued = connection.execute("select target_dag_id from asset_dag_run_queue").fetchall()
    assert (f"woken_{hook.conn_id}_all",) in queued


class Workspace:
    """A workspace of the mock with a batch of one image, and a client that looks at it."""

    def __init__(self, mock: MockServer, tenant: Tenant) -> None:
        from visionbatch import Secret  # noqa: PLC0415
        from visionbatch.pipelines.roboflow import Roboflow, roboflow_key  # noqa: PLC0415
        from visionbatch.roboflow.settings import RoboflowSettings  # noqa: PLC0415

        self.tenant = tenant
        settings = RoboflowSettings(mock.url, WORKSPACE, allow_inside=True)
        self.client = Roboflow(settings, lambda: roboflow_key(Secret(tenant.token)))
        staged = requests.post(
            f"{mock.url}/data-staging/v1/external/{WORKSPACE}/batches/b-1/upload/image",
            params={"fileName": "a.jpg"},
            headers={"Authorization": f"Bearer {tenant.token}"},
            files={"file": photo(1)},
            timeout=30,
        )
        assert staged.ok, staged.text

    def start(self, job_id: str, receiver: Any) -> None:
        """Create a job that announces its end."""
        from visionbatch.roboflow.job import JobDefinition, JobKind  # noqa: PLC0415

        definition = JobDefinition(kind=JobKind.IMAGES, batch_id="b-1", workflow_id="any", notifications_url=receiver)
        self.client.perform(self.client.api.jobs.create(job_id, definition))

    def counted(self) -> tuple[int, int]:
        """Requests, and effects."""
        return len(self.tenant.journal.entries()), len(self.tenant.ledger.entries())


@pytest.fixture
def workspace(mock, tenant) -> Iterator[Workspace]:
    workspace = Workspace(mock, tenant)
    with workspace.client:
        yield workspace


def test_the_service_s_own_notification_arrives_under_the_url_of_the_connection(server, address, workspace):
    from airflow_visionbatch.receiver.addresses import receiver_url  # noqa: PLC0415

    hook = address(webhook_base_url=server.url, webhook_inside=True)
    hook.watched("night-1")
    workspace.tenant.configure(roboflow_queued_s=0, roboflow_processing_s=0, roboflow_export_s=0)
    workspace.start("night-1", receiver_url("roboflow", hook.conn_id))
    workspace.tenant.clock.advance(60)
    workspace.tenant.roboflow.deliver()
    (sent,) = workspace.tenant.ledger.entries("roboflow.webhook_delivered")
    assert sent["status"] == 200
    assert {(uri, extra["event_id"]) for uri, extra in hook.events()} == {
        ("", sent["event_id"]),
        ("/night-1", sent["event_id"]),
    }


@pytest.mark.fault("WH1")
def test_a_forged_notification_wakes_one_look_which_finds_the_job_as_it_is(server, address, workspace):
    hook = address()
    hook.watched("night-1")
    workspace.tenant.configure(roboflow_processing_s=3600)
    workspace.start("night-1", None)
    before = workspace.counted()
    for claim in ("success", "fail", "success"):
        assert hook.post(server, job("forged", "night-1", job_state=claim)).status_code == 200
    assert workspace.counted() == before, "the receiver itself asks nobody"
    (woken,) = [extra for uri, extra in hook.events() if uri]
    assert not {"job_state", "success", "state"} & set(woken), "the event claims nothing"
    assert not workspace.client.status(woken["ref"]).phase.is_terminal
    assert workspace.counted()[1] == before[1], "nothing has happened at the service"


def test_where_no_dag_names_the_asset_a_notification_is_taken_and_has_no_effect(server, address):
    hook = address()
    assert hook.post(server, job()).status_code == 200
    assert hook.events() == []


def test_repeated_and_concurrent_deliveries_have_one_effect(server, address):
    hook = address()
    hook.watched()
    bodies = [job(f"e-{number}", delivery_attempt=attempt) for attempt in (2, 1, 3) for number in (3, 1, 2)]
    with ThreadPoolExecutor(6) as pool:
        statuses = {answer.status_code for answer in pool.map(lambda body: hook.post(server, body), bodies)}
    assert statuses <= {200, 503}, "503 while another delivery of the event is at work"
    assert {hook.post(server, body).status_code for body in bodies} == {200}
    assert sorted(extra["event_id"] for _, extra in hook.events()) == ["e-1", "e-2", "e-3"]


def test_a_kind_of_notification_that_is_not_known_yet_is_acknowledged(server, address):
    hook = address()
    hook.watched()
    answer = hook.post(server, {"type": "roboflow-batch-stage-notification-v1", "event_id": "e"})
    assert (answer.status_code, answer.json()) == (200, {"detail": "ignored"})
    assert hook.events() == []


def test_without_the_secret_there_is_nothing_to_be_seen(server, address, monkeypatch):
    hook, other = address(), address(service="huawei_vias")
    hook.watched()
    monkeypatch.setenv("AIRFLOW_CONN_SHORT", json.dumps({"conn_type": "roboflow", "extra": {"webhook_secret": "a"}}))
    for path in (
        f"{PREFIX}/roboflow/{hook.conn_id}/{other.secret}",
        f"{PREFIX}/roboflow/{hook.conn_id}/{hook.secret[:-1]}",
        f"{PREFIX}/roboflow/nobody/{hook.secret}",
        f"{PREFIX}/roboflow/SHORT/a",
        f"{PREFIX}/roboflow/{other.conn_id}/{other.secret}",
        f"{PREFIX}/deepomatic/{hook.conn_id}/{hook.secret}",
        f"{PREFIX}/roboflow/%00/{hook.secret}",
        f"{PREFIX}/roboflow/{'x' * 3000}/%ff%fe",
    ):
        answer = requests.post(server.url + path, json=job(), timeout=60)
        assert (answer.status_code, answer.json()) == (404, {"detail": "not found"}), path
    assert requests.get(server.url + hook.path, timeout=60).status_code == 405
    assert requests.post(server.url + hook.path + "/", json=job(), allow_redirects=False, timeout=60).status_code == 404
    assert hook.events() == []


@pytest.mark.fault("WH3")
def test_junk_is_refused_with_a_4xx_in_bounded_memory_and_time(address):
    hook = address()
    hook.watched()
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    junk: list[tuple[int, bytes, dict[str, str]]] = [
        (400, b"", {}),
        (400, b"\xff\xfe\x00", {}),
        (400, json.dumps(job()).encode("utf-16"), {}),
        (400, b"[" * 500_000, {}),
        (400, deep, {}),
        (400, b'{"type": "roboflow-batch-job-notification-v1"}', {}),
        (400, json.dumps(job(ref="../../x")).encode(), {}),
        (400, json.dumps(job("\ud800")).encode(), {}),
        (400, json.dumps(job(ref="a\nWARNING forged")).encode(), {}),
        (400, b"null", {}),
        (415, json.dumps(job()).encode(), {"Content-Type": "text/plain"}),
        (415, json.dumps(job()).encode(), {"Content-Type": "application/json; charset=utf-16"}),
        (415, json.dumps(job()).encode(), {"Content-Encoding": "gzip"}),
        (413, b'{"a": "' + b"x" * 10_000_000 + b'"}', {}),
    ]
    with served(mounted(read_s=0.5)) as server, held_memory() as most_held:
        for status, body, headers in junk:
            try:
                answer = hook.post(server, body, headers=headers)
            except requests.ConnectionError:
                # Refused while the body was still on its way.
                assert status == 413
            else:
                assert answer.status_code == status, (body[:60], answer.text)
        for status, said in endless(server, hook):
            assert said.startswith(b"HTTP/1.1 %d" % status), said[:200]
        assert hook.post(server, job()).status_code == 200, "it goes on"
        assert most_held() < 8_000_000, "of ten million bytes no more is held than is allowed"
    assert len(hook.events()) == 1


@contextmanager
def held_memory() -> Iterator[Callable[[], int]]:
    """Tells the most bytes that Python has held meanwhile, more than at the beginning."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_no_body_and_no_head_is_too_odd_to_be_answered(server, address):
    hook = address()
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    inside = st.recursive(leaves, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=8)
    changed = st.dictionaries(st.sampled_from([*job(), "notification"]), inside).map(lambda change: {**job(), **change})
    bodies = st.binary(max_size=300) | changed.map(lambda value: json.dumps(value).encode())
    kinds = st.sampled_from(["application/json", "application/json;charset=UTF-8", "text/json", ""])

    @settings(max_examples=40, deadline=None, database=None)
    @given(bodies, kinds)
    def answered(body: bytes, kind: str) -> None:
        status = hook.post(server, body, headers={"Content-Type": kind}).status_code
        assert status == 200 or 400 <= status < 500, status

    answered()


def endless(server: Served, hook: Address) -> Iterator[tuple[int, bytes]]:
    """Bodies that do not end, or not in time: the status that is due, and what came back."""
    head = f"POST {hook.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    yield 413, server.exchange(head + b"Content-Length: 999999999999\r\n\r\n")
    chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
    yield 413, server.exchange(head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 5)
    yield 408, server.exchange(head + b'Content-Length: 100\r\n\r\n{"a"')
    yield 400, server.exchange(head + b"Content-Length: -1\r\n\r\n")


def test_slow_senders_keep_nobody_else_waiting(address):
    hook = address()
    head = f"POST {hook.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    with served(mounted(read_s=3.0)) as server, ThreadPoolExecutor(20) as pool:
        assert hook.post(server, job()).status_code == 200
        slow = [pool.submit(server.exchange, head.encode()) for _ in range(20)]
        stranger = requests.post(f"{server.url}{PREFIX}/roboflow/{hook.conn_id}/x", timeout=60)
        assert stranger.status_code == 404, "the slots are behind the secret"
        statuses = sorted(said.result()[:12] for said in slow)
        assert set(statuses) == {b"HTTP/1.1 408", b"HTTP/1.1 503"}
        assert hook.post(server, job()).status_code == 200


def test_too_many_notifications_of_one_connection_are_put_off_and_those_of_another_are_not(server, address):
    hook, other = address(), address()
    body = json.dumps(job("e")).encode()
    with requests.Session() as session:
        statuses = [
            session.post(server.url + hook.path, data=body, headers={"Content-Type": "application/json"}, timeout=60)
            for _ in range(300)
        ]
    put_off = [answer for answer in statuses if answer.status_code == 429]
    assert put_off
    assert put_off[0].headers["Retry-After"] == "1"
    assert other.post(server, job()).status_code == 200


def test_guessing_connections_costs_few_look_ups(address):
    from airflow_visionbatch.receiver import addresses  # noqa: PLC0415
    from airflow_visionbatch.receiver.limits import Rate  # noqa: PLC0415

    hook = address()
    with served(mounted(lookups=Rate(0.001, 5))) as server:
        assert hook.post(server, job()).status_code == 200
        statuses = [
            requests.post(f"{server.url}{PREFIX}/roboflow/guess{number}/x", timeout=60).status_code
            for number in range(20)
        ]
        assert statuses == [404] * 4 + [429] * 16
        assert hook.post(server, job()).status_code == 200, "who is known is not kept out"
    assert addresses.KNOWN < 10_000


def test_an_event_without_effect_may_be_delivered_again(server, address, monkeypatch, airflow):
    hook = address()
    hook.watched()
    # The manager of assets cannot write as long as somebody else holds the database.
    body = job("e-1")
    hook.post(server, job("first"))
    holder = sqlite3.connect(airflow.home / "airflow.db", isolation_level=None, timeout=30)
    holder.execute("begin immediate")
    try:
        assert hook.post(server, body).status_code == 503
    finally:
        holder.execute("rollback")
        holder.close()
    assert hook.post(server, body).json() == {"detail": "taken"}
    assert [extra["event_id"] for _, extra in hook.events()] == ["first", "e-1"]


def test_results_of_vias_are_landed_once_as_json_lines(server, address, tmp_path):
    hook = address("huawei_vias", webhook_folder=str(tmp_path / "landed"))
    hook.watched("task-a")
    first = [event("task-a", f"M-{number}", stream_id="a\n\u2028\ud800") for number in range(5)]
    for body in [*first, *reversed(first), event("task-b", "M-9")]:
        assert hook.post(server, body).status_code == 200
    hook.post(server, event("task-a", "M-1", stream_id="forged"))
    lines = [path.read_bytes() for path in sorted((tmp_path / "landed" / "task-a").iterdir())]
    assert [line.count(b"\n") for line in lines] == [1] * 5
    assert sorted((json.loads(line) for line in lines), key=str) == sorted(first, key=str)
    assert len(list((tmp_path / "landed" / "task-b").iterdir())) == 1
    assert [uri for uri, _ in hook.events()] == ["", "/task-a", ""], "one event a task and minute"


def test_results_are_landed_once_also_by_two_receivers_and_after_a_restart(address, tmp_path):
    hook = address("huawei_vias", webhook_folder=str(tmp_path / "landed"))
    body = event("task-a")
    for _ in range(2):
        with served(mounted()) as one, served(mounted()) as two:
            gate = threading.Barrier(4)

            def deliver(server: Served, gate: threading.Barrier = gate) -> int:
                gate.wait(30)
                return hook.post(server, body).status_code

            with ThreadPoolExecutor(4) as pool:
                assert set(pool.map(deliver, [one, one, two, two])) <= {200, 503}
            assert hook.post(one, body).status_code == 200
    (landed,) = (tmp_path / "landed" / "task-a").iterdir()
    assert json.loads(landed.read_bytes()) == body


def test_results_that_cannot_be_landed_are_asked_for_again(server, address, tmp_path):
    (tmp_path / "landed").write_bytes(b"a file where the folder should be")
    hook = address("huawei_vias", webhook_folder=str(tmp_path / "landed"))
    body = event("task-a")
    assert hook.post(server, body).status_code == 503
    (tmp_path / "landed").unlink()
    assert hook.post(server, body).status_code == 200
    assert len(list(Path(tmp_path / "landed" / "task-a").iterdir())) == 1


def test_a_picture_fits(server, address):
    hook = address("huawei_vias")
    assert hook.post(server, event("task-a", image_base64="A" * 3_000_000)).status_code == 200


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({}, "leads to airflow, a name without a domain"),
        ({"webhook_base_url": "https://10.0.0.7"}, "leads to 10.0.0.7, which is private"),
        ({"webhook_base_url": "https://169.254.169.254"}, "link-local"),
        ({"webhook_base_url": "https://0x7f.1"}, "loopback"),
        ({"webhook_base_url": "http://airflow.example.com"}, "is not one of https"),
        ({"webhook_base_url": "https://me@airflow.example.com", "webhook_inside": True}, "user information"),
        ({"webhook_base_url": "https://0x7f.1", "webhook_inside": True}, "loopback"),
        ({"webhook_base_url": "https://10.0.0.7", "webhook_inside": "true"}, "private"),
        ({"webhook_secret": "too short"}, "takes no webhooks"),
    ],
    ids=str,
)
def test_an_address_that_the_service_cannot_reach_is_refused_and_not_told(address, monkeypatch, extra, says):
    from airflow_visionbatch.receiver.addresses import receiver_url  # noqa: PLC0415
    from visionbatch.errors import UsageError  # noqa: PLC0415

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow")
    hook = address(**extra)
    with pytest.raises(UsageError, match=says) as refused:
        receiver_url("roboflow", hook.conn_id)
    assert hook.secret not in str(refused.value)


def test_the_form_has_a_field_for_all_that_the_receiver_reads_of_a_connection():
    from airflow_visionbatch.connection_form import WEBHOOK_EXTRAS, WEBHOOK_FIELDS  # noqa: PLC0415
    from airflow_visionbatch.receiver import addresses  # noqa: PLC0415

    read = set(re.findall(r'"(webhook_\w+)"', Path(addresses.__file__).read_text()))
    assert read == WEBHOOK_EXTRAS
    assert WEBHOOK_FIELDS["webhook_secret"]["schema"]["format"] == "password"


def test_the_url_of_a_connection_is_a_secret(address):
    from airflow_visionbatch.receiver.addresses import receiver_url  # noqa: PLC0415

    hook = address(webhook_base_url="https://airflow.example.com/team/")
    url = receiver_url("roboflow", hook.conn_id)
    assert url.reveal() == f"https://airflow.example.com/team{hook.path}"
    assert hook.secret not in f"{url} {url!r}"
    assert str(url).startswith("<airflow.example.com #")


def test_the_api_server_finds_the_receiver_among_the_plugins():
    from airflow import plugins_manager  # noqa: PLC0415
    from airflow_visionbatch.plugins.webhooks import Receiver  # noqa: PLC0415

    if hasattr(plugins_manager, "get_fastapi_plugins"):
        apps, _ = plugins_manager.get_fastapi_plugins()
    else:
        plugins_manager.initialize_fastapi_plugins()
        apps = plugins_manager.fastapi_apps
    (ours,) = [app for app in apps if app["url_prefix"] == PREFIX]
    assert isinstance(ours["app"], Receiver)


def test_the_plugin_costs_other_processes_nothing():
    """Workers and triggerers load it too; what serves it is imported at the first request."""
    program = (
        "import sys, airflow.plugins_manager, airflow.providers.common.compat.sdk as sdk; sdk.AirflowPlugin\n"
        "before = set(sys.modules)\n"
        "import airflow_visionbatch.plugins.webhooks\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    added = set(done.stdout.split())
    assert {name.partition(".")[0] for name in added} <= {"airflow_visionbatch", "visionbatch"}
    assert not [name for name in added if "receiver" in name]


def test_the_assets_of_the_receiver_have_one_form_each():
    from airflow.sdk import Asset  # noqa: PLC0415

    from airflow_visionbatch.receiver.assets import hook_asset, hook_uri  # noqa: PLC0415

    assert hook_asset("roboflow", "rf").uri == hook_uri("roboflow", "rf") == "visionbatch-hook://roboflow/rf"
    assert hook_asset("huawei_vias", "v", "a b/c").uri == "visionbatch-hook://huawei_vias/v/a%20b%2Fc"
    assert Asset(uri="visionbatch-hook://roboflow/rf/night-1/?a=b#c").uri == hook_uri("roboflow", "rf", "night-1")
    for wrong in ("deepomatic/rf", "roboflow", "roboflow/rf/a/b", "roboflow//b", "me@roboflow/rf"):
        with pytest.raises(ValueError, match="the form of the address"):
            Asset(uri=f"visionbatch-hook://{wrong}")


def test_addresses_that_are_none_are_kept_within_bounds_and_never_push_out_one_that_is():
    from airflow_visionbatch.receiver.addresses import KNOWN, Address, AddressBook  # noqa: PLC0415

    now = [0.0]
    book = AddressBook(lambda service, conn_id: None, clock=lambda: now[0])
    real = Address("roboflow", "rf", "s" * 32)
    book.keep("roboflow", "rf", real)
    for number in range(3 * KNOWN):
        book.keep("roboflow", f"guess{number}", None)
    assert len(book._none) == KNOWN
    assert book.known("roboflow", "rf") == (True, real)
    now[0] = 61.0
    assert book.known("roboflow", "rf") == (False, real), "it is looked up again, and the old one is at hand"
    book.keep("roboflow", "rf", None)
    assert book.known("roboflow", "rf") == (True, None)
    assert "s" * 32 not in repr(real)


def test_a_rate_comes_back_with_time():
    from airflow_visionbatch.receiver.limits import Rate, RateLimit  # noqa: PLC0415

    now = [0.0]
    limit = RateLimit(Rate(per_s=2, burst=3), most=2, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [limit.take("a") for _ in range(2)] == [True, False]
    now[0] = 100
    assert [limit.take("a") for _ in range(4)] == [True, True, True, False]
    assert [limit.take(key) for key in "bcd"] == [True] * 3
    assert len(limit._left) == 2


async def test_a_changed_secret_stops_working_however_much_somebody_guesses():
    from airflow_visionbatch.receiver.addresses import FRESH_S, AddressBook  # noqa: PLC0415
    from airflow_visionbatch.receiver.addresses import Address as Kept  # noqa: PLC0415
    from airflow_visionbatch.receiver.app import Limits, Receiver  # noqa: PLC0415
    from airflow_visionbatch.receiver.bodies import Refusal  # noqa: PLC0415
    from airflow_visionbatch.receiver.limits import Rate  # noqa: PLC0415

    now, (old, new) = [0.0], ("o" * 32, "n" * 32)
    kept = {"c": Kept("huawei_vias", "c", old)}
    book = AddressBook(lambda _, conn_id: kept.get(conn_id), clock=lambda: now[0])

    async def status(receiver: Receiver, conn_id: str, secret: str) -> int:
        try:
            await receiver._address("huawei_vias", conn_id, secret)
        except Refusal as refusal:
            return refusal.status
        return 200

    receiver = Receiver(Limits(lookups=Rate(0.001, 2), renewals=Rate(0.001, 1)), book)
    assert await status(receiver, "c", old) == 200
    kept["c"] = Kept("huawei_vias", "c", new)
    now[0] += FRESH_S + 1
    assert [await status(receiver, f"x{number}", "z" * 32) for number in range(3)][-1] == 429
    assert [await status(receiver, "c", secret) for secret in (old, new)] == [404, 200]
    now[0] += FRESH_S + 1
    assert await status(receiver, "c", new) == 200, "no look-up is left, and the last one is young enough"
    now[0] += FRESH_S
    assert await status(receiver, "c", new) == 503, "and now it is not"
