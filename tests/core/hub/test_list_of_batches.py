"""One wait for a list of batches: asked for page by page, judged one by one, told in a few hundred bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any

import pytest

from support.books import DELETE, GET, Books
from support.crowds import LIST, PACE, QUICK, Crowd, Script, end, nothing
from support.memory import traced
from support.patience import until
from visionbatch import Fate, OnPartial, Outcome, Tally, judge_many
from visionbatch.errors import NotAuthorized
from visionbatch.flow.gathering import Gathering
from visionbatch.flow.roster import Roster
from visionbatch.io.clock import LoopClock
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.model.tally import EXAMPLES, FATES, JSON_BYTES, MOST, REASON_CHARS, Example, digest
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

UNKNOWN = "00000000-0000-4000-8000-000000000000"
EVENT_BYTES = 4096


def ids(made: list[Any]) -> list[str]:
    return [batch.id for batch in made]


@pytest.mark.parametrize(("count", "pages"), [(2, 1), (100, 1), (101, 2), (250, 3)])
async def test_each_interval_costs_as_many_requests_as_the_list_has_pages(
    *, crowd: Crowd, batches: Any, books: Books, tenant: Tenant, count: int, pages: int
) -> None:
    made = batches(count)
    asked: list[int] = []

    def note() -> None:
        asked.append(len(books.requests(LIST)))

    crowd.clock = Script(tenant, note, note, lambda: (note(), end(*made)()))

    tally = await crowd.wait_all(ids(made))

    assert tally.counts == {"done": count}
    assert asked == [pages, 2 * pages, 3 * pages]
    assert len(books.requests(LIST)) == 5 * pages, "two more saw and confirmed the end"
    assert not books.requests(GET)
    crowd.nothing_left()


async def test_lists_and_single_waits_share_the_poll(crowd: Crowd, batches: Any, books: Books, tenant: Tenant) -> None:
    made = batches(90)
    crowd.clock = Script(tenant, nothing, end(*made))

    first, second, third = await crowd.all(
        crowd.wait_all(ids(made[:50])), crowd.wait_all(ids(made[40:])), crowd.wait(made[45].id)
    )

    assert (first.counts, second.counts, third.phase) == ({"done": 50}, {"done": 50}, Phase.SUCCEEDED)
    assert len(books.requests(LIST)) == 4
    assert (crowd.opener.opened, crowd.opener.credentials_asked) == (1, 1)
    crowd.nothing_left()


@pytest.mark.parametrize("profile", ["rich", "strict"])
async def test_each_is_judged_alone(crowd: Crowd, batches: Any, tenant: Tenant, books: Books, profile: str) -> None:
    tenant.configure(profile=profile)
    made = batches(5)
    states = [
        BatchState.SUCCESS,
        BatchState.PARTIAL_SUCCESS,
        BatchState.ERROR,
        BatchState.SUCCESS,
    ]
    for batch, state in zip(made, states, strict=False):
        batch.force(state)
    refs = [*ids(made), UNKNOWN]
    began = tenant.clock.now()

    tally = await crowd.wait_all(refs, deadline=began + 300, on_partial="fail")

    words = ["done", "partial_refused", "failed", "done", "waiting", "missing"]
    assert [fate.value for fate in tally.fates(refs).values()] == words
    assert (tally.total, tally.well, tally.waiting) == (6, 2, 1)
    assert {example.fate for example in tally.examples} == {Fate.REFUSED, Fate.FAILED, Fate.WAITING, Fate.MISSING}
    assert 300 <= tenant.clock.now() - began < 310
    assert not books.requests(DELETE)
    crowd.nothing_left()


async def test_at_a_site_without_a_list_few_are_asked_for_at_a_time(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant
) -> None:
    tenant.configure(profile="strict")
    made = batches(60)
    crowd.clock = Script(tenant, end(*made))

    tally = await crowd.wait_all(ids(made))

    assert tally.counts == {"done": 60}
    assert len(books.requests(LIST)) == 1
    assert len(books.requests(GET)) == 3 * 60
    crowd.nothing_left()


async def test_what_happens_meanwhile_is_told_once_a_look(crowd: Crowd, batches: Any, tenant: Tenant) -> None:
    made = batches(150)
    seen: list[str] = []
    crowd.clock = Script(tenant, end(*made[:40]), nothing, end(*made[40:]))

    await crowd.wait_all(ids(made), observe=lambda tally: seen.append(str(tally)))

    assert seen == ["40 of 150 ended: 40 done, 110 waiting", "150 of 150 ended: 150 done"]


async def test_outages_and_strange_words_are_told_once_for_all(
    crowd: Crowd, batches: Any, tenant: Tenant, faults: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "visionbatch")
    tenant.configure(status_words={"processing": "brooding"})
    made = batches(120)
    faults(LIST, "pass", "pass", "return-503", "return-500")
    crowd.clock = Script(tenant, *[nothing] * 4, end(*made))

    tally = await crowd.wait_all(ids(made))

    assert tally.counts == {"done": 120}
    assert [line for line in caplog.messages if "brooding" in line] == [caplog.messages[0]]
    assert len([line for line in caplog.messages if "out of reach" in line]) == 1
    assert len([line for line in caplog.messages if "in reach again" in line]) == 1


async def test_a_refused_key_ends_the_whole_wait(crowd: Crowd, batches: Any, tenant: Tenant) -> None:
    made = batches(50)
    tenant.revoke()

    with pytest.raises(NotAuthorized):
        await crowd.wait_all(ids(made))

    crowd.nothing_left()


async def test_an_error_of_our_own_reaches_who_waits(
    crowd: Crowd, batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionbatch.deepomatic.api import DeepomaticApi  # noqa: PLC0415

    def fail(*_: Any) -> Any:
        raise RuntimeError("a slip of our own")

    monkeypatch.setattr(DeepomaticApi, "look_all", fail)
    with pytest.raises(RuntimeError, match="a slip of our own"):
        await crowd.wait_all(ids(batches(3)))
    crowd.nothing_left()


async def test_a_list_that_is_given_up_is_not_asked_for_any_more(crowd: Crowd, batches: Any, books: Books) -> None:
    crowd.clock = LoopClock()
    made = batches(101)
    given_up = asyncio.create_task(crowd.wait_all(ids(made[1:]), QUICK))
    staying = asyncio.create_task(crowd.wait(made[0].id, QUICK))
    await until(lambda: len(books.requests(LIST)) >= 3)

    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    # One look may be under way; whoever is alone is asked for alone.
    asked = len(books.requests(LIST))
    looks = len(books.requests(GET))
    await until(lambda: len(books.requests(GET)) >= looks + 3)
    assert len(books.requests(LIST)) <= asked + 2
    end(made[0])()
    assert (await staying).phase is Phase.SUCCEEDED
    crowd.nothing_left()


async def test_nothing_to_wait_for_is_over_at_once(crowd: Crowd, books: Books) -> None:
    tally = await crowd.wait_all([])
    assert (tally.total, tally.counts) == (0, {})
    assert not books.requests(LIST)


def test_in_a_thread_it_is_the_same(site: Any, tenant: Tenant, books: Books, batches: Any) -> None:
    tenant.configure(profile="rich", lifecycle="manual")
    made = batches(101)
    end(*made[:100])()
    client = site()

    tally = client.wait_all(ids(made), deadline=tenant.clock.now())
    assert tally.counts == {"done": 100, "waiting": 1}
    assert len(books.requests(LIST)) == 2

    tenant.configure(profile="strict")
    end(made[100])()
    assert client.wait_all(ids(made)).counts == {"done": 101}


def test_each_further_batch_costs_less_than_a_kib() -> None:
    refs = [f"{number:08x}-0000-4000-8000-{number:012d}" for number in range(MOST)]
    running = Snapshot(Phase.RUNNING, "processing")
    roster = Roster()

    def wait_for(some: list[str]) -> Gathering:
        gathering = Gathering(some, kind="batch", pace=PACE, began=0.0, deadline=1e9, on_partial=OnPartial())
        for ref, member in gathering.members():
            roster.add(ref, member)
            member.saw(running)
        return gathering

    with traced() as grown:
        kept = [wait_for(refs)]
        each = grown() / MOST
    assert kept
    assert each < 512


def test_the_fates_of_the_longest_list_fit_into_an_event_however_mixed() -> None:
    refs = [f"{number:036d}" for number in range(MOST)]
    marks = random.Random(1).choices(range(len(FATES)), k=MOST)
    examples = tuple(Example(refs[number], Fate.FAILED, "\u00e9" * REASON_CHARS) for number in range(EXAMPLES))
    tally = Tally(digest(refs), bytes(marks), examples)

    text = json.dumps(tally.to_json())

    assert len(text.encode()) <= JSON_BYTES < EVENT_BYTES
    again = Tally.from_json(json.loads(text))
    assert (again.of, again.marks) == (tally.of, tally.marks)
    assert again.examples == examples[: len(again.examples)]
    assert sum(tally.counts.values()) == MOST
    with pytest.raises(ValueError, match="other batches"):
        tally.fates(refs[::-1])


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"of": "x", "marks": "?", "examples": []},
        {"of": "x", "marks": 1, "examples": []},
        {**Tally("x", b"\x00").to_json(), "examples": [{"ref": "a", "fate": "sad", "reason": ""}]},
        Tally("x", b"\x63").to_json(),
        Tally("x", bytes(MOST + 1)).to_json(),
    ],
)
def test_what_is_no_tally_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="this is"):
        Tally.from_json(value)


@pytest.mark.parametrize(
    ("fates", "policy", "outcome", "accepted"),
    [
        (["done", "partial"], "fail", Outcome.DONE, True),
        ([], "fail", Outcome.DONE, True),
        (["done", "failed"], "fail", Outcome.PARTIAL, False),
        (["done", "failed"], "warn", Outcome.PARTIAL, True),
        (["done", "missing", "waiting"], "accept:2", Outcome.PARTIAL, True),
        (["done", "missing", "waiting"], "accept:1", Outcome.PARTIAL, False),
        (["done", "partial_refused"], "accept:50%", Outcome.PARTIAL, True),
        (["done", "partial_refused"], "accept:49%", Outcome.PARTIAL, False),
        (["failed", "cancelled"], "accept", Outcome.FAILED, False),
    ],
)
def test_together_they_mean_what_the_table_says(
    fates: list[str], policy: str, outcome: Outcome, accepted: bool
) -> None:
    marks = bytes(FATES.index(Fate(fate)) for fate in fates)
    verdict = judge_many(Tally("x", marks), OnPartial.parse(policy))
    assert (verdict.outcome, verdict.accepted) == (outcome, accepted)
    assert verdict.reason.startswith(f"{len(fates) - fates.count('waiting')} of {len(fates)} ended")
