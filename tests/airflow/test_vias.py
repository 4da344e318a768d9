"""VIAS from Airflow: the shipped Dag as a whole, and tasks through ``dag.test()`` or with a context of paper."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from support.airflow_runs import PaperState, PaperTi, is_small_json, paper_context
from support.arguments import documented, own_arguments, said_to_be_templated
from support.meanwhile import stopped
from support.obs import ResultBucket, events_in, obs_service
from support.patience import wait_until
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

DAGS = Path(__file__).parents[2] / "dags" / "vias_batch_task.py"
CREATE, LIST = "vias.batch_tasks.create", "vias.batch_tasks.list"
CREATED, DELETED, STOPPED = "vias.batch_created", "vias.batch_deleted", "vias.task_stopped"
SECRET = "a-secret-of-thirty-two-characters-or-more"
QUICK = dict.fromkeys(["PENDING", "STARTING", "RUNNING", "STOPPING"], 0.1)


def groups(*sources: str) -> list[dict[str, Any]]:
    listed = [{"video_source_id": source} for source in sources or ("source-0001", "source-0002")]
    return [{"video_source_group_id": "group-0001", "video_source_list": listed}]


BODY = {
    "name": "nightly",
    "service_name": "fire",
    "service_version": "1.0",
    "batch_input": {"video_source_group": groups()},
    "output": {"event_center": True},
}


@pytest.fixture
def tenant(mock: MockServer) -> Tenant:
    """A customer whose video sources are made at their first mention, and whose tasks are in a hurry."""
    tenant = mock.world.tenant(f"AK{secrets.token_hex(8)}")
    tenant.configure(vias_open_sources=True, vias_durations=QUICK)
    return tenant


@pytest.fixture
def project(mock: MockServer, tenant: Tenant, connection: Any) -> Callable[..., str]:
    """This test's customer is behind ``huawei_vias_default`` too; call it to change the connection."""

    def connect(conn_id: str = "huawei_vias_default", **changes: Any) -> str:
        extra = {"iam_url": mock.url, **changes.pop("extra", {})}
        whole = {"conn_type": "huawei_vias", "host": mock.url, "login": tenant.token, "password": "secret", **changes}
        connection.raw(conn_id, {**whole, "extra": extra})
        return conn_id

    connect()
    return connect


@pytest.fixture
def operator() -> Any:
    from airflow_visionbatch.operators.vias import ViasCreateBatchTaskOperator  # noqa: PLC0415

    return ViasCreateBatchTaskOperator


@pytest.fixture
def arguments(project, records) -> dict[str, Any]:
    return {"body": BODY, "poll_interval": 0.05, **records.arguments}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with obs_service() as url:
        yield url


@pytest.fixture
def store(endpoint: str, tenant: Tenant, project: Any) -> Iterator[ResultBucket]:
    store = ResultBucket(endpoint, tenant)
    project(extra={"obs_url": endpoint, "obs_addressing": "path"})
    yield store
    store.close()


def created(tenant: Tenant) -> list[str]:
    return [str(entry["batch_id"]) for entry in tenant.ledger.entries(CREATED)]


def made_elsewhere(on_paper: Any, **more: Any) -> str:
    return str(on_paper(wait=False, **more).execute(paper_context())["batch_id"])


def test_the_shipped_dag_goes_from_sources_to_files(airflow, store, tenant, tmp_path):
    given = {"groups": groups(), "bucket": store.name, "results": str(tmp_path)}
    run = airflow.run_shipped(DAGS, "vias_batch_task", given)
    assert set(run.states.values()) == {"success"}
    (made,), (fetched,) = run.results("run"), run.results("fetch")
    assert is_small_json(made)
    assert is_small_json(fetched)
    assert ([made["batch_id"]], made["outcome"]) == (created(tenant), "done")
    assert fetched["source"].startswith(f"obs://{store.name}/inspection-")


