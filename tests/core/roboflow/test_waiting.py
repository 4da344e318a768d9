"""Waiting for jobs and for batches, alone and by the list, at a service that does odd things meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from support.books import Books
from support.clocks import AsyncTenantClock
from support.silence import Silence
from visionbatch import (
    JobDefinition,
    Pace,
    Phase,
    Secret,
    hub,
    ready_ref,
    roboflow_batches_site,
    roboflow_key,
    roboflow_site,
)
from visionbatch.errors import DeadlinePassed, EndlessList, NotFound
from visionbatch_mock.tenant import Tenant

LIST, GET = "roboflow.jobs.list", "roboflow.jobs.get"

Stage = Callable[..., JobDefinition]


def start(client: Any, definition: JobDefinition, *job_ids: str) -> None:
    for job_id in job_ids:
        client.perform(client.api.jobs.create(job_id, definition))


@pytest.mark.parametrize("key_in", ["header", "query"])
def test_many_jobs_are_watched_by_one_list_and_each_end_is_looked_at_alone(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, key_in: str
) -> None:
    tenant.configure(roboflow_processing_s=300, roboflow_images_per_task=1, roboflow_image_failures={"0.jpg": "x"})
    ids = [f"job-{number}" for number in range(5)]
    start(workspace(), stage(max_image_failure_rate=0.0), *ids)

    async def credentials() -> Mapping[str, Secret]:
        return roboflow_key(Secret(tenant.token), key_in)

    async def site() -> Any:
        return roboflow_site(workspace.settings(key_in=key_in), credentials)

    async def wait() -> list[Any]:
        async with hub(f"roboflow {key_in}", site, AsyncTenantClock(tenant)) as shared:
            return await asyncio.gather(*(shared.await_end(job_id, pace=Pace(), deadline=None) for job_id in ids))

    ends = asyncio.run(wait())

    assert {end.phase for end in ends} == {Phase.PARTIAL}, "the list alone does not tell of lost tasks"
    assert len(books.requests(LIST)) > 5
    assert len(books.requests(GET)) <= 3 * len(ids), "who still runs is not asked for alone"


def test_the_newest_jobs_stand_first_in_the_list(workspace: Any, stage: Stage) -> None:
    client = workspace(page_size=2)
    start(client, stage(), "one", "two", "three", "four", "five")

    listed = client.perform(client.api.newest(lambda found: len(found) >= 3))

    assert [item.ref for item in listed] == ["five", "four", "three", "two"]
    assert [job.job_id for job in client.jobs()] == ["five", "four", "three", "two", "one"]
    assert [job.job_id for job in client.jobs("wo")] == ["two"]


@pytest.mark.fault("SE22")
@pytest.mark.parametrize("what", ["batches", "jobs", "logs", "watch"])
def test_a_list_that_goes_round_is_an_error_and_not_a_loop(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, silence: Silence, what: str
) -> None:
    client = workspace(page_size=2)
    start(client, stage(), *(f"job-{number}" for number in range(5)))
    tenant.configure(roboflow_looping_tokens=True)
    before = len(tenant.journal.entries())

    asks = {
        "batches": client.batches,
        "jobs": client.jobs,
        "logs": lambda: client.logs("job-0"),
        "watch": lambda: client.wait_all(["job-0", "job-1"]),
    }
    if what == "watch":
        # Shards and tasks cannot be counted through a list that goes round, so each look fails for good.
        tally = asks[what]()
        assert tally.well == 0
    else:
        with silence.raises(EndlessList, match="goes round") as caught:
            asks[what]()
        assert not caught.value.retry_safe
        assert len(tenant.journal.entries()) - before <= 3


@pytest.mark.parametrize("null", [True, False])
def test_both_ways_of_ending_a_list_end_it(workspace: Any, stage: Stage, tenant: Tenant, *, null: bool) -> None:
    tenant.configure(roboflow_null_tokens=null)
    stage("one", 1)
    stage("two", 1)

    found = workspace(page_size=1).batches()

    assert [(batch.batch_id, batch.kind, batch.content) for batch in found] == [
        ("two", "simple-batch", "images"),
        ("one", "simple-batch", "images"),
    ]


@pytest.mark.fault("UP31")
def test_a_batch_is_ready_when_its_indexing_is_over(
    workspace: Any, refer: Callable[..., int], tenant: Tenant, faults: Any
) -> None:
    tenant.configure(roboflow_indexing_s=120)
    expected = refer("refs", 3, 2)
    client = workspace()
    looks: list[str] = []

    def observe(snapshot: Any) -> None:
        looks.append(snapshot.native)
        if len(looks) == 1:
            # All shards have been ingested before the count says so.
            tenant.clock.advance(120)
            faults("roboflow.batches.count", *[{"fault": "answer", "body": '{"count": 4}'}] * 2)

    end = client.wait_ready("refs", expected, 2, observe=observe)

    assert (end.phase, end.native) == (Phase.SUCCEEDED, "ready")
    assert looks == ["0 of 2 shards ingested", "indexing", "ready"]
    assert client.perform(client.api.staging.count("refs")) == expected


def test_shards_that_failed_are_named_with_their_reason(
    workspace: Any, refer: Callable[..., int], tenant: Tenant
) -> None:
    tenant.configure(roboflow_lost_shards=[2])
    end = workspace().wait_ready("refs", refer("refs", 3, 2))

    assert end.phase is Phase.PARTIAL
    assert (end.counts.total, end.counts.succeeded, end.counts.failed) == (5, 3, 2)
    assert "failed" in end.detail


def test_files_that_were_turned_away_end_the_wait_when_the_number_of_shards_is_known(
    workspace: Any, refer: Callable[..., int], clock: Any
) -> None:
    sent = refer("refs", 3) + 1
    client = workspace()

    assert client.wait_ready("refs", sent, 1).native == "files turned away"
    with pytest.raises(DeadlinePassed, match="indexing"):
        client.wait_ready("refs", sent, deadline=clock.now() + 600)


def test_a_word_of_shards_nobody_knows_is_waited_through_to_the_deadline_and_told(
    workspace: Any, refer: Callable[..., int], tenant: Tenant, clock: Any
) -> None:
    tenant.configure(roboflow_shard_words={"success": "halted"})
    sent = refer("refs", 2)

    with pytest.raises(DeadlinePassed, match="halted"):
        workspace().wait_ready("refs", sent, deadline=clock.now() + 600)
    assert workspace(status_aliases={"halted": "ready"}).wait_ready("refs", sent).phase is Phase.SUCCEEDED


def test_batches_are_waited_for_together_on_a_loop(
    workspace: Any, refer: Callable[..., int], stage: Stage, tenant: Tenant
) -> None:
    sent = refer("refs", 3)
    stage("photos", 2)

    async def credentials() -> Mapping[str, Secret]:
        return roboflow_key(Secret(tenant.token))

    async def site() -> Any:
        return roboflow_batches_site(workspace.settings(), credentials)

    async def wait() -> list[Any]:
        refs = [ready_ref("refs", sent), ready_ref("photos", 2)]
        async with hub("roboflow batches", site, AsyncTenantClock(tenant)) as shared:
            return await asyncio.gather(*(shared.await_end(ref, pace=Pace(), deadline=None) for ref in refs))

    assert [end.phase for end in asyncio.run(wait())] == [Phase.SUCCEEDED] * 2


def test_a_batch_that_never_shows_is_an_error_after_its_grace(workspace: Any) -> None:
    with pytest.raises(NotFound) as caught:
        workspace().wait_ready("nobodys", 3)
    assert caught.value.ref == "nobodys"


def test_the_workspace_is_asked_for_once(workspace: Any, stage: Stage, books: Books) -> None:
    stage("one", 1)
    before = len(books.requests("roboflow.workspace.get"))
    client = workspace()
    client.batches()
    client.jobs()

    assert client.workspace() == "mock-workspace"
    assert len(books.requests("roboflow.workspace.get")) - before == 1
    workspace(workspace="mock-workspace").batches()
    assert len(books.requests("roboflow.workspace.get")) - before == 1
