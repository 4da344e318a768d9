"""`DeepomaticRunBatchOperator`: whole tasks through ``dag.test()``, and single methods with a context of paper."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from typing import Any

import pytest

from support.airflow_runs import PaperTi, Records, TaskRun, is_small_json, paper_context
from support.arguments import documented, own_arguments, said_to_be_templated
from support.books import CHUNKS, CREATE, DELETE, GET, PROBES
from support.meanwhile import stopped
from support.orders import CHUNK, sha256, zip_orders

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

BLURRED = {"WO_2": "blurred"}


@pytest.fixture
def operator() -> Any:
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    return DeepomaticRunBatchOperator


@pytest.fixture
def run_batch(airflow, connection, operator, orders, records):
    """Run the operator over the sample orders, looking often."""

    def run(**arguments: Any) -> TaskRun:
        return airflow.run(operator, **{"source": str(orders), "poll_interval": 0.05, **records.arguments, **arguments})

    return run


@pytest.fixture
def on_paper(connection, operator, orders, records):
    """An operator outside any Dag run, on which single methods are called."""

    def make(**arguments: Any) -> Any:
        given = {"task_id": "task", "source": str(orders), "poll_interval": 0.05, **records.arguments, **arguments}
        return operator(**given)

    return make


def a_failure(run: TaskRun) -> str:
    """The text of the failure that no retry was spent on."""
    assert (run.state, run.tries) == ("failed", 1)
    return str(run.error)


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
@pytest.mark.parametrize("profile", ["strict", "rich"])
def test_a_batch_goes_from_folder_to_manifest(run_batch, tenant, books, archive, profile, deferrable):
    tenant.configure(profile=profile)
    run = run_batch(deferrable=deferrable)
    assert (run.state, run.errors) == ("success", [])
    batch_id = books.processed_once(archive)
    manifest = run.result
    assert is_small_json(manifest)
    assert (manifest["batch_id"], manifest["outcome"], manifest["status"]) == (batch_id, "done", "success")
    assert (manifest["archive"]["size"], manifest["archive"]["work_orders"]) == (len(archive), 2)
    assert run.xcoms["manifest"] == manifest
    assert run.record["stage"] == "ended"
    assert len(books.requests(CREATE)) == 1
    books.sent_no_key_on_the_data_plane()


def test_id_and_link_are_known_before_the_first_byte(run_batch, connection, tenant, books):
    connection(extra={"console_url": "https://studio.example.com/batches/{batch_id}"})
    tenant.faults.plan({"instructions": {CHUNKS: ["return-403"]}})
    run = run_batch(retries=2)
    (batch,) = tenant.batches.all()
    assert "ask for a new batch" in a_failure(run)
    assert not books.effects("bytes.persisted")
    page = f"https://studio.example.com/batches/{batch.id}"
    assert (run.xcoms["batch_id"], run.xcoms["console_url"]) == (batch.id, page)
    assert run.xcoms["_link_DeepomaticBatchLink"] == page
    assert (run.record["ref"], run.record["stage"]) == (batch.id, "created")
    assert "return_value" not in run.xcoms


def test_wait_false_ends_when_the_archive_has_arrived(run_batch, tenant, books, archive):
    tenant.configure(lifecycle="manual")
    run = run_batch(wait=False)
    assert (run.state, run.result["outcome"]) == ("success", "submitted")
    assert run.result["batch_id"] == books.arrived_once(archive)
    assert is_small_json(run.result)
    assert run.record["stage"] == "uploaded"


def test_a_ready_made_zip_is_sent_as_it_is(run_batch, books, orders, tmp_path):
    ready = zip_orders(orders, tmp_path / "orders.zip")
    assert run_batch(source=str(ready)).state == "success"
    (committed,) = books.effects("archive.committed")
    assert committed["sha256"] == sha256(ready.read_bytes())


@pytest.fixture
def memory_store():
    """fsspec's filesystem in memory, attached to Airflow as ``memory://``, with and without a connection."""
    import fsspec  # noqa: PLC0415
    from airflow.sdk.io import attach  # noqa: PLC0415

    filesystem = fsspec.filesystem("memory")
    attach("memory", fs=filesystem)
    attach("memory", conn_id="store", fs=filesystem)
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_source_in_an_object_store_makes_the_same_archive(
    run_batch, books, orders, archive, tmp_path, memory_store, kind
):
    if kind == "folder":
        place = "memory://bucket/orders"
        memory_store.put(str(orders), "/bucket/orders", recursive=True)
    else:
        place = "memory://bucket/orders.zip"
        archive = zip_orders(orders, tmp_path / "orders.zip").read_bytes()
        memory_store.pipe_file("/bucket/orders.zip", archive)
    run = run_batch(source=place)
    assert (run.state, run.errors) == ("success", [])
    books.processed_once(archive)