@pytest.mark.parametrize("account", ["key", "user"])
@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
def test_a_batch_is_made_once_and_its_id_and_link_are_known_while_it_runs(
    run_task, tenant, project, caplog, deferrable, account
):
    page = "https://console.example.com/{region}/{batch_id}"
    user = {"auth": "user", "domain": "firm"} if account == "user" else {}
    project(password="password" if user else "secret", extra={"console_url": page, **user})
    plan = tenant.faults.plan({"instructions": {CREATE: ["drop-response"]}})
    with caplog.at_level(logging.INFO):
        run = run_task(deferrable=deferrable)
    assert plan.completed
    assert (run.state, run.errors) == ("success", [])
    (batch_id,) = created(tenant)
    link = f"https://console.example.com/cn-north-4/{batch_id}"
    xcoms = run.xcoms
    assert (xcoms["batch_id"], xcoms["console_url"], xcoms["_link_ViasBatchLink"]) == (batch_id, link, link)
    manifest = run.result
    assert is_small_json(manifest)
    assert manifest == xcoms["manifest"]
    assert (manifest["batch_id"], manifest["outcome"], manifest["counts"]["succeeded"]) == (batch_id, "done", 2)
    assert (run.record["stage"], run.record["ref"]) == ("ended", batch_id)
    assert "SUCCEEDED       2  100.0%  ####################" in caplog.text
    tokens = len(tenant.ledger.entries("iam.token_issued"))
    assert bool(tokens) == (account == "user")


@pytest.mark.parametrize(("on_partial", "state"), [("accept:1", "success"), ("fail", "failed")])
def test_a_batch_of_which_a_task_could_not_be_made_is_judged_and_spends_no_retries(run_task, tenant, on_partial, state):
    tenant.configure(vias_refusals={"create": ["source-0002"]})
    run = run_task(on_partial=on_partial, retries=2, deferrable=True)
    assert (run.state, run.tries) == (state, 1)
    assert [run.xcoms["batch_id"]] == created(tenant)
    if state == "failed":
        assert type(run.reason).__name__ == "JobPartial"
        assert "1 of 2 tasks could not be made" in str(run.reason)
    else:
        assert run.result["errors"]["creation"]["failed"] == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
def test_live_streams_are_waited_for_until_they_run_and_never_to_an_end(run_task, tenant, deferrable):
    tenant.vias.places.add_source("cam", "camera", source_id="camera-0001")
    body = {**BODY, "batch_input": {"video_source_group": groups("camera-0001")}}
    refused = run_task(body=body, retries=2, deferrable=deferrable)
    assert (refused.state, refused.tries, created(tenant)) == ("failed", 1, [])
    assert "live stream" in str(refused.reason)
    run = run_task(body=body, wait_for="running", deferrable=deferrable)
    assert (run.state, run.result["status"]) == ("success", "RUNNING 1")
    week = {"type": "weekly", "timezone": "+08:00", "days_of_week": [1], "periods": [[{"begin_at": "08:00:00", "end_at": "12:00:00"}]]}  # fmt: skip # noqa: E501
    planned = run_task(schedule=week)
    assert "weekly schedule" in str(planned.reason)
    assert run_task(schedule=week, name="planned", wait=False).state == "success"
    assert len(created(tenant)) == 2


def test_mapped_items_in_another_order_inherit_nothing_from_each_other(on_paper, tenant):
    """Their tasks find each other's records then, as Airflow keeps them by map index."""
    north = {"name": "north", "groups": groups("source-0001")}
    south = {"name": "south", "groups": groups("source-0002", "source-0003")}
    left, right = paper_context(), paper_context()
    first = [on_paper(**item).execute(context) for item, context in ((north, left), (south, right))]
    for item, context in ((south, left), (north, right)):
        # By its record this task has not made the batch of that name, and which batch it is nobody can tell by a name.
        with pytest.raises(Exception, match="which this run has not made"):
            on_paper(**item).execute(context)
    assert created(tenant) == [made["batch_id"] for made in first]
    assert not tenant.ledger.entries(STOPPED) + tenant.ledger.entries(DELETED)


