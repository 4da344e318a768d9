"""The list of batches: its newest, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from support.clocks import AsyncHandClock
from visionbatch import Pace, Phase, deepomatic_site, hub
from visionbatch.deepomatic.api import LABEL_CHARS, LIST_PAGE
from visionbatch.errors import BulkUnsupported, NotAuthorized
from visionbatch.flow.effects import Pause
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

LIST = "deepomatic.batches.list"


@pytest.fixture
def rich(tenant: Tenant) -> Tenant:
    tenant.configure(profile="rich", lifecycle="manual")
    return tenant


def test_batches_come_newest_first_with_label_state_and_counts(site: Any, rich: Tenant) -> None:
    first, second = rich.batches.create("first"), rich.batches.create(None)
    first.force(BatchState.SUCCESS)
    client = site()
    newest = client.perform(client.api.newest(lambda _: True))
    assert [(item.ref, item.label, item.snapshot.phase) for item in newest] == [
        (second.id, "", Phase.AWAITING_DATA),
        (first.id, "first", Phase.SUCCEEDED),
    ]
    assert newest[1].snapshot.counts is not None


@pytest.mark.parametrize(("wanted", "pages"), [(1, 1), (LIST_PAGE + 1, 2), (10_000, 3)])
def test_pages_are_read_until_it_is_enough_or_the_end(
    site: Any, rich: Tenant, books: Any, wanted: int, pages: int
) -> None:
    made = [rich.batches.create(f"batch {number}").id for number in range(2 * LIST_PAGE + 5)]
    client = site()
    newest = client.perform(client.api.newest(lambda read: len(read) >= wanted))
    assert [item.ref for item in newest] == made[::-1][: pages * LIST_PAGE]
    assert len(books.requests(LIST)) == pages


def test_a_site_without_a_list_says_so(site: Any, tenant: Tenant) -> None:
    tenant.configure(profile="strict")
    client = site()
    with pytest.raises(BulkUnsupported, match="does not list batches"):
        client.perform(client.api.newest(lambda _: True))


def test_a_label_is_printable_and_short(site: Any, rich: Tenant) -> None:
    rich.batches.create("\u202e\n" + "x" * 1000)
    client = site()
    (item,) = client.perform(client.api.newest(lambda _: True))
    assert item.label.isprintable()
    assert item.label.startswith("\\u202e\\nx")
    assert len(item.label) < LABEL_CHARS + 20


async def test_a_hub_reads_the_list_again_and_again_and_lives_through_outages(
    site: Any, rich: Tenant, faults: Any
) -> None:
    batch = rich.batches.create("a")

    async def credentials() -> Any:
        return site.credentials()

    async def open_site() -> Any:
        return deepomatic_site(site.settings(), credentials)

    faults(LIST, "pass", "return-503", "html-502", "return-reset-connection")
    clock = AsyncHandClock()
    async with hub("listing", open_site, clock) as shared:
        listings = shared.listings(Pace())
        assert [item.snapshot.phase for item in await anext(listings)] == [Phase.AWAITING_DATA]
        batch.force(BatchState.ERROR)
        assert [item.snapshot.phase for item in await anext(listings)] == [Phase.FAILED]
        assert len(clock.pauses) >= 3
        rich.revoke()
        with pytest.raises(NotAuthorized):
            await anext(listings)
        assert clock.pauses[-1] == Pause(60, 60), "a refused key is not tried again at once"
        await listings.aclose()
