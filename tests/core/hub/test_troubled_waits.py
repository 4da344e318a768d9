"""What the shared poll does while the list is broken, the plane is closed, or one batch is in a hurry."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from support.books import GET, Books
from support.crowds import LIST, PACE, Crowd, Script, end, nothing
from support.patience import until
from visionbatch import Pace, Phase
from visionbatch.errors import DeadlinePassed, NotAuthorized
from visionbatch.flow.effects import Pause
from visionbatch.flow.looking import LIST_REST_S, PATIENCE
from visionbatch.io.clock import LoopClock
from visionbatch.io.drive import AT_ONCE
from visionbatch_mock.tenant import Tenant

BROKEN = ["return-500", "html-502", "return-503", "html-200", "return-504"]
"""Five looks in a row that a gateway before the list may spoil."""


async def test_a_list_that_stays_broken_is_gone_without_until_it_is_tried_again(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any
) -> None:
    assert len(BROKEN) == PATIENCE
    count = 12
    made = batches(count)
    faults(LIST, *BROKEN)
    rounds: list[tuple[int, int]] = []

    def note() -> None:
        rounds.append((len(books.requests(LIST)), len(books.requests(GET))))

    long = round(LIST_REST_S / PACE.first_s) + 6
    crowd.clock = Script(tenant, *[note] * long, end(*made))

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    assert [gets for _, gets in rounds[:7]] == [0, 0, 0, 0, count, 2 * count, 3 * count]
    assert {lists for lists, _ in rounds[4:60]} == {5}, "the list rests"
    lists, gets = rounds[-1]
    assert lists > 5, "and works again"
    assert gets == rounds[-2][1]
    crowd.nothing_left()


async def test_a_service_that_is_down_is_not_asked_for_each_one(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any
) -> None:
    made = batches(50)
    faults.plan({LIST: ["return-503"] * 8, GET: ["return-503"] * 12})
    crowd.clock = Script(tenant, *[nothing] * 9, end(*made))

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    assert len(books.requests(GET)) == 12, "three probes for each failed look from the fifth on"


async def test_a_key_that_may_not_list_is_enough_to_wait(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any
) -> None:
    made = batches(5)
    faults(LIST, "return-403")
    crowd.clock = Script(tenant, end(*made))

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    assert len(books.requests(LIST)) == 1


async def test_a_key_that_may_do_nothing_is_not_tried_for_each_one(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant
) -> None:
    made = batches(50)
    tenant.revoke()

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {type(error) for error in results} == {NotAuthorized}
    assert len(books.requests(LIST)) + len(books.requests(GET)) <= 4


async def test_too_many_requests_are_not_answered_with_more(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any
) -> None:
    made = batches(30)
    faults(LIST, *["return-429"] * 8)
    crowd.clock = Script(tenant, *[nothing] * 9, end(*made))

    await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert not books.requests(GET)


async def test_what_the_list_does_not_show_is_asked_for_some_at_a_time(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the loop may run are under way at once, and no more."""
    from visionbatch.io.control_async import AsyncControlPlane  # noqa: PLC0415

    old = batches(3 * AT_ONCE)
    batches(220)
    under_way, most = 0, 0
    genuine = AsyncControlPlane.send

    async def counted(plane: Any, *request: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await genuine(plane, *request)
        finally:
            under_way -= 1

    monkeypatch.setattr(AsyncControlPlane, "send", counted)
    end(*old)()

    results = await crowd.all(*(crowd.wait(batch.id) for batch in old))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    assert len(books.requests(GET)) == 2 * len(old)
    assert most == AT_ONCE


async def test_an_end_is_confirmed_without_a_look_at_the_others(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant
) -> None:
    made = batches(250)
    crowd.clock = Script(tenant, end(made[0]), nothing, nothing, end(*made[1:]))

    await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert [pause.at_least for pause in crowd.clock.pauses] == [5, 1, 4, 5, 1]  # type: ignore[attr-defined]  # a Script
    assert len(books.requests(GET)) == 1
    # Four looks at everybody, the last of which confirms, and one page budget of those that are left.
    assert len(books.requests(LIST)) == 5 * 3


async def test_a_deadline_is_no_reason_to_look_at_the_others(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant
) -> None:
    made = batches(120)
    began = tenant.clock.now()
    crowd.clock = Script(tenant, nothing, nothing, end(*made))
    waits = [crowd.wait(made[0].id, deadline=began + 7), *(crowd.wait(batch.id) for batch in made[1:])]

    hasty, *others = await crowd.all(*waits)

    assert isinstance(hasty, DeadlinePassed)
    assert {snapshot.phase for snapshot in others} == {Phase.SUCCEEDED}
    assert [pause.at_least for pause in crowd.clock.pauses] == [5, 2, 3, 1]  # type: ignore[attr-defined]  # a Script
    assert len(books.requests(GET)) == 1


@pytest.mark.parametrize("profile", ["rich", "strict"])
async def test_a_deadline_comes_in_time_though_the_plane_is_closed(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In real time, for it is the plane that keeps everybody waiting, and would for minutes."""
    monkeypatch.setattr("visionbatch.flow.vigil.LAST_LOOK_S", 1.0)
    monkeypatch.setattr("visionbatch.pipelines.rounds.LAST_LOOK_S", 1.0)
    tenant.configure(profile=profile)
    tenant.clock.run()
    crowd.clock = LoopClock()
    made = batches(2)
    kind = LIST if profile == "rich" else GET
    faults(kind, *["pass"] * (1 if kind == LIST else 2), {"fault": "return-429", "retry_after": 200})
    pace = Pace(first_s=0.05, longest_s=0.05, spread=0)
    deadline = time.time() + 4.0

    results = await crowd.all(*(crowd.wait(batch.id, pace, deadline=deadline) for batch in made))

    assert [type(error) for error in results] == [DeadlinePassed] * 2
    assert "last seen running" in str(results[0])
    crowd.nothing_left()


class Standing(Script):
    """Stands still in the third pause."""

    async def pause(self, pause: Pause) -> None:  # type: ignore[override]  # the asynchronous protocol
        if len(self.pauses) == 2:
            self.pauses.append(pause)
            await asyncio.get_running_loop().create_future()
        await super().pause(pause)


async def test_a_newcomer_is_looked_at_within_its_interval_also_while_an_end_is_confirmed(
    crowd: Crowd, batches: Any, tenant: Tenant
) -> None:
    pace = Pace(first_s=5, longest_s=1000, factor=1000, spread=0)
    patient, newcomer = batches(2)
    crowd.clock = clock = Standing(tenant)
    waiting = asyncio.create_task(crowd.wait(patient.id, pace))
    await until(lambda: [pause.at_most for pause in clock.pauses] == [5, 1000, 1000])

    end(newcomer)()
    assert (await crowd.wait(newcomer.id, pace)).phase is Phase.SUCCEEDED
    assert [pause.at_most for pause in clock.pauses[3:5]] == [5, 1]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    crowd.nothing_left()
