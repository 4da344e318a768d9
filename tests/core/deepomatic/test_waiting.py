"""Waiting for a batch to end, through everything that a service does meanwhile; no second is really waited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.books import GET, Books
from support.clocks import AsyncTenantClock, TenantClock
from support.patience import until
from support.runs import MemoryStore, run_through, submit
from support.silence import Silence
from visionbatch import DeepomaticRun, Pace, Policies, Secret, Site, await_end, hub
from visionbatch.deepomatic.api import DeepomaticApi
from visionbatch.errors import DeadlinePassed, NotAuthorized, NotFound, Redirected
from visionbatch.flow.watch import watch
from visionbatch.io.control import Origin
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.drive import adrive
from visionbatch.io.rate import Rate
from visionbatch_mock import MockServer
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

HOUR = 3600.0


def of_watch(caplog: pytest.LogCaptureFixture, level: int | None = None) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "visionbatch.flow.vigil" and level in (None, record.levelno)
    ]


@pytest.mark.fault("SE7")
@pytest.mark.parametrize("on_timeout", ["leave", "cancel"])
def test_a_batch_that_never_ends_is_left_or_cancelled_at_the_deadline(
    site: Any,
    orders: Path,
    books: Books,
    tenant: Tenant,
    clock: TenantClock,
    silence: Silence,
    on_timeout: str,
) -> None:
    tenant.configure(lifecycle="manual")
    deadline = clock.now() + 2 * HOUR

    with silence.raises(DeadlinePassed, match='last seen queued \\("uploaded"\\)') as caught:
        run_through(site(), orders, policies=Policies.of(on_timeout=on_timeout), deadline=deadline)

    assert caught.value.retry_safe
    assert 2 * HOUR <= clock.elapsed < 2 * HOUR + 60
    assert len(books.effects("batch.deleted")) == (on_timeout == "cancel")


@pytest.mark.fault("SE9")
def test_a_word_nobody_knows_is_told_once_and_waited_through(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.configure(status_words={"processing": "in_review\x1b[2J\nfake line"}, processing_s=HOUR)

    manifest = run_through(site(), orders)

    assert manifest.outcome == "done"
    books.processed_once(archive)
    (warning,) = of_watch(caplog, logging.WARNING)
    assert "in_review" in warning
    assert warning.isprintable(), "what the service says must not look like a line of ours"
    assert len(books.requests(GET)) > 10


def test_a_word_can_be_taught(site: Any, orders: Path, tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    tenant.configure(status_words={"success": "All Good"})

    manifest = run_through(site(settings={"status_aliases": {"all-good": "succeeded"}}), orders)

    assert (manifest.outcome, manifest.status) == ("done", "All Good")
    assert not of_watch(caplog, logging.WARNING)


@pytest.mark.fault("SE10")
@pytest.mark.parametrize("word", ["success", "error", "cancelled"])
def test_an_end_that_is_taken_back_is_not_believed(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, faults: Any, word: str
) -> None:
    tenant.configure(queued_s=60)
    faults(GET, "pass", {"fault": "set-status", "value": word})

    manifest = run_through(site(), orders)

    assert (manifest.outcome, manifest.status) == ("done", "success")
    books.processed_once(archive)


def test_an_end_is_confirmed_by_a_second_look_and_the_confirming_one_counts(
    site: Any, orders: Path, books: Books, tenant: Tenant, faults: Any
) -> None:
    submitted = submit(site(), orders)
    tenant.clock.advance(HOUR)
    faults(GET, {"fault": "set-status", "value": "error"})

    snapshot = site().wait(submitted.batch_id)

    assert snapshot.native == "success"
    assert len(books.requests(GET)) == 2


@pytest.mark.fault("SE11")
@pytest.mark.parametrize("missing", [3, None], ids=["appears", "stays-away"])
def test_a_batch_that_cannot_be_seen_yet_is_given_a_minute(
    site: Any, tenant: Tenant, clock: TenantClock, orders: Path, faults: Any, silence: Silence, missing: int | None
) -> None:
    submitted = submit(site(), orders)
    began = clock.now()
    if missing is not None:
        faults(GET, *["return-404"] * missing)
        assert site().wait(submitted.batch_id).native == "success"
        return
    batch = tenant.batches.get(submitted.batch_id)
    assert batch is not None
    batch.delete()
    with silence.raises(NotFound) as caught:
        site().wait(submitted.batch_id)
    assert caught.value.ref == submitted.batch_id
    assert 60 <= clock.now() - began < 120


def test_a_batch_that_was_seen_and_is_gone_is_not_waited_for(
    site: Any, orders: Path, clock: TenantClock, faults: Any
) -> None:
    submitted = submit(site(), orders)
    faults(GET, "pass", "return-404", "return-404")

    with pytest.raises(NotFound):
        site().wait(submitted.batch_id)

    assert clock.elapsed < 10


@pytest.mark.fault("SE12")
def test_an_hour_of_outage_is_lived_through_in_two_lines(
    *,
    site: Any,
    orders: Path,
    archive: bytes,
    books: Books,
    tenant: Tenant,
    clock: TenantClock,
    faults: Any,
    caplog: pytest.LogCaptureFixture,
    silence: Silence,
) -> None:
    tenant.configure(processing_s=3 * HOUR)
    submitted = submit(site(), orders)
    began, pauses = clock.now(), len(clock.pauses)
    outage = ["return-500", "return-502", "html-503", "return-reset-connection", "return-504", "return-408"] * 12
    faults(GET, "pass", *outage)

    snapshot = site().wait(submitted.batch_id)

    assert snapshot.native == "success"
    books.processed_once(archive)
    assert clock.now() - began > HOUR
    lines = of_watch(caplog)
    assert [line for line in lines if "out of reach" in line] == [lines[1]]
    assert [line for line in lines if "in reach again" in line] == [lines[2]]
    assert len(lines) == 5, "queued, out of reach, in reach again, running, succeeded"
    waits = [pause.at_most for pause in clock.pauses[pauses:]][1:60]
    assert waits == sorted(waits), "the interval grows while nothing changes"
    assert max(waits) <= 72


def test_an_outage_until_the_deadline_is_named_in_the_end(
    site: Any, orders: Path, tenant: Tenant, clock: TenantClock, faults: Any
) -> None:
    submitted = submit(site(), orders)
    faults(GET, *["return-503"] * 8)

    with pytest.raises(DeadlinePassed, match=r"never seen; now out of reach: .*503"):
        site().wait(submitted.batch_id, deadline=clock.now() + 150)


class Keys:
    """A source of credentials that gives one after the other, and stays at the last."""

    def __init__(self, *keys: str, before_renewal: Any = None) -> None:
        self._keys = list(keys)
        self._before_renewal = before_renewal
        self.asked = 0

    async def __call__(self) -> Mapping[str, Secret]:
        self.asked += 1
        if self.asked > 1 and self._before_renewal is not None:
            await self._before_renewal()
        return {"Authorization": Secret(self._keys.pop(0) if len(self._keys) > 1 else self._keys[0])}


@pytest.mark.fault("SE13")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("rotated", [True, False], ids=["rotated", "not-rotated"])
async def test_a_key_refused_on_the_way_is_renewed_once_for_all_who_share_it(
    *,
    mock: MockServer,
    site: Any,
    orders: Path,
    books: Books,
    tenant: Tenant,
    faults: Any,
    silence: Silence,
    status: int,
    rotated: bool,
) -> None:
    submitted = submit(site(), orders)
    faults(GET, f"return-{status}", f"return-{status}")

    async def both_are_refused() -> None:
        await until(lambda: len([entry for entry in books.requests(GET) if entry.status == status]) >= 2, 20)

    # The same customer under two spellings of one token: the first is refused by the plan of faults.
    second = f"Bearer {tenant.token}" if rotated else f"Token {tenant.token}"
    keys = Keys(f"Token {tenant.token}", second, before_renewal=both_are_refused)
    api = DeepomaticApi(site.settings())

    async def one_watcher(plane: AsyncControlPlane) -> str:
        flow = watch(lambda: api.look(submitted.batch_id), subject="batch", pace=Pace(1, 1))
        return (await adrive(flow, plane, AsyncTenantClock(tenant))).native

    async with shared_session() as session:
        plane = AsyncControlPlane(Origin(mock.url), keys, session)
        if rotated:
            assert await asyncio.gather(one_watcher(plane), one_watcher(plane)) == ["success", "success"]
            assert keys.asked == 2
        else:
            results = await asyncio.gather(one_watcher(plane), one_watcher(plane), return_exceptions=True)
            assert [type(result) for result in results] == [NotAuthorized, NotAuthorized]
            assert len(books.requests(GET)) == 2, "the same key is not tried again"


async def test_a_key_renewed_while_another_waits_for_its_turn_is_no_reason_to_refuse_that_one(
    mock: MockServer, tenant: Tenant, site: Any, orders: Path, faults: Any
) -> None:
    submitted = submit(site(), orders)
    faults(GET, "return-401", "return-401")
    keys = Keys(f"Token {tenant.token}", f"Bearer {tenant.token}")
    api = DeepomaticApi(site.settings())

    async with shared_session() as session:
        # The second request leaves with the old key, but later than the first one is answered.
        plane = AsyncControlPlane(Origin(mock.url), keys, session, rate=Rate(per_s=10))
        looks = [adrive(api.look(submitted.batch_id), plane) for _ in range(2)]
        assert [found.native for found in await asyncio.gather(*looks)] == ["uploaded", "uploaded"]
    assert keys.asked == 2


async def test_a_loop_waits_like_a_thread_and_cancels_like_one(
    mock: MockServer, site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, profile: str
) -> None:
    client = site()
    submitted = submit(client, orders)
    place = Site(client.api, Origin(mock.url), Keys(f"Token {tenant.token}"))
    seen: list[str] = []

    snapshot = await await_end(
        place,
        submitted.batch_id,
        pace=Pace(),
        observe=lambda found: seen.append(found.native),
        clock=AsyncTenantClock(tenant),
    )

    assert (snapshot.native, seen[-1]) == ("success", "success")
    books.processed_once(archive)

    async def opened() -> Site:
        return place

    async with hub("the customer's connection", opened) as shared:
        await shared.cancel(submitted.batch_id)
        await shared.cancel(submitted.batch_id)
    assert len(books.effects("batch.deleted")) == 1


def test_a_redirect_on_the_way_is_an_error_and_not_an_outage(site: Any, orders: Path, faults: Any) -> None:
    submitted = submit(site(), orders)
    faults(GET, {"fault": "redirect-302", "location": "http://localhost:9/elsewhere"})

    with pytest.raises(Redirected):
        site().wait(submitted.batch_id)


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_every_change_is_observed_once(site: Any, orders: Path, tenant: Tenant, looks: int) -> None:
    tenant.configure(lifecycle={"mode": "looks", "looks": looks})
    client, seen = site(), []
    submitted = submit(client, orders)

    client.wait(submitted.batch_id, observe=lambda snapshot: seen.append(snapshot.native))

    assert seen == (["success"] if looks == 0 else ["uploaded", "processing", "success"])


def test_a_batch_moved_by_an_operator_ends_the_wait(site: Any, orders: Path, tenant: Tenant) -> None:
    tenant.configure(lifecycle="manual")
    client, store = site(), MemoryStore()
    run = DeepomaticRun(client, store)
    with client.check(orders) as checked:
        submitted = run.submit(checked)
    batch = tenant.batches.get(submitted.batch_id)
    assert batch is not None
    batch.force(BatchState.SUCCESS)

    assert run.conclude(submitted, lambda: client.wait(submitted.batch_id)).outcome == "done"