@pytest.mark.parametrize("with_connection", [False, True], ids=["plain", "through a connection"])
def test_a_file_address_is_a_folder_on_the_worker(run_batch, connection, books, orders, archive, with_connection):
    connection.raw("disk", {"conn_type": "fs"})
    run = run_batch(source=f"file://{orders}", source_conn_id="disk" if with_connection else None)
    assert (run.state, run.errors) == ("success", [])
    books.processed_once(archive)


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
@pytest.mark.parametrize("place", ["local", "object store"])
def test_error_report_and_manifest_are_kept(run_batch, tenant, tmp_path, memory_store, place, deferrable):
    tenant.configure(analysis_failures=BLURRED, error_report="json")
    report_path = str(tmp_path / "reports") if place == "local" else "memory://reports/today"
    run = run_batch(report_path=report_path, deferrable=deferrable)
    manifest = run.result
    assert (run.state, manifest["outcome"]) == ("success", "partial")
    names = {f"{manifest['batch_id']}.errors.json", f"{manifest['batch_id']}.manifest.json"}
    if place == "local":
        found = {path.name: path.read_bytes() for path in (tmp_path / "reports").iterdir()}
    else:
        found = {name.rsplit("/", 1)[-1]: memory_store.cat_file(name) for name in memory_store.find("/reports/today")}
    assert set(found) == names
    assert manifest["errors"]["location"] == f"{report_path}/{manifest['batch_id']}.errors.json"
    assert json.loads(found[f"{manifest['batch_id']}.manifest.json"]) == manifest
    assert "blurred" in found[f"{manifest['batch_id']}.errors.json"].decode()


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
@pytest.mark.parametrize(
    ("on_partial", "state"),
    [
        ("warn", "success"),
        ("fail", "failed"),
        ("accept:1", "success"),
        ("accept:0", "failed"),
        ("accept:40%", "failed"),
    ],
)
def test_on_partial_decides_and_the_manifest_is_there_either_way(run_batch, tenant, on_partial, state, deferrable):
    tenant.configure(profile="rich", analysis_failures=BLURRED)
    run = run_batch(on_partial=on_partial, deferrable=deferrable)
    assert run.state == state
    manifest = run.xcoms["manifest"]
    assert is_small_json(manifest)
    assert (manifest["outcome"], manifest["counts"]) == ("partial", {"total": 2, "succeeded": 1, "failed": 1})
    assert ("return_value" in run.xcoms) == (state == "success")
    if state == "failed":
        assert f"on_partial={on_partial}" in str(run.error)


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
def test_a_failed_batch_fails_the_task_and_leaves_its_manifest(run_batch, tenant, deferrable):
    tenant.configure(profile="rich", analysis_failures={"WO_1": "blurred", **BLURRED})
    run = run_batch(deferrable=deferrable)
    assert run.state == "failed"
    assert run.xcoms["manifest"]["outcome"] == "failed"
    assert type(run.error).__name__ == "JobFailed"


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
@pytest.mark.parametrize("on_timeout", ["leave", "cancel"])
@pytest.mark.usefixtures("hand_clock")
def test_on_timeout_leaves_or_cancels_the_batch(run_batch, connection, tenant, books, on_timeout, deferrable):
    connection(extra={"console_url": "https://studio.example.com/batches/{batch_id}"})
    tenant.configure(lifecycle="manual")
    run = run_batch(timeout=1.0, on_timeout=on_timeout, deferrable=deferrable)
    (batch_id,) = {entry["batch_id"] for entry in books.effects("batch.created")}
    assert run.state == "failed"
    assert type(run.reason).__name__ == "DeadlinePassed"
    assert batch_id in str(run.error)
    assert "last seen" in str(run.error)
    assert run.xcoms["console_url"].endswith(batch_id)
    assert [entry["batch_id"] for entry in books.effects("batch.deleted")] == (
        [batch_id] if on_timeout == "cancel" else []
    )


