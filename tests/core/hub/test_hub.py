"""Everyone who waits on one connection shares a session, a credential and a poll, and nobody harms another."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request as Post
from urllib.request import urlopen

import pytest

from support.books import GET, Books
from support.clocks import AsyncTenantClock
from support.crowds import LIST, PACE, QUICK, WITHIN_S, Crowd, Opener, Script, end, nothing
from support.patience import until
from visionbatch import DeepomaticSettings, Pace, Phase, Secret, Site, Snapshot, deepomatic_site, hub, token_header
from visionbatch.errors import ConfigError, DeadlinePassed, NotFound
from visionbatch.flow.effects import Pause
from visionbatch.io.rate import Rate
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant


@pytest.mark.parametrize(("count", "pages"), [(2, 1), (100, 1), (101, 2), (250, 3)])
async def test_all_share_one_session_one_lookup_and_one_poll(
    *, crowd: Crowd, batches: Any, books: Books, tenant: Tenant, count: int, pages: int
) -> None:
    made = batches(count)
    asked: list[int] = []

    def note() -> None:
        asked.append(len(books.requests(LIST)))

    crowd.clock = Script(tenant, note, note, lambda: (note(), end(*made)()))

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    assert asked == [pages, 2 * pages, 3 * pages]
    # Two more rounds saw and confirmed the end.
    assert len(books.requests(LIST)) == 5 * pages
    assert not books.requests(GET)
    assert len({id(shared) for shared in crowd.hubs}) == 1
    assert (crowd.opener.opened, crowd.opener.credentials_asked) == (1, 1)
    crowd.nothing_left()


async def test_without_a_list_each_is_asked_for_alone_and_that_is_said_once(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, lines: list[tuple[str, str]]
) -> None:
    tenant.configure(profile="strict")
    made = batches(5)
    end(*made)()

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    assert len(books.requests(LIST)) == 1
    # One look and one to confirm, for each.
    assert len(books.requests(GET)) == 10
    assert len([line for _, line in lines if "asking for each one alone" in line]) == 1
    assert crowd.opener.credentials_asked == 1
    crowd.nothing_left()


@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": "many"}], ids=str)
async def test_a_list_without_results_is_none(
    crowd: Crowd, batches: Any, books: Books, faults: Any, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionbatch.flow.effects import Response  # noqa: PLC0415

    (batch,) = batches(1)
    end(batch)()
    genuine = Response.json_object
    monkeypatch.setattr(Response, "json_object", lambda self: answer if "results" in genuine(self) else genuine(self))

    assert (await crowd.wait(batch.id)).phase is Phase.SUCCEEDED
    assert len(books.requests(GET)) == 2


@pytest.mark.parametrize("field", ["batch_id", "status"])
@pytest.mark.parametrize("value", [None, ["a"], {}], ids=str)
async def test_an_entry_of_the_list_that_says_too_little_is_asked_for_alone(
    crowd: Crowd, batches: Any, books: Books, field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionbatch.flow.effects import Response  # noqa: PLC0415

    (batch,) = batches(1)
    end(batch)()
    genuine = Response.json_object

    def meagre(response: Response) -> dict[str, Any]:
        answer = genuine(response)
        if "results" in answer:
            answer["results"] = [{**item, field: value} for item in answer["results"]] + [None]
        return answer

    monkeypatch.setattr(Response, "json_object", meagre)

    assert (await crowd.wait(batch.id)).phase is Phase.SUCCEEDED
    assert len(books.requests(GET)) == 2


async def test_each_watchers_lines_stay_in_its_own_context(
    crowd: Crowd, batches: Any, tenant: Tenant, lines: list[tuple[str, str]]
) -> None:
    made = batches(3)
    crowd.clock = Script(tenant, nothing, end(*made))

    await crowd.all(*(crowd.wait(batch.id) for batch in made))

    for batch in made:
        mine = [line for who, line in lines if who == batch.id and line.startswith("deepomatic batch")]
        assert [line.split(": ", 1)[0] for line in mine] == [f"deepomatic batch {batch.id}"] * 2


async def test_a_batch_that_the_list_does_not_show_is_asked_for_alone(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant
) -> None:
    (old,) = batches(1)
    newer = batches(250)
    crowd.clock = Script(tenant, end(old, newer[-1]))

    results = await crowd.all(crowd.wait(old.id), crowd.wait(newer[-1].id))

    assert [snapshot.phase for snapshot in results] == [Phase.SUCCEEDED] * 2
    # Two batches would fill one page; at most twice as many are read.
    assert len(books.requests(LIST)) == 3 * 2
    assert len(books.requests(GET)) == 3


async def test_an_unknown_batch_ends_its_own_wait_only(crowd: Crowd, batches: Any, tenant: Tenant) -> None:
    (batch,) = batches(1)
    crowd.clock = Script(tenant, *[nothing] * 20, end(batch))

    unknown, known = await crowd.all(crowd.wait("00000000-0000-4000-8000-000000000000"), crowd.wait(batch.id))

    assert isinstance(unknown, NotFound)
    assert known.phase is Phase.SUCCEEDED
    crowd.nothing_left()


async def test_a_cancelled_watcher_leaves_the_others_alone_and_the_last_one_closes(
    crowd: Crowd, batches: Any, books: Books
) -> None:
    from visionbatch.io.clock import LoopClock  # noqa: PLC0415

    crowd.clock = LoopClock()
    made = batches(3)
    tasks = [asyncio.create_task(crowd.wait(batch.id, QUICK)) for batch in made]
    await until(lambda: len(books.requests(LIST)) >= 2)

    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    session = crowd.hubs[0].plane.session
    assert not session.closed
    end(made[1])()
    assert (await tasks[1]).phase is Phase.SUCCEEDED
    assert not session.closed
    tasks[2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[2]

    assert session.closed
    crowd.nothing_left()


async def test_a_watcher_cancelled_again_and_again_still_closes(crowd: Crowd, batches: Any, books: Books) -> None:
    (batch,) = batches(1)
    crowd.opener.gate.clear()
    task = asyncio.create_task(crowd.wait(batch.id))
    await until(lambda: crowd.opener.credentials_asked)

    while not task.done():
        task.cancel()
        await asyncio.sleep(0)

    assert task.cancelled()
    crowd.nothing_left()


async def test_a_watcher_cancelled_while_the_connection_is_looked_up_does_not_take_it_from_the_others(
    crowd: Crowd, batches: Any, tenant: Tenant
) -> None:
    (batch,) = batches(1)
    end(batch)()
    first = asyncio.create_task(crowd.wait(batch.id))
    second = asyncio.create_task(crowd.wait(batch.id))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).phase is Phase.SUCCEEDED
    with pytest.raises(asyncio.CancelledError):
        await first
    assert crowd.opener.opened == 1
    crowd.nothing_left()


async def test_two_watchers_of_one_batch_both_end(crowd: Crowd, batches: Any, books: Books, tenant: Tenant) -> None:
    (batch,) = batches(1)
    crowd.clock = Script(tenant, end(batch))

    results = await crowd.all(crowd.wait(batch.id), crowd.wait(batch.id))

    assert [snapshot.phase for snapshot in results] == [Phase.SUCCEEDED] * 2
    assert len(books.requests(GET)) == 3
    crowd.nothing_left()


async def test_a_deadline_ends_one_wait_in_time_and_no_other(crowd: Crowd, batches: Any, tenant: Tenant) -> None:
    hasty, patient = batches(2)
    began = tenant.clock.now()
    crowd.clock = Script(tenant, *[nothing] * 8, end(patient))
    late: list[float] = []

    async def wait_hastily() -> None:
        with pytest.raises(DeadlinePassed, match="running"):
            await crowd.wait(hasty.id, deadline=began + 12)
        late.append(tenant.clock.now() - began)

    (_, snapshot) = await crowd.all(wait_hastily(), crowd.wait(patient.id))  # type: ignore[arg-type]

    assert snapshot.phase is Phase.SUCCEEDED
    assert 12 <= late[0] < 12 + PACE.first_s
    crowd.nothing_left()


class Turns:
    """When requests asked for their turn and had it, and when the plane was closed, by the loop's clock."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float]] = []
        self.closed: list[float] = []


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    noted, turn, close_for = Turns(), Rate.turn, Rate.close_for

    async def noted_turn(rate: Rate) -> None:
        asked = asyncio.get_running_loop().time()
        await turn(rate)
        noted.taken.append((asked, asyncio.get_running_loop().time()))

    def noted_close(rate: Rate, seconds: float) -> None:
        noted.closed.append(asyncio.get_running_loop().time())
        close_for(rate, seconds)

    monkeypatch.setattr(Rate, "turn", noted_turn)
    monkeypatch.setattr(Rate, "close_for", noted_close)
    return noted


