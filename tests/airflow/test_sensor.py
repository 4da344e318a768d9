"""`DeepomaticBatchSensor`: waiting for a batch that something else has made."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from support.airflow_runs import PaperTi, TaskRun, paper_context
from support.arguments import documented, own_arguments
from support.books import GET
from support.meanwhile import meanwhile
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

UNKNOWN = "7d0f5a52-3c11-4d8f-8f5c-2f6f5f0b9a11"
WAYS = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


@pytest.fixture
def sensor() -> Any:
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor  # noqa: PLC0415

    return DeepomaticBatchSensor


@pytest.fixture
def run_sensor(airflow, connection, sensor):
    def run(batch_id: str, **arguments: Any) -> TaskRun:
        return airflow.run(sensor, **{"batch_id": batch_id, "poke_interval": 0.1, "timeout": 30.0, **arguments})

    return run


@pytest.fixture
def on_paper(connection, sensor):
    def make(batch_id: str, **arguments: Any) -> Any:
        return sensor(**{"task_id": "task", "batch_id": batch_id, "poke_interval": 0.1, "timeout": 30.0, **arguments})

    return make


@pytest.fixture
def after_looks(books):
    """Do something in the background once the service was asked that often."""
    with ExitStack() as acts:
        yield lambda looks, act: acts.enter_context(meanwhile(lambda: len(books.requests(GET)) >= looks, act))


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_when_the_batch_has_ended_well(run_sensor, batch, after_looks, way):
    after_looks(2, lambda: batch.force(BatchState.SUCCESS))
    run = run_sensor(batch.id, **WAYS[way])
    assert (run.state, run.errors) == ("success", [])
    assert (run.result["phase"], run.result["native"]) == ("succeeded", "success")
    assert len(json.dumps(run.result)) < 4096


@pytest.mark.parametrize("way", WAYS)
def test_the_link_is_there_while_it_waits(run_sensor, connection, batch, way):
    connection(extra={"console_url": "https://studio.example.com/batches/{batch_id}"})
    run = run_sensor(batch.id, timeout=0.3, **WAYS[way])
    page = f"https://studio.example.com/batches/{batch.id}"
    assert (run.xcoms["console_url"], run.xcoms["_link_DeepomaticBatchLink"]) == (page, page)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("soft_fail", [False, True], ids=["hard", "soft"])
def test_a_timeout_fails_or_skips(run_sensor, batch, way, soft_fail):
    run = run_sensor(batch.id, timeout=0.4, soft_fail=soft_fail, retries=2, **WAYS[way])
    assert (run.state, run.tries) == ("skipped" if soft_fail else "failed", 1)
    if not soft_fail:
        assert type(run.error).__name__ == "AirflowSensorTimeout"


def test_a_timeout_in_the_triggerer_says_what_was_seen_last(run_sensor, batch):
    run = run_sensor(batch.id, timeout=0.4, deferrable=True)
    assert batch.id in str(run.error)
    assert "last seen running" in str(run.error)


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_in_the_middle_is_lived_through(run_sensor, tenant, batch, after_looks, way):
    plan = tenant.faults.plan({"instructions": {GET: ["pass", "return-503", "html-502", "return-reset-connection"]}})
    after_looks(5, lambda: batch.force(BatchState.SUCCESS))
    run = run_sensor(batch.id, **WAYS[way])
    assert plan.completed
    assert (run.state, run.tries) == ("success", 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_that_failed_fails_the_task(run_sensor, batch, way):
    batch.force(BatchState.ERROR)
    run = run_sensor(batch.id, **WAYS[way])
    assert run.state == "failed"
    assert type(run.error).__name__ == "JobFailed"
    assert batch.id in str(run.error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("on_partial", "state"), [("warn", "success"), ("fail", "failed")])
def test_on_partial_decides(run_sensor, batch, way, on_partial, state):
    batch.force(BatchState.PARTIAL_SUCCESS)
    run = run_sensor(batch.id, on_partial=on_partial, **WAYS[way])
    assert run.state == state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("soft_fail", [False, True], ids=["hard", "soft"])
def test_a_wrong_key_spends_no_retries_and_is_never_skipped_over(run_sensor, tenant, batch, way, soft_fail):
    tenant.revoke()
    run = run_sensor(batch.id, retries=2, soft_fail=soft_fail, **WAYS[way])
    assert (run.state, run.tries) == ("failed", 1)
    assert "Check the API key in the connection" in str(run.error)


def test_an_unknown_batch_may_still_appear(on_paper, tenant):
    assert not on_paper(UNKNOWN).poke(paper_context(PaperTi(started_s_ago=30)))


@pytest.mark.parametrize(
    ("mode", "since"),
    [("poke", {"started_s_ago": 90}), ("reschedule", {"rescheduled_s_ago": 90})],
)
def test_a_batch_that_stays_unknown_is_an_error(on_paper, mode, since):
    from visionbatch.errors import NotFound  # noqa: PLC0415

    with pytest.raises(NotFound, match=UNKNOWN):
        on_paper(UNKNOWN, mode=mode).poke(paper_context(PaperTi(**since)))


def test_a_rescheduled_look_counts_from_the_first_one(on_paper):
    ti = PaperTi(started_s_ago=90, rescheduled_s_ago=30)
    assert not on_paper(UNKNOWN, mode="reschedule").poke(paper_context(ti))


def test_starting_in_the_triggerer_names_the_trigger_and_templates_its_arguments(on_paper):
    from airflow_visionbatch.triggers.snapshot import SnapshotTrigger  # noqa: PLC0415

    task = on_paper("{{ params.batch_id }}", start_from_trigger=True, poke_interval=7.0, timeout=60.0)
    start = task.start_trigger_args
    assert start.trigger_cls == f"{SnapshotTrigger.__module__}.{SnapshotTrigger.__qualname__}"
    assert set(start.trigger_kwargs) & set(task.template_fields) == {"ref", "conn_id"}
    trigger = SnapshotTrigger(**start.trigger_kwargs)
    assert (trigger.ref, trigger.conn_id) == ("{{ params.batch_id }}", "deepomatic_default")
    assert trigger.pace == {"first_s": 7.0, "longest_s": 7.0}
    assert start.timeout.total_seconds() == 60
    assert callable(getattr(task, start.next_method))


def test_where_airflow_starts_it_in_a_worker_all_the_same_it_goes_to_the_triggerer_at_once(on_paper, batch, books):
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    with pytest.raises(TaskDeferred):
        on_paper(batch.id, start_from_trigger=True, deferrable=False).execute(paper_context())
    assert not books.requests(GET)


def test_templated_fields_are_rendered(run_sensor, connection, batch):
    connection("site_b")
    batch.force(BatchState.SUCCESS)
    run = run_sensor(
        "{{ params.batch }}", deepomatic_conn_id="{{ params.site }}", params={"batch": batch.id, "site": "site_b"}
    )
    assert run.state == "success"
    assert (run.rendered["batch_id"], run.rendered["deepomatic_conn_id"]) == (batch.id, "site_b")


def test_every_argument_is_documented_and_known_to_these_tests(sensor):
    known = {"batch_id", "deepomatic_conn_id", "on_partial", "deferrable", "start_from_trigger", "end_from_trigger"}
    assert set(documented(sensor)) == own_arguments(sensor) == known