@pytest.fixture
def killed_while_it_waits(on_paper, tenant, books, monkeypatch):
    """Run an operator that is told to stop while it looks at its batch."""
    from airflow_visionbatch import ownership  # noqa: PLC0415

    def kill(state: str | None, **arguments: Any) -> None:
        monkeypatch.setattr(ownership, "_state", lambda task_instance: state)
        tenant.configure(lifecycle="manual")
        stopped(on_paper(timeout=60.0, **arguments), lambda: len(books.requests(GET)) >= 2)

    return kill


@pytest.mark.parametrize(
    ("state", "arguments", "deleted"),
    [
        ("failed", {}, True),
        ("failed", {"cancel_on_kill": False}, False),
        ("running", {}, False),
        ("queued", {}, False),
        (None, {}, False),
        (None, {"cancel_on_unknown": True}, True),
    ],
)
def test_a_kill_deletes_the_batch_of_a_task_that_was_ended_and_no_other(
    killed_while_it_waits, books, state, arguments, deleted
):
    killed_while_it_waits(state, **arguments)
    created = [entry["batch_id"] for entry in books.effects("batch.created")]
    assert [entry["batch_id"] for entry in books.effects("batch.deleted")] == (created if deleted else [])


def test_a_kill_outside_of_its_work_does_nothing(on_paper, books):
    task = on_paper()
    task.on_kill()
    assert task.execute(paper_context())["outcome"] == "done"
    task.on_kill()
    assert not books.requests(DELETE)


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
def test_an_outage_right_after_the_upload_costs_no_try(run_batch, tenant, books, archive, deferrable):
    plan = tenant.faults.plan({"instructions": {GET: ["return-503", "html-502", "return-reset-connection"]}})
    run = run_batch(deferrable=deferrable)
    assert plan.completed
    assert (run.state, run.errors) == ("success", [])
    books.processed_once(archive)


def test_a_retry_goes_on_in_the_middle_of_the_archive(run_batch, tenant, books, archive):
    plan = tenant.faults.plan({"instructions": {CHUNKS: ["pass", "pass", "return-412"]}})
    run = run_batch(retries=1)
    assert plan.completed
    assert (run.state, run.tries) == ("success", 2)
    assert type(run.error).__name__ == "UploadRefused"
    assert books.processed_once(archive) == run.result["batch_id"]
    assert len(books.requests(CREATE)) == 1
    assert len(books.requests(PROBES)) >= 1
    assert books.sent_bytes <= len(archive) + CHUNK


@pytest.mark.usefixtures("hand_clock")
def test_a_deadline_that_has_passed_spends_no_retries(run_batch, tenant):
    tenant.configure(lifecycle="manual")
    run = run_batch(retries=5, timeout=2.0, deferrable=True)
    assert (run.state, run.tries) == ("failed", 1)


def test_a_second_run_of_the_same_dag_makes_its_own_batch(run_batch, books):
    assert {run_batch().state, run_batch().state} == {"success"}
    assert len(books.effects("archive.committed")) == 2