@pytest.mark.parametrize("profile", ["rich", "strict"])
async def test_all_who_share_stay_away_as_long_as_one_was_told_to(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any, profile: str, turns: Turns
) -> None:
    """In real time, for the plane of all watchers keeps it, whatever each of them thinks."""
    from visionbatch.io.clock import LoopClock  # noqa: PLC0415

    tenant.configure(profile=profile)
    tenant.clock.run()
    crowd.clock = LoopClock()
    made = batches(3)
    faults(LIST if profile == "rich" else GET, "pass", {"fault": "return-429", "retry_after": 1})
    # Two paces are two rounds, which know of each other only through the plane.
    paces = [QUICK, Pace(first_s=0.03, longest_s=0.03, confirm_s=0.01, spread=0), QUICK]
    tasks = [asyncio.create_task(crowd.wait(batch.id, pace)) for batch, pace in zip(made, paces, strict=True)]
    told = {LIST, GET}
    await until(lambda: any(entry.status == 429 for kind in told for entry in books.requests(kind)))
    async with asyncio.timeout(WITHIN_S):
        await crowd.hubs[0].cancel(made[2].id)
    end(made[0], made[1])()
    await asyncio.wait(tasks[:2], timeout=WITHIN_S)
    tasks[2].cancel()

    assert len([entry for kind in told for entry in books.requests(kind) if entry.status == 429]) == 1
    # The one who cancels, and those who wait; what had its turn already when the refusal was read is held back by none.
    later = [gone - turns.closed[0] for asked, gone in turns.taken if asked >= turns.closed[0]]
    assert len(later) >= 3
    assert min(later) >= 1.0
    assert [task.result().phase for task in tasks[:2]] == [Phase.SUCCEEDED] * 2
    with suppress(asyncio.CancelledError, NotFound):
        await tasks[2]