def test_mapped_items_that_keep_their_records_by_name_may_come_in_any_order(on_paper, tenant, tmp_path):
    records = f"file://{tmp_path}"
    items = {"north": groups("source-0001"), "south": groups("source-0002", "source-0003")}
    contexts = [paper_context(), paper_context()]

    def run(names: list[str]) -> dict[str, str]:
        made = {}
        for name, context in zip(names, contexts, strict=True):
            task = on_paper(name=name, groups=items[name], state_path=f"{records}/{name}.json")
            made[name] = task.execute(context)["batch_id"]
        return made

    assert run(["north", "south"]) == run(["south", "north"])
    assert len(created(tenant)) == 2


@pytest.fixture
def killed_while_it_waits(on_paper, tenant, monkeypatch):
    """Run an operator that is told to stop while it looks."""
    from airflow_visionbatch import ownership  # noqa: PLC0415

    def kill(state: str, **more: Any) -> None:
        monkeypatch.setattr(ownership, "_state", lambda task_instance: state)
        tenant.configure(vias_durations={**QUICK, "RUNNING": 3600})
        stopped(on_paper(**more), lambda: created(tenant) and len(tenant.journal.entries(LIST)) >= 4)

    return kill


@pytest.mark.parametrize(("state", "how"), [("failed", "stop"), ("failed", "delete"), ("running", "delete")])
def test_a_kill_stops_or_deletes_the_batch_of_a_task_that_was_ended_and_no_other(
    killed_while_it_waits, tenant, state, how
):
    killed_while_it_waits(state, on_cancel=how)
    if state == "failed":
        wait_until(lambda: tenant.ledger.entries(STOPPED if how == "stop" else DELETED))
    deleted = [entry["batch_id"] for entry in tenant.ledger.entries(DELETED)]
    assert deleted == (created(tenant) if (state, how) == ("failed", "delete") else [])
    assert bool(tenant.ledger.entries(STOPPED)) == ((state, how) == ("failed", "stop"))


@pytest.mark.parametrize(("state", "deleted"), [("failed", 1), ("deferred", 0), (None, 0)])
async def test_so_does_a_kill_of_a_task_that_waits_in_the_triggerer(on_paper, tenant, monkeypatch, state, deleted):
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    from airflow_visionbatch import ownership  # noqa: PLC0415

    tenant.configure(vias_durations={**QUICK, "RUNNING": 3600})
    with pytest.raises(TaskDeferred) as deferred:
        on_paper(deferrable=True, on_cancel="delete").execute(paper_context())
    monkeypatch.setattr(ownership, "_state", lambda task_instance: state)
    trigger = deferred.value.trigger
    trigger.task_instance = PaperTi()
    await trigger.on_kill()
    assert len(tenant.ledger.entries(DELETED)) == deleted


def test_the_commands_that_a_trigger_names_for_what_it_leaves_alone_are_there(capsys):
    from airflow_visionbatch.triggers.snapshot import BY_HAND  # noqa: PLC0415
    from visionbatch.cli import main  # noqa: PLC0415

    for command in BY_HAND.values():
        assert main([*command.split(), "--help"]) == 0
        assert f"{command} [OPTIONS]" in capsys.readouterr().out


def action(name: str, noun: str = "BatchTask", **arguments: Any) -> Any:
    kind = getattr(import_module("airflow_visionbatch.operators.vias_actions"), f"Vias{name}{noun}Operator")
    return kind(task_id="task", **arguments)


def test_batches_are_stopped_started_changed_and_deleted(on_paper, tenant):
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    manifest = on_paper(wait=False).execute(paper_context())
    for name in ("Stop", "Start"):
        assert action(name, batch_id=manifest).execute({})["succeeded"] == 2
    fields = {"description": "changed", "groups": groups("source-0003")}
    assert action("Update", batch_id=manifest, body=BODY, fields=fields).execute({})["failed"] == 0
    assert tenant.ledger.entries("vias.batch_updated")
    assert action("Delete", batch_id=manifest["batch_id"]).execute({})["succeeded"] >= 1
    assert action("Delete", batch_id="0" * 32).execute({})["gone"]
    with pytest.raises(Exception, match="an update changes"):
        action("Update", batch_id="b-01", body=BODY, fields={"service_name": "smoke"}).execute({})


