"""Flows that are run together: some at a time on a loop, in turn in a thread, and an error ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support.clocks import AsyncHandClock, HandClock
from visionbatch.errors import NotFound
from visionbatch.flow.effects import Flow, Pause, Together
from visionbatch.io.drive import AT_ONCE, adrive, drive

NOWHERE: Any = None
"""A plane for flows that send nothing."""


class Parts:
    """Flows that pause twice, and what they have come to."""

    def __init__(self, count: int, failing: int | None = None) -> None:
        self.begun = self.ended = self.most = 0
        self._count = count
        self._failing = failing

    def __call__(self) -> Iterator[Flow[None]]:
        return (self._part(number) for number in range(self._count))

    def _part(self, number: int) -> Flow[None]:
        self.begun += 1
        self.most = max(self.most, self.begun - self.ended)
        yield Pause(1, 1)
        if number == self._failing:
            raise NotFound("not there")
        yield Pause(1, 1)
        self.ended += 1


def whole(parts: Parts) -> Flow[str]:
    try:
        yield Together(parts())
    except NotFound as error:
        return error.what
    return "all"


async def test_a_loop_runs_some_of_them_at_a_time() -> None:
    parts = Parts(5 * AT_ONCE)
    assert await adrive(whole(parts), NOWHERE, AsyncHandClock()) == "all"
    assert (parts.ended, parts.most) == (5 * AT_ONCE, AT_ONCE)


def test_a_thread_runs_them_in_turn() -> None:
    parts, clock = Parts(5), HandClock()
    assert drive(whole(parts), NOWHERE, clock) == "all"
    assert (parts.ended, parts.most, len(clock.pauses)) == (5, 1, 10)


@pytest.mark.parametrize("loop", [True, False], ids=["loop", "thread"])
def test_an_error_ends_the_others_and_is_thrown_in(*, loop: bool) -> None:
    parts = Parts(5 * AT_ONCE, failing=3)

    async def on_a_loop() -> str:
        found = await adrive(whole(parts), NOWHERE, AsyncHandClock())
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return found

    found = asyncio.run(on_a_loop()) if loop else drive(whole(parts), NOWHERE, HandClock())
    assert found == "not there"
    assert parts.begun < 5 * AT_ONCE


class Interrupted(HandClock):
    """Somebody ends the process in a pause."""

    def pause(self, pause: Pause) -> None:
        raise KeyboardInterrupt


def test_who_is_interrupted_leaves_the_flow_closed() -> None:
    ends = []

    def inner() -> Flow[None]:
        try:
            yield Pause(1, 1)
        finally:
            ends.append("inner")

    def outer() -> Flow[None]:
        try:
            yield from inner()
        finally:
            ends.append("outer")

    flow = outer()
    with pytest.raises(KeyboardInterrupt):
        drive(flow, NOWHERE, Interrupted())
    assert ends == ["inner", "outer"], "while somebody still holds it"
