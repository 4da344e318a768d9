"""What waits for Roboflow: for a batch that is ready, for one job, and for any job that ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from support.airflow_runs import PaperTi, TaskRun, paper_context
from support.arguments import documented, own_arguments, said_to_be_templated
from support.features import Feature, needs
from support.outputs import Outputs
from support.patience import until
from visionbatch_mock.roboflow.lifecycle import JobState
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

WAYS: dict[str, dict[str, Any]] = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}
COUNT, LIST, GET = "roboflow.batches.count", "roboflow.jobs.list", "roboflow.jobs.get"


@pytest.fixture
def ready() -> Any:
    from airflow_visionbatch.sensors.roboflow import RoboflowBatchReadySensor  # noqa: PLC0415

    return RoboflowBatchReadySensor


@pytest.fixture
def ended() -> Any:
    from airflow_visionbatch.sensors.roboflow import RoboflowJobSensor  # noqa: PLC0415

    return RoboflowJobSensor


@pytest.fixture
def run_sensor(airflow, workspace):
    def run(sensor: Any, **given: Any) -> TaskRun:
        return airflow.run(sensor, **{"poke_interval": 0.1, "timeout": 30.0, **given})

    return run


@pytest.fixture
def jobs(tenant, workspace) -> Outputs:
    return Outputs(tenant)


def manifest(expected: int, parts: int | None = None) -> dict[str, Any]:
    """As `RoboflowStageOperator` returns it, as far as a sensor looks at it."""
    shards = "" if parts is None else f"/{parts}"
    return {"batch_id": "photos", "expected": expected, "ready_ref": f"photos/{expected}{shards}"}


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_is_ready_when_all_that_was_sent_is_there(run_sensor, ready, staged, tenant, way):
    staged(4)
    plan = tenant.faults.plan({"instructions": {COUNT: ["return-503", "html-502"]}})
    run = run_sensor(ready, batch=manifest(4), **WAYS[way])
    assert plan.completed
    assert (run.state, run.errors) == ("success", [])
    assert (run.result["phase"], run.result["counts"]) == ("succeeded", {"total": 4, "succeeded": 4, "failed": 0})


@pytest.mark.parametrize("way", ["poke", "deferrable"])
@pytest.mark.parametrize(("expected", "seen"), [(5, "has not ended"), (3, "more items than were sent")])
def test_a_batch_with_less_or_more_than_was_sent_is_not_ready(run_sensor, ready, staged, way, expected, seen):
    staged(4)
    run = run_sensor(ready, batch="photos", expected=str(expected), timeout=0.4, **WAYS[way])
    assert run.state == "failed"
    assert type(run.error).__name__ == ("AirflowSensorTimeout" if expected > 4 else "JobFailed")
    if way == "deferrable" or expected < 4:
        assert seen in str(run.error)


def test_the_manifest_of_the_task_before_is_enough(airflow, workspace, ready, tenant, tmp_path):
    from airflow_visionbatch.operators.roboflow_stage import RoboflowStageOperator  # noqa: PLC0415
    from support.orders import photo  # noqa: PLC0415

    tenant.configure(roboflow_lost_shards=(2,))
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(photo(number, 60))

    def upstream() -> dict[str, Any]:
        settings = {"images_per_shard": 2}
        task = RoboflowStageOperator(task_id="stage", source=str(tmp_path), kind="shards", settings=settings)
        return {"batch": task.output}

    run = airflow.run(ready, poke_interval=0.1, timeout=30.0, on_partial="fail", upstream=upstream, retries=2)
    assert (run.state, run.tries, type(run.error).__name__) == ("failed", 1, "JobPartial")
    assert "1 of 3 shards failed" in str(run.error)


@pytest.mark.parametrize("way", WAYS)
def test_a_job_is_waited_for_to_its_end(run_sensor, ended, jobs, way):
    jobs.job("j-1")
    run = run_sensor(ended, job={"batch_id": "j-1"}, **WAYS[way])
    assert (run.state, run.result["phase"]) == ("success", "succeeded")
    page = "https://app.roboflow.com/mock-workspace"
    assert (run.xcoms["console_url"], run.xcoms["_link_RoboflowJobLink"]) == (page, page)
    assert len(json.dumps(run.result)) < 4096


@pytest.mark.parametrize("way", ["poke", "deferrable"])
def test_a_job_that_failed_fails_the_task(run_sensor, ended, jobs, way):
    jobs.job("j-1", until=JobState.FAILED)
    run = run_sensor(ended, job="j-1", **WAYS[way])
    assert (run.state, type(run.error).__name__) == ("failed", "JobFailed")
    assert "j-1" in str(run.error)


def test_a_job_that_nobody_knows_may_still_appear(ended, workspace):
    from visionbatch.errors import NotFound  # noqa: PLC0415

    task = ended(task_id="task", job="j-9", poke_interval=1.0)
    assert not task.poke(paper_context(PaperTi(started_s_ago=30)))
    with pytest.raises(NotFound, match="j-9"):
        task.poke(paper_context(PaperTi(started_s_ago=90)))


def test_one_that_starts_in_the_triggerer_is_given_its_text(ready):
    task = ready(task_id="task", batch="{{ ti.xcom_pull('stage')['ready_ref'] }}", start_from_trigger=True)
    kwargs = task.start_trigger_args.trigger_kwargs
    assert (kwargs["service"], kwargs["ref"]) == ("roboflow_batches", "{{ ti.xcom_pull('stage')['ready_ref'] }}")
    assert set(kwargs) & set(task.template_fields) == {"ref", "conn_id"}
    with pytest.raises(ValueError, match="start_from_trigger"):
        ready(task_id="task", batch="photos", expected=4, start_from_trigger=True)


def test_every_argument_is_documented_and_templated_as_it_says(ready, ended):
    from airflow_visionbatch.sensors.remote import RemoteSensor  # noqa: PLC0415

    common = own_arguments(RemoteSensor)
    for sensor, own in ((ready, {"batch", "expected"}), (ended, {"job"})):
        assert set(documented(sensor)) == own_arguments(sensor) == own | {"roboflow_conn_id"} | common
        assert said_to_be_templated(sensor) | {"ref", "conn_id"} == set(sensor.template_fields)


def told_by(trigger: Any, stream: Any = None) -> tuple[list[dict[str, Any]], asyncio.Task[None]]:
    """A trigger at work as the triggerer runs it, and what it has told."""
    payloads: list[dict[str, Any]] = []

    async def listen() -> None:
        async with aclosing(trigger.run() if stream is None else trigger.filter_shared_stream(stream)) as events:
            async for event in events:
                payloads.append(event.payload)  # noqa: PERF401  # read while it grows

    return payloads, asyncio.create_task(listen())


def force(tenant: Tenant, job_id: str, state: JobState) -> None:
    room = tenant.roboflow
    with room.lock:
        room.jobs.get(job_id).force(state)


@needs(Feature.SHARED_STREAMS)
async def test_jobs_that_end_are_events_and_one_list_serves_all_watchers(tenant, jobs):
    from airflow.triggers.shared_stream import SharedStreamManager  # noqa: PLC0415

    from airflow_visionbatch.triggers.job_events import RoboflowJobEventTrigger  # noqa: PLC0415

    jobs.job("j-before")
    for job_id in ("j-1", "j-2"):
        jobs.job(job_id, until=JobState.PROCESSING)
    manager, watches = SharedStreamManager(), []
    for number in range(10):
        wishes = {"outcomes": ["failed"]} if number % 2 else {}
        trigger = RoboflowJobEventTrigger(poll_interval=0.05, **wishes)
        stream = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        watches.append(told_by(trigger, stream))
    await until(lambda: len(tenant.journal.entries(LIST)) >= 3)
    force(tenant, "j-1", JobState.SUCCEEDED)
    force(tenant, "j-2", JobState.FAILED)
    await until(lambda: all(len(payloads) == 2 - number % 2 for number, (payloads, _) in enumerate(watches)))
    for _, task in watches:
        task.cancel()
    await asyncio.gather(*(task for _, task in watches), return_exceptions=True)
    await manager.stop_all()
    everything, failures = watches[0][0], watches[1][0]
    assert {(payload["job_id"], payload["outcome"]) for payload in everything} == {("j-1", "done"), ("j-2", "failed")}
    assert [payload["job_id"] for payload in failures] == ["j-2"]
    assert all(payload["service"] == "roboflow" and len(json.dumps(payload)) < 2048 for payload in everything)
    assert not tenant.journal.entries(GET)


def test_what_the_list_cannot_tell_is_refused_when_the_dag_is_read():
    from airflow_visionbatch.triggers.job_events import RoboflowJobEventTrigger  # noqa: PLC0415

    with pytest.raises(ValueError, match="done, failed"):
        RoboflowJobEventTrigger(outcomes=["partial"])
    path, arguments = RoboflowJobEventTrigger(label_prefix="night").serialize()
    assert path.endswith("job_events.RoboflowJobEventTrigger")
    assert (arguments["conn_id"], arguments["label_prefix"]) == ("roboflow_default", "night")