def test_work_orders_that_break_a_rule_are_named_and_nothing_is_sent(run_batch, books, orders, tmp_path):
    source = tmp_path / "orders"
    shutil.copytree(orders, source)
    (source / "WO_1" / "cabinet-0.jpg").write_bytes(b"not a photo")
    text = a_failure(run_batch(source=str(source), retries=2))
    assert "WO_1/cabinet-0.jpg" in text
    assert re.search(r"\[[a-z.-]+\]|[a-z]+-[a-z-]+", text), "the rule is not named"
    assert "Mend the source" in text
    assert not books.requests(CREATE)


def test_a_folder_that_is_not_there_spends_no_retries(run_batch, tmp_path):
    text = a_failure(run_batch(source=str(tmp_path / "nowhere"), retries=2))
    assert str(tmp_path / "nowhere") in text
    assert "object store" in text


def test_a_wrong_key_spends_no_retries(run_batch, connection, books):
    connection(password="invalid-%/+=-key")
    text = a_failure(run_batch(retries=2))
    assert "403" in text
    assert "Check the API key in the connection" in text
    assert "invalid-%/+=-key" not in text


def test_a_key_that_is_revoked_while_it_waits_spends_no_retries(run_batch, tenant):
    tenant.configure(lifecycle="manual")
    tenant.faults.plan({"instructions": {GET: ["pass", "return-403"]}})
    text = a_failure(run_batch(retries=2, deferrable=True))
    assert "Check the API key in the connection" in text


@pytest.mark.parametrize(
    ("argument", "value", "named"),
    [
        ("on_partial", "maybe", "on_partial"),
        ("on_timeout", "explode", "explode"),
        ("on_clear", "shrug", "shrug"),
        ("on_input_change", "shrug", "shrug"),
        ("check", {"task_grups": ["cabinet"]}, "task_grups"),
        ("source", " ", "empty"),
    ],
)
def test_a_word_that_is_not_known_fails_before_anything_is_made(run_batch, books, argument, value, named):
    text = a_failure(run_batch(**{argument: value, "retries": 2}))
    assert named in text
    assert not books.requests(CREATE)


def test_templated_fields_are_rendered(run_batch, connection, tenant, books, orders, tmp_path, memory_store):
    connection("site_b")
    run = run_batch(
        params={
            "folder": str(orders),
            "label": "night",
            "reports": str(tmp_path),
            "groups": ["cabinet"],
            "partial": "accept:1",
            "site": "site_b",
        },
        source="{{ params.folder }}",
        batch_label="{{ params.label }}-{{ dag.dag_id }}",
        report_path="{{ params.reports }}/{{ dag.dag_id }}",
        check={"task_groups": ["{{ params.groups[0] }}"]},
        on_partial="{{ params.partial }}",
        state_path="memory://state/{{ params.label }}",
        deepomatic_conn_id="{{ params.site }}",
    )
    assert (run.state, run.errors) == ("success", [])
    assert run.rendered == {
        "source": str(orders),
        "batch_label": f"night-{run.dag_id}",
        "report_path": f"{tmp_path}/{run.dag_id}",
        "check": {"task_groups": ["cabinet"]},
        "on_partial": "accept:1",
        "state_path": "memory://state/night",
        "deepomatic_conn_id": "site_b",
    }
    assert (tmp_path / run.dag_id).is_dir()
    (batch,) = tenant.batches.all()
    assert str(batch.filename).startswith(f"night-{run.dag_id}.")


def test_the_record_may_be_kept_in_an_object_store(run_batch, tenant, memory_store):
    tenant.faults.plan({"instructions": {CHUNKS: ["pass", "return-412"]}})
    run = run_batch(state_path="memory://state/runs", retries=1)
    assert (run.state, run.tries, run.record) == ("success", 2, None)
    (name,) = memory_store.find("/state/runs")
    record = json.loads(memory_store.cat_file(name))
    assert record["ref"] == run.result["batch_id"]
    assert run.dag_id in name


def test_without_a_store_the_record_lives_as_long_as_the_try(on_paper, tenant):
    context = {"ti": PaperTi()}
    assert on_paper().execute(context)["outcome"] == "done"