async def test_a_place_given_before_the_refusal_is_moved_behind_it() -> None:
    clock = asyncio.get_running_loop().time
    rate = Rate(per_s=50)
    came: list[float] = []

    async def come() -> None:
        await rate.turn()
        came.append(clock())

    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(come())
        await asyncio.sleep(0)
        began = clock()
        rate.close_for(0.1)

    waited = [moment - began for moment in came[1:]]
    assert waited[0] >= 0.1
    assert waited[-1] >= 0.1 + 2 / 50


async def test_a_refusal_that_several_hear_of_closes_for_no_longer() -> None:
    rate = Rate(per_s=50)
    for _ in range(3):
        rate.close_for(60)
    assert 60 <= rate._moved < 110


async def test_an_outage_of_the_list_is_lived_through_in_two_lines_each(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant, faults: Any, lines: list[tuple[str, str]]
) -> None:
    made = batches(150)
    faults(LIST, "pass", "pass", "return-503", "return-500", "return-reset-connection", "truncate-20B")
    crowd.clock = Script(tenant, *[nothing] * 8, end(*made))

    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))

    assert {snapshot.phase for snapshot in results} == {Phase.SUCCEEDED}
    for batch in (made[0], made[-1]):
        mine = [line for who, line in lines if who == batch.id]
        assert len([line for line in mine if "out of reach" in line]) == 1
        assert len([line for line in mine if "in reach again" in line]) == 1
    assert not books.requests(GET)