def test_single_tasks_are_stopped_started_and_deleted_and_found_through_the_hook(on_paper, tenant):
    from airflow_visionbatch.hooks.vias import ViasHook  # noqa: PLC0415

    tenant.configure(vias_lives={"*": ["RUNNING"]}, vias_refusals={"start": ["source-0002"]})
    made_elsewhere(on_paper)
    with ViasHook().get_conn() as client:
        good, bad = sorted(client.single.list(), key=lambda entry: entry.source)
        assert [entry.name for entry in client.sources.list("source")] == ["source-0002", "source-0001"]
    assert action("Stop", "Task", vias_task_id=good.task_id).execute({})["task_id"] == good.task_id
    assert action("Start", "Task", vias_task_id=good.task_id).execute({})["status"] == 200
    with pytest.raises(Exception, match=r"VIAS\.00010012"):
        action("Start", "Task", vias_task_id=bad.task_id).execute({})
    assert action("Delete", "Task", vias_task_id=good.task_id).execute({})["message"] == "success"
    assert action("Delete", "Task", vias_task_id="0" * 32).execute({})["gone"]


@pytest.mark.parametrize(("on_partial", "refused"), [("fail", True), ("warn", False), ("accept:1", False)])
def test_a_partial_answer_is_judged(on_paper, tenant, on_partial, refused):
    tenant.configure(vias_refusals={"stop": ["source-0001"]}, vias_lives={"*": ["RUNNING"]})
    stop = action("Stop", batch_id=made_elsewhere(on_paper), on_partial=on_partial)
    if refused:
        with pytest.raises(Exception, match="1 of 2 tasks could not be stopped"):
            stop.execute({})
    else:
        assert stop.execute({})["failed"] == 1


@pytest.fixture
def sensor() -> Any:
    from airflow_visionbatch.sensors.vias import ViasBatchTaskSensor  # noqa: PLC0415

    return ViasBatchTaskSensor


@pytest.mark.parametrize("mode", [{}, {"deferrable": True}, {"start_from_trigger": True}], ids=str)
@pytest.mark.parametrize(("wait_for", "native"), [("finished", "SUCCEEDED 2"), ("STOPPED,SUCCEEDED", "SUCCEEDED 2")])
def test_a_sensor_waits_for_what_it_is_told_to(airflow, on_paper, project, sensor, mode, wait_for, native):
    batch_id = made_elsewhere(on_paper)
    run = airflow.run(sensor, batch_id=batch_id, wait_for=wait_for, poke_interval=0.1, timeout=60, **mode)
    assert (run.state, run.errors) == ("success", [])
    assert (run.result["phase"], run.result["native"]) == ("succeeded", native)


def test_a_sensor_refuses_what_never_ends_and_tells_what_failed(airflow, on_paper, tenant, sensor):
    tenant.vias.places.add_source("cam", "camera", source_id="camera-0001")
    batch_id = made_elsewhere(on_paper, groups=groups("camera-0001"), name="live")
    refused = airflow.run(sensor, batch_id=batch_id, timeout=60, retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)
    assert "live stream" in str(refused.reason)
    assert airflow.run(sensor, batch_id=batch_id, wait_for="running", poke_interval=0.1, timeout=60).state == "success"
    tenant.configure(vias_lives={"*": ["FAILED"]})
    lost = airflow.run(sensor, batch_id=made_elsewhere(on_paper, name="lost"), poke_interval=0.1, timeout=60)
    assert (lost.state, type(lost.reason).__name__) == ("failed", "JobFailed")