class Effects:
    """One test for each argument of the constructor: what it changes, seen at the mock or in what comes out."""

    def source(self, make, tenant, books, orders, tmp_path):
        with pytest.raises(Exception, match="there is no /no/such/place"):
            make(source="/no/such/place").execute(paper_context())

    def deepomatic_conn_id(self, make, tenant, books, orders, tmp_path):
        with pytest.raises(Exception, match="another_site"):
            make(deepomatic_conn_id="another_site").execute(paper_context())

    def source_conn_id(self, make, tenant, books, orders, tmp_path):
        import fsspec  # noqa: PLC0415
        from airflow.sdk.io import attach  # noqa: PLC0415

        attach("memory", conn_id="vault", fs=fsspec.filesystem("dir", path=str(orders.parent), target_protocol="file"))
        make(source="memory://orders", source_conn_id="vault", wait=False).execute(paper_context())
        assert books.effects("archive.committed")

    def batch_label(self, make, tenant, books, orders, tmp_path):
        make(batch_label="the-label", wait=False).execute(paper_context())
        assert tenant.batches.all()[0].filename.startswith("the-label.")

    def report_path(self, make, tenant, books, orders, tmp_path):
        make(report_path=str(tmp_path / "out")).execute(paper_context())
        assert list((tmp_path / "out").glob("*.manifest.json"))

    def report_conn_id(self, make, tenant, books, orders, tmp_path):
        import fsspec  # noqa: PLC0415
        from airflow.sdk.io import attach  # noqa: PLC0415

        attach("memory", conn_id="shelf", fs=fsspec.filesystem("dir", path=str(tmp_path), target_protocol="file"))
        make(report_path="memory://reports", report_conn_id="shelf").execute(paper_context())
        assert list((tmp_path / "reports").glob("*.manifest.json"))

    def check(self, make, tenant, books, orders, tmp_path):
        with pytest.raises(Exception, match=r"cabinet-0\.jpg"):
            make(check={"task_groups": ["meter"]}).execute(paper_context())

    def timeout(self, make, tenant, books, orders, tmp_path):
        tenant.configure(lifecycle="manual")
        for patience in (0.2, timedelta(seconds=0.2)):
            with pytest.raises(Exception, match="has not ended by its deadline"):
                make(timeout=patience).execute(paper_context())
        context = paper_context()
        make(timeout=None, wait=False).execute(context)
        assert Records(tmp_path / "records").read(context)["deadline"] is None

    def wait(self, make, tenant, books, orders, tmp_path):
        assert make(wait=False).execute(paper_context())["outcome"] == "submitted"

    def deferrable(self, make, tenant, books, orders, tmp_path):
        from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

        tenant.configure(lifecycle="manual")
        with pytest.raises(TaskDeferred):
            make(deferrable=True).execute(paper_context())

    def end_from_trigger(self, make, tenant, books, orders, tmp_path):
        from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

        tenant.configure(lifecycle="manual")
        for shall in (False, True):
            with pytest.raises(TaskDeferred) as deferred:
                make(end_from_trigger=shall, deferrable=True).execute(paper_context())
            assert bool(deferred.value.trigger.end) is shall

    def poll_interval(self, make, tenant, books, orders, tmp_path):
        from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

        tenant.configure(lifecycle="manual")
        looks = []
        # The first of them is ahead of the machine's clock afterwards, by which the second has its deadline.
        for interval in (0.05, 5.0):
            before = len(books.requests(GET))
            with pytest.raises(Exception, match="deadline"):
                make(timeout=1.0, poll_interval=interval).execute(paper_context())
            looks.append(len(books.requests(GET)) - before)
        assert looks[1] <= 2 < looks[0]
        with pytest.raises(TaskDeferred) as deferred:
            make(deferrable=True, poll_interval=7.0).execute(paper_context())
        assert deferred.value.trigger.pace == {"first_s": 7.0, "longest_s": 84.0}

    def on_partial(self, make, tenant, books, orders, tmp_path):
        tenant.configure(profile="rich", analysis_failures=BLURRED)
        with pytest.raises(Exception, match="on_partial=fail"):
            make(on_partial="fail").execute(paper_context())

    def on_timeout(self, make, tenant, books, orders, tmp_path):
        tenant.configure(lifecycle="manual")
        with pytest.raises(Exception, match="deadline"):
            make(timeout=0.2, on_timeout="cancel").execute(paper_context())
        assert books.requests(DELETE)

    def on_retry(self, make, tenant, books, orders, tmp_path):
        for policy, batches in (("adopt", 1), ("fresh", 2)):
            context = paper_context(PaperTi(max_tries=3))
            make(wait=False).execute(context)
            context["ti"].try_number = 2
            make(wait=False, on_retry=policy).execute(context)
            assert len(books.effects("archive.committed")) == batches
            tenant.reset()
            tenant.configure(queued_s=0.0, processing_s=0.0)

    def on_clear(self, make, tenant, books, orders, tmp_path):
        for policy, batches in (("adopt", 1), ("cancel_and_new", 2)):
            context = paper_context()
            make(wait=False).execute(context)
            context["ti"].try_number, context["ti"].max_tries = 2, 1
            make(wait=False, on_clear=policy).execute(context)
            assert len(books.effects("archive.committed")) == batches
            tenant.reset()
            tenant.configure(queued_s=0.0, processing_s=0.0)

    def on_input_change(self, make, tenant, books, orders, tmp_path):
        changing = tmp_path / "orders"
        shutil.copytree(orders, changing)
        context = paper_context()
        make(source=str(changing), wait=False).execute(context)
        (changing / "WO_1" / "cabinet-0.jpg").unlink()
        with pytest.raises(Exception, match="not the one this run began with"):
            make(source=str(changing), wait=False).execute(context)
        make(source=str(changing), wait=False, on_input_change="cancel_and_new").execute(context)
        assert len(books.effects("archive.committed")) == 2

    def cancel_on_kill(self, make, tenant, books, orders, tmp_path):
        from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

        tenant.configure(lifecycle="manual")
        for shall in (False, True):
            with pytest.raises(TaskDeferred) as deferred:
                make(cancel_on_kill=shall, deferrable=True).execute(paper_context())
            assert deferred.value.trigger.cancel_on_kill is shall

    def cancel_on_unknown(self, make, tenant, books, orders, tmp_path):
        from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

        tenant.configure(lifecycle="manual")
        for shall in (False, True):
            with pytest.raises(TaskDeferred) as deferred:
                make(cancel_on_unknown=shall, deferrable=True).execute(paper_context())
            trigger = deferred.value.trigger
            assert (trigger.cancel_on_kill, trigger.cancel_on_unknown) == (True, shall)

    def state_path(self, make, tenant, books, orders, tmp_path):
        context = paper_context()
        make(state_path=f"file://{tmp_path}/state", wait=False).execute(context)
        assert (tmp_path / "state" / f"paper_dag.{context['ti'].run_id}.task.-1.json").exists()


EFFECTS = sorted(name for name in vars(Effects) if not name.startswith("_"))
TIMED = {"on_timeout", "poll_interval", "timeout"}


@pytest.mark.parametrize("argument", EFFECTS)
def test_every_argument_reaches_its_effect(on_paper, tenant, books, orders, tmp_path, request, argument):
    if argument in TIMED:
        request.getfixturevalue("hand_clock")
    getattr(Effects(), argument)(on_paper, tenant, books, orders, tmp_path)


def test_no_argument_is_without_a_test_of_its_effect(operator):
    assert own_arguments(operator) == set(EFFECTS)


def test_every_argument_is_documented(operator):
    assert set(documented(operator)) == own_arguments(operator)


def test_templated_arguments_are_said_to_be(operator):
    assert said_to_be_templated(operator) == set(operator.template_fields)