@pytest.mark.parametrize("broken", ["look", "clock"])
async def test_an_error_of_the_round_itself_reaches_everyone(
    crowd: Crowd, batches: Any, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    from visionbatch.deepomatic.api import DeepomaticApi  # noqa: PLC0415

    def fail(*_: Any) -> Any:
        raise RuntimeError("a slip of our own")

    made = batches(3)
    monkeypatch.setattr(
        DeepomaticApi if broken == "look" else crowd.clock, "look_all" if broken == "look" else "pause", fail
    )
    results = await crowd.all(*(crowd.wait(batch.id) for batch in made))
    assert [str(error) for error in results] == ["a slip of our own"] * 3
    crowd.nothing_left()

    monkeypatch.undo()
    end(*made)()
    assert (await crowd.wait(made[0].id)).phase is Phase.SUCCEEDED


async def test_an_observers_error_ends_its_own_wait_only(crowd: Crowd, batches: Any, tenant: Tenant) -> None:
    made = batches(2)
    crowd.clock = Script(tenant, end(*made))

    def fail(_: Snapshot) -> None:
        raise RuntimeError("the observer's")

    failed, ended = await crowd.all(crowd.wait(made[0].id, observe=fail), crowd.wait(made[1].id))

    assert str(failed) == "the observer's"
    assert ended.phase is Phase.SUCCEEDED


async def test_a_watcher_that_joins_while_a_round_is_on_its_way_is_in_the_next(
    crowd: Crowd, batches: Any, books: Books, tenant: Tenant
) -> None:
    first, second = batches(2)
    crowd.clock = Script(tenant, end(first, second))
    crowd.opener.gate.clear()
    early = asyncio.create_task(crowd.wait(first.id))
    await until(lambda: crowd.opener.credentials_asked)
    late = asyncio.create_task(crowd.wait(second.id))
    await until(lambda: len(crowd.hubs) == 2)
    crowd.opener.gate.set()

    assert [snapshot.phase for snapshot in await crowd.all(early, late)] == [Phase.SUCCEEDED] * 2
    assert len(books.requests(GET)) == 1, "the first one, which was alone"
    assert books.requests(LIST)
    crowd.nothing_left()


class Stopped(AsyncTenantClock):
    """Stands still in a pause until it is cancelled, if the pause is a long one."""

    async def pause(self, pause: Pause) -> None:  # type: ignore[override]  # the asynchronous protocol
        if pause.at_least > 100:
            self.pauses.append(pause)
            await asyncio.get_running_loop().create_future()
        await super().pause(pause)


@pytest.mark.parametrize("deadline_s", [None, 3.0])
async def test_a_newcomer_does_not_sleep_through_the_long_pause_of_the_others(
    *, crowd: Crowd, batches: Any, books: Books, tenant: Tenant, deadline_s: float | None
) -> None:
    crowd.clock = clock = Stopped(tenant)
    pace = Pace(first_s=5, longest_s=1000, factor=1000, spread=0)
    patient, newcomer = batches(2)
    patient_task = asyncio.create_task(crowd.wait(patient.id, pace))
    await until(lambda: [pause.at_most for pause in clock.pauses] == [5, 1000])

    if deadline_s is None:
        end(newcomer)()
        assert (await crowd.wait(newcomer.id, pace)).phase is Phase.SUCCEEDED
        assert clock.pauses[2].at_most == 5
    else:
        with pytest.raises(DeadlinePassed):
            await crowd.wait(newcomer.id, pace, deadline=clock.now() + deadline_s)
        assert clock.pauses[2].at_most == deadline_s
    assert not patient_task.done()
    patient_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await patient_task
    crowd.nothing_left()


async def test_a_failure_to_open_reaches_all_and_the_next_one_tries_again(crowd: Crowd, batches: Any) -> None:
    (batch,) = batches(1)
    end(batch)()
    crowd.opener.failures = [ConfigError("no such connection")]

    results = await crowd.all(*(crowd.wait(batch.id) for _ in range(3)))
    assert [type(error) for error in results] == [ConfigError] * 3
    assert crowd.opener.opened == 1

    assert (await crowd.wait(batch.id)).phase is Phase.SUCCEEDED
    assert crowd.opener.opened == 2
    crowd.nothing_left()


async def test_two_connections_share_nothing_but_the_session(
    crowd: Crowd, batches: Any, mock: MockServer, tenant: Tenant
) -> None:
    made = batches(2)
    end(*made)()
    other = Crowd(Opener(mock, tenant), tenant)
    other.name = "another connection"

    await crowd.all(crowd.wait(made[0].id), other.wait(made[1].id))

    assert crowd.hubs[0] is not other.hubs[0]
    assert crowd.hubs[0].plane.session is other.hubs[0].plane.session
    assert (crowd.opener.opened, other.opener.opened) == (1, 1)
    crowd.nothing_left()


@pytest.fixture(params=["rich", "strict"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[str]]]:
    """A mock in another process, so that it does not hold this one's interpreter; with 200 batches to wait for."""
    command = [sys.executable, "-m", "visionbatch_mock.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            ask(f"{url}/_control/settings", "PATCH", {"profile": request.param, "lifecycle": "manual"})
            yield url, [ask(f"{url}/v0.2/batches", "POST", {"filename": "x"})["batch_id"] for _ in range(200)]
        finally:
            server.terminate()


def ask(url: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": "Token lag"}
    with urlopen(Post(url, json.dumps(body).encode(), headers, method=method), timeout=20) as answer:
        return dict(json.loads(answer.read() or b"{}"))


def queued_s() -> float:
    """Seconds that this thread was ready to run and had no processor, since it began."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


async def worst_lag(seconds: float) -> float:
    """The latest that a timer came which was due every 5 ms, without what others kept the processors busy for."""
    clock = asyncio.get_running_loop().time
    over, worst = clock() + seconds, 0.0
    while (now := clock()) < over:
        queued = queued_s()
        await asyncio.sleep(0.005)
        worst = max(worst, clock() - now - 0.005 - (queued_s() - queued))
    return worst


@pytest.mark.fault("SE14")
async def test_two_hundred_watchers_do_not_hold_the_loop_up(elsewhere: tuple[str, list[str]]) -> None:
    url, refs = elsewhere

    async def credentials() -> Mapping[str, Secret]:
        return token_header(Secret("lag"))

    async def opened() -> Site:
        return deepomatic_site(DeepomaticSettings(url), credentials)

    async def wait(ref: str) -> None:
        async with hub("lag", opened) as shared:
            await shared.await_end(ref, pace=Pace(first_s=0.5, longest_s=0.5), deadline=None)

    async def do_nothing(_: str) -> None:
        await asyncio.get_running_loop().create_future()

    async def lag_with(work: Callable[[str], Awaitable[None]]) -> float:
        tasks = [asyncio.ensure_future(work(ref)) for ref in refs]
        try:
            return await worst_lag(1.5)
        finally:
            for task in tasks:
                task.cancel()
            assert not [task for task in tasks if task.done()], "they were to wait"
            async with asyncio.timeout(WITHIN_S):
                await asyncio.gather(*tasks, return_exceptions=True)

    # What this process holds already would be walked by a collection of the whole heap.
    gc.collect()
    gc.freeze()
    try:
        # The whole machine may stand still for a moment; a loop that is held up by us is so every time.
        for _ in range(10):
            floor, ours = await lag_with(do_nothing), await lag_with(wait)
            if ours < floor + 0.05:
                return
    finally:
        gc.unfreeze()
    pytest.fail(f"a timer came {ours * 1000:.0f} ms late, {floor * 1000:.0f} ms where nobody watches")