def test_patience_with_abnormal_tasks_outlives_a_rescheduled_poke_and_a_recovery_ends_it(on_paper, sensor, tenant):
    tenant.configure(vias_lives={"*": ["ABNORMAL"]})
    made = {"task_id": "task", "batch_id": made_elsewhere(on_paper), "mode": "reschedule", "poke_interval": 1}
    context = paper_context()
    kept = context.setdefault("task_state_store", PaperState())
    key = "visionbatch_unwell_since"
    assert not sensor(**made).poke(context).is_done
    first = kept.get(key)
    assert not sensor(**made).poke(context).is_done
    assert kept.get(key) == int(first)
    (task, _) = tenant.vias.tasks()
    for each in tenant.vias.tasks():
        tenant.vias.force(each.id, "RUNNING")
    assert not sensor(**made).poke(context).is_done
    assert kept.get(key) is None
    tenant.vias.force(task.id, "ABNORMAL")
    assert not sensor(**made).poke(context).is_done
    # As if it had been so an hour ago, in a process that is long gone.
    kept.set(key, kept.get(key) - 3600)
    tenant.vias.force(tenant.vias.tasks()[1].id, "ABNORMAL")
    with pytest.raises(Exception, match="ABNORMAL"):
        sensor(**made).poke(context)
    assert kept.get(key) is None


def test_a_sensor_that_pokes_in_one_process_has_patience_without_airflows_state(on_paper, sensor, tenant):
    tenant.configure(vias_lives={"*": ["ABNORMAL"]})
    task = sensor(task_id="task", batch_id=made_elsewhere(on_paper))
    context = {"ti": PaperTi()}
    assert not task.poke(context).is_done
    assert task._unwell_since is not None
    task._unwell_since -= 3600
    with pytest.raises(Exception, match="ABNORMAL"):
        task.poke(context)


async def test_so_does_patience_with_a_batch_that_a_task_defers_to(on_paper, tenant, records):
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    tenant.configure(vias_lives={"*": ["ABNORMAL"]})
    context = paper_context()
    with pytest.raises(TaskDeferred) as deferred:
        on_paper(deferrable=True, retries=1).execute(context)
    ref = deferred.value.trigger.ref
    (since,) = parse_qs(ref.partition("?")[2])["unwell_since"]
    assert records.read(context)["notes"]["vias_unwell_since"] == int(since)
    # A triggerer that is started again has nothing but the row, here of an hour ago.
    arguments = {**deferred.value.trigger.serialize()[1], "ref": ref.replace(since, str(int(since) - 3600))}
    (event,) = [event async for event in type(deferred.value.trigger)(**{**arguments, "not_before": None}).run()]
    assert (event.payload["snapshot"]["phase"], event.payload["snapshot"]["native"]) == ("failed", "ABNORMAL 2")


@pytest.fixture
def fetch(project) -> Any:
    from airflow_visionbatch.operators.vias_results import ViasFetchResultsOperator  # noqa: PLC0415

    return lambda **more: ViasFetchResultsOperator(task_id="task", **more)


@pytest.mark.parametrize("place", ["", "file://"])
def test_a_stream_is_read_into_json_lines_and_by_the_next_run_from_where_it_was(
    mock, on_paper, project, tenant, fetch, tmp_path, place
):
    project(extra={"dis_url": mock.url})
    manifest = on_paper(outputs={"dis": {"stream_name": "inspections"}}).execute(paper_context())
    tenant.vias.deliver()
    task = {"source": "dis://inspections", "destination": f"{place}{tmp_path}/landed", "batch_id": manifest}
    told = fetch(**task).execute(paper_context())
    assert (told["counts"]["events"], is_small_json(told)) == (2, True)
    landed = {json.loads(path.read_text())["message_id"] for path in tmp_path.glob("landed/*/*.jsonl")}
    assert landed == {entry["message_id"] for entry in tenant.ledger.entries("vias.result_streamed")}
    again = fetch(**task).execute(paper_context())
    assert (again["outcome"], again["counts"]["repeated"]) == ("nothing", 0)
    with pytest.raises(Exception, match="read to its end"):
        fetch(**{**task, "until": "2026-01-01T00:00:00Z"}).execute(paper_context())


