"""Waiting at the mock: goals, recoveries, unknown states, streams and plans that never end, and many at once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from core.conftest import Faults
from core.vias.bodies import batch_task, groups
from core.vias.conftest import Project
from support.books import Books
from support.clocks import AsyncTenantClock
from visionbatch import Counts, OnPartial, Pace, Phase, hub, judge, vias_site
from visionbatch.errors import ConfigError, DeadlinePassed, NotFound
from visionbatch.pipelines.vias import Vias, batch_ref
from visionbatch.pipelines.vias_wait import wait
from visionbatch.vias.account import Account
from visionbatch.vias.schedule import Period, Schedule
from visionbatch_mock.tenant import Tenant

LIST, TASKS = "vias.batch_tasks.list", "vias.tasks.list"


def made(vias: Vias, *sources: str, **changes: Any) -> str:
    return vias.create(batch_task(groups=groups(*sources), **changes)).batch_id


@pytest.mark.parametrize("states_from", ["batches", "tasks"])
def test_files_are_waited_for_to_their_end(project: Project, states_from: str) -> None:
    vias = project(states_from=states_from)
    end = wait(vias, made(vias, "source-0001", "source-0002"))
    assert (end.phase, end.counts) == (Phase.SUCCEEDED, Counts(2, 2, 0))


def test_streams_are_waited_for_until_they_run(vias: Vias, tenant: Tenant) -> None:
    tenant.configure(vias_lives={"*": ["PENDING", "STARTING", "RUNNING"]})
    end = wait(vias, batch_ref(made(vias), "running"))
    assert (end.phase, end.native) == (Phase.SUCCEEDED, "RUNNING 1")


@pytest.mark.fault("SE20")
def test_a_mixed_end_is_a_table_in_the_log_and_a_matter_of_policy(
    vias: Vias, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.configure(vias_lives={"source-0002": ["PENDING", "LACK_OF_RESOURCES"]})
    batch_id = made(vias, "source-0001", "source-0002", "source-0003")
    with caplog.at_level(logging.INFO):
        end = wait(vias, batch_id)
    assert end.native == "SUCCEEDED 2, LACK_OF_RESOURCES 1"
    lines = [record.getMessage().split(": ", 1)[1] for record in caplog.records if "#" in record.getMessage()]
    assert [line.split()[:3] for line in lines[-2:]] == [
        ["SUCCEEDED", "2", "66.7%"],
        ["LACK_OF_RESOURCES", "1", "33.3%"],
    ]
    assert not judge(end, OnPartial.parse("fail")).accepted
    assert judge(end, OnPartial.parse("accept:1")).accepted


def test_what_recovers_from_abnormal_in_time_is_waited_for(project: Project, tenant: Tenant) -> None:
    tenant.configure(
        vias_lives={"*": ["PENDING", "RUNNING", "ABNORMAL", "RUNNING", "SUCCEEDED"]}, vias_durations={"ABNORMAL": 100}
    )
    vias = project(abnormal_s=600)
    assert wait(vias, made(vias)).phase is Phase.SUCCEEDED


def test_what_stays_abnormal_is_given_up(project: Project, tenant: Tenant, clock: Any) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING", "ABNORMAL"]})
    vias = project(abnormal_s=120)
    end = wait(vias, made(vias), deadline=clock.now() + 3600)
    assert (end.phase, end.native) == (Phase.FAILED, "ABNORMAL 1")
    assert 120 <= clock.elapsed < 600


@pytest.mark.parametrize("states_from", ["batches", "tasks"])
def test_patience_goes_on_with_the_reference_and_begins_anew_with_a_recovery(
    project: Project, tenant: Tenant, clock: Any, states_from: str
) -> None:
    tenant.configure(vias_lives={"*": ["ABNORMAL"]})
    batch_id = made(project())

    def look(since: float | None) -> tuple[Phase, float | None]:
        """One look of a process that knows no more than its reference."""
        ref, client = batch_ref(batch_id, unwell_since=since), project(abnormal_s=600, states_from=states_from)
        return client.status(ref).phase, client.api.unwell_since(ref)

    began = clock.now()
    phase, since = look(None)
    assert (phase, since) == (Phase.RUNNING, pytest.approx(began, abs=1))
    tenant.clock.advance(400)
    assert look(since) == (Phase.RUNNING, int(since or 0))
    (task,) = tenant.vias.tasks(batch_id)
    tenant.vias.force(task.id, "RUNNING")
    assert look(since) == (Phase.RUNNING, None)
    tenant.vias.force(task.id, "ABNORMAL")
    tenant.clock.advance(400)
    assert look(None)[0] is Phase.RUNNING
    assert look(since)[0] is Phase.FAILED


def test_a_client_that_saw_a_recovery_does_not_believe_an_old_reference(
    project: Project, tenant: Tenant, clock: Any
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    vias = project(abnormal_s=600)
    ref = batch_ref(made(vias), unwell_since=clock.now() - 3600)
    assert vias.status(ref).phase is Phase.RUNNING
    (task,) = tenant.vias.tasks()
    tenant.vias.force(task.id, "ABNORMAL")
    assert (vias.status(ref).phase, vias.api.unwell_since(ref)) == (Phase.RUNNING, pytest.approx(clock.now(), abs=1))
    with pytest.raises(ConfigError, match="unwell_since"):
        vias.status(f"{'0' * 32}?unwell_since=soon")


def test_an_unknown_state_is_kept_warned_of_once_and_polled_through(
    vias: Vias, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.configure(vias_lives={"*": ["HIBERNATING", "SUCCEEDED"]}, vias_durations={"HIBERNATING": 90})
    end = wait(vias, made(vias, "source-0001", "source-0002"))
    assert end.phase is Phase.SUCCEEDED
    warnings = [record.getMessage() for record in caplog.records if "HIBERNATING" in record.getMessage()]
    assert len([line for line in warnings if "not a word known here" in line]) == 1


def test_an_unknown_state_that_never_goes_is_waited_for_until_the_deadline_with_one_warning(
    vias: Vias, tenant: Tenant, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.configure(vias_lives={"*": ["HIBERNATING"]})
    with pytest.raises(DeadlinePassed):
        wait(vias, made(vias), deadline=clock.now() + 3600)
    assert [record.getMessage() for record in caplog.records if "not a word known here" in record.getMessage()][
        1:
    ] == []
    assert any("HIBERNATING" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("counters", [{"running": 1}, {"pending": 1}])
def test_an_end_that_a_second_look_takes_back_is_none(
    vias: Vias, tenant: Tenant, faults: Faults, counters: dict[str, int]
) -> None:
    batch_id = made(vias)
    tenant.configure(vias_lives={})
    entry = {"id": batch_id, "batch_task_name": "nightly", "num_task": 1, "batch_task_status_info": {"succeeded": 1}}
    once = {"fault": "set", "key": "batch_task_list", "value": [entry]}
    back = {"fault": "set", "key": "batch_task_list", "value": [{**entry, "batch_task_status_info": counters}]}
    faults(LIST, once, back)
    seen: list[Phase] = []
    end = vias.wait(batch_id, observe=lambda snapshot: seen.append(snapshot.phase))
    assert seen[0] is Phase.SUCCEEDED
    assert seen[1] in (Phase.RUNNING, Phase.QUEUED)
    assert end.phase is Phase.SUCCEEDED


@pytest.mark.fault("SE21")
def test_nobody_waits_for_the_end_of_a_weekly_plan(vias: Vias, books: Books) -> None:
    plan = Schedule("+08:00", {1: (Period("08:00:00", "12:00:00"),)})
    batch_id = made(vias, schedule=plan)
    with pytest.raises(ConfigError, match="weekly schedule and never ends") as refused:
        wait(vias, batch_id)
    assert "wait=False" in str(refused.value)
    assert "wait_for=running" in str(refused.value)
    assert not [entry for entry in books.requests(LIST) if entry.seq > books.requests(TASKS)[0].seq]


def test_nobody_waits_for_the_end_of_a_live_stream(vias: Vias) -> None:
    source = {
        "video_source_name": "yard",
        "access_type": "cloud",
        "type": "vcn",
        "type_config": "<type>VCN</type>",
    }
    camera = vias.ask("CreateVideoSource", body=source)["video_source_id"]
    batch_id = made(vias, camera)
    with pytest.raises(ConfigError, match=r"live stream \(vcn\)"):
        wait(vias, batch_id)
    assert wait(vias, batch_ref(batch_id, "running")).phase is Phase.SUCCEEDED


def test_a_batch_that_is_deleted_while_somebody_waits_is_not_found(vias: Vias, tenant: Tenant) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    batch_id = made(vias)
    deleted: list[Any] = []

    def once(_: Any) -> None:
        if not deleted:
            deleted.append(vias.delete(batch_id))

    with pytest.raises(NotFound):
        vias.wait(batch_id, observe=once)


def test_a_batch_that_was_renamed_is_still_found(vias: Vias) -> None:
    batch_id = made(vias)
    vias.update(batch_id, batch_task(name="renamed"))
    assert wait(vias, batch_ref(batch_id, "finished", "nightly")).phase is Phase.SUCCEEDED


def test_the_page_of_what_is_waited_for_names_the_batch_alone(project: Project) -> None:
    api = project(console_url="https://console.example.com/{region}/{batch_id}").api
    page = "https://console.example.com/cn-north-4/0d47"
    assert api.console_url("0d47") == api.console_url(batch_ref("0d47", "running", unwell_since=1)) == page


def test_a_wait_has_its_deadline(vias: Vias, tenant: Tenant, clock: Any) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    with pytest.raises(DeadlinePassed, match="RUNNING 1"):
        vias.wait(made(vias), deadline=clock.now() + 300)


async def test_one_list_serves_all_who_wait_on_a_loop(project: Project, books: Books, tenant: Tenant) -> None:
    vias, clock = project(), AsyncTenantClock(tenant)
    ids = [made(vias, name=f"run-{number:02}") for number in range(50)]

    async def account() -> Account:
        return project.key

    async def site() -> Any:
        return await vias_site(project.settings(), account, clock)

    before = len(books.requests(LIST))
    async with hub("vias", site, clock) as shared:
        tally = await shared.await_all(ids, pace=Pace(), deadline=None, on_partial=OnPartial())
    assert tally.well == 50
    assert len(books.requests(LIST)) - before < 20
    assert not books.requests(TASKS)


def test_many_are_waited_for_in_a_thread(vias: Vias) -> None:
    ids = [made(vias, name=f"run-{number}") for number in range(3)]
    refs = [ids[0], batch_ref(ids[1], "running"), ids[2]]
    assert vias.wait_all(refs).well == 3