def test_results_of_one_batch_are_fetched_verified_and_told(on_paper, store, tenant, fetch, tmp_path):
    manifest = on_paper(outputs=store.output()).execute(paper_context())
    on_paper(outputs=store.output(), name="other").execute(paper_context())
    wait_until(lambda: len(events_in(store.contents())) == 4)
    context = paper_context()
    source = f"obs://{store.name}/yard"
    told = fetch(source=source, destination=str(tmp_path), batch_id=manifest).execute(context)
    assert is_small_json(told)
    assert context["ti"].pushed["manifest"] == told
    assert (told["outcome"], told["counts"]["events"], told["counts"]["not_wanted"]) == ("done", 2, 2)
    kept = {(tmp_path / path).read_bytes() for path in told["files"]}
    assert len(kept) == 4
    assert kept < set(store.contents().values())
    again = fetch(source=source, destination=str(tmp_path), batch_id=manifest["batch_id"]).execute(paper_context())
    assert again["counts"]["fetched_bytes"] == 0
    alone = fetch(source=source, destination=str(tmp_path / "b"), pictures=False, since="2026-01-01T00:00:00Z")
    assert alone.execute(paper_context())["counts"]["files"] == 4


def test_a_bucket_is_opened_with_a_key_of_its_own_where_the_account_is_a_user(store, project, fetch, tmp_path):
    from visionbatch.errors import ConfigError  # noqa: PLC0415

    given = {"source": f"obs://{store.name}", "destination": str(tmp_path)}
    obs = {"obs_url": store.endpoint, "obs_addressing": "path"}
    project(password="password", extra={"auth": "user", **obs})
    with pytest.raises(ConfigError, match="access key"):
        fetch(**given).execute(paper_context())
    project("bucket_reader", extra=obs)
    assert fetch(**given, obs_conn_id="bucket_reader").execute(paper_context())["outcome"] == "nothing"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"login": None}, "no access key in its login"),
        ({"password": None}, "no secret key in its password"),
        ({"extra": {"auth": "magic"}}, "auth is access_key or user"),
        ({"extra": {"regoin": "cn-north-4"}}, "regoin"),
        ({"extra": {"obs_addressing": "sideways"}}, "obs_addressing is virtual or path"),
    ],
)
def test_a_connection_that_cannot_be_is_named(project, changes, named):
    from airflow_visionbatch.hooks.vias import ViasHook  # noqa: PLC0415

    project(**changes)
    good, message = ViasHook().test_connection()
    assert not good
    assert named in message


def test_a_connection_is_tested_at_the_service(project, tenant):
    from airflow_visionbatch.hooks.vias import ViasHook  # noqa: PLC0415

    good, message = ViasHook().test_connection()
    assert (good, message) == (True, f"Project {tenant.iam.project_id} answers and accepts the account.")
    project(password="wrong")
    good, message = ViasHook().test_connection()
    assert not good
    assert "wrong" not in message.replace("wrong key", "")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"body": None, "name": "nightly"}, "needs service_name, service_version, groups, outputs"),
        ({"body": "{broken"}, "no JSON"),
        ({"groups": groups("NOT AN ID")}, "source-id"),
        ({"outputs": {"webhook": {"url": "http://10.0.0.1/x", "headers": {"a": "a"}}}}, "webhook-inside"),
        ({"wait_for": "sometime"}, "wait_for is running, finished"),
        ({"on_cancel": "burn"}, "on_cancel is stop or delete"),
        ({"notify": True}, "takes no webhooks"),
        ({"on_partial": "maybe"}, "maybe"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_asked(on_paper, tenant, wrong, named):
    with pytest.raises(Exception, match=named):
        on_paper(**wrong).execute(paper_context())
    assert not tenant.journal.entries()


def test_the_address_of_the_receiver_is_shown_nowhere(on_paper, project, tenant, caplog):
    project(extra={"webhook_secret": SECRET, "webhook_base_url": "http://127.0.0.1:9", "webhook_inside": True})
    context = paper_context()
    with caplog.at_level(logging.DEBUG):
        task = on_paper(notify=True, wait=False)
        manifest = task.execute(context)
    (batch,) = tenant.vias.batches()
    assert SECRET not in json.dumps([manifest, context["ti"].pushed]) + caplog.text
    assert SECRET not in "".join(repr(getattr(task, name)) for name in task.template_fields)
    assert batch.fields["output"]["webhook"]["url"].endswith(SECRET)


def effects() -> dict[str, tuple[Any, Callable[[dict[str, Any]], Any]]]:
    """A value of each field of the request, and where it is found again in what the mock was asked."""
    week = {"type": "weekly", "timezone": "+08:00", "days_of_week": [1], "periods": [[]]}
    week["periods"] = [[{"begin_at": "08:00:00", "end_at": "12:00:00"}]]
    return {
        "name": ("another", lambda told: told["name"]),
        "service_name": ("smoke", lambda told: told["service_name"]),
        "service_version": ("2.0", lambda told: told["service_version"]),
        "groups": (groups("source-0009"), lambda told: told["batch_input"]["video_source_group"]),
        "outputs": ({"event_center": True, "dis": {"stream_name": "s-1"}}, lambda told: told["output"]),
        "description": ("of the yard", lambda told: told["description"]),
        "schedule": (week, lambda told: told["schedule"]),
        "common": ({"fire": 1}, lambda told: told["config"]["common"]),
        "save_as_template": (True, lambda told: told["is_saved_as_template"]),
        "resource_order_id": ("order-0001", lambda told: told["resource_order_id"]),
        "extra_body": ({"priority": "low"}, lambda told: {"priority": told["priority"]}),
    }


def test_every_field_reaches_the_request_over_the_body_or_without_one(operator, on_paper):
    from airflow_visionbatch.operators.vias import TASK_FIELDS  # noqa: PLC0415
    from visionbatch import Outputs, VideoSource, VideoSourceGroup  # noqa: PLC0415

    given = effects()
    assert set(given) == set(TASK_FIELDS)
    values = {name: value for name, (value, _) in given.items()}
    for task in (on_paper(**values), on_paper(**{**values, "body": None}), on_paper(body=json.dumps(BODY), **values)):
        told = task._task().to_json()
        for name, (value, where) in given.items():
            assert where(told) == value, name
    typed = (VideoSourceGroup("group-0001", (VideoSource("source-0009"),)),)
    told = on_paper(groups=typed, outputs=Outputs(event_center=True))._task().to_json()
    assert told["batch_input"]["video_source_group"] == groups("source-0009")


KINDS = [
    "operators.vias.ViasCreateBatchTaskOperator",
    "operators.vias_actions.ViasStartBatchTaskOperator",
    "operators.vias_actions.ViasStopBatchTaskOperator",
    "operators.vias_actions.ViasDeleteBatchTaskOperator",
    "operators.vias_actions.ViasUpdateBatchTaskOperator",
    "operators.vias_actions.ViasStartTaskOperator",
    "operators.vias_actions.ViasStopTaskOperator",
    "operators.vias_actions.ViasDeleteTaskOperator",
    "operators.vias_results.ViasFetchResultsOperator",
    "sensors.vias.ViasBatchTaskSensor",
]


@pytest.mark.parametrize("path", KINDS)
def test_every_argument_is_documented_and_said_to_be_templated(path):
    module, _, name = path.rpartition(".")
    kind = getattr(import_module(f"airflow_visionbatch.{module}"), name)
    assert set(documented(kind)) == own_arguments(kind)
    assert said_to_be_templated(kind) == set(kind.template_fields) - {"ref", "conn_id"}
