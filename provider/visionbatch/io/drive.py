"""The two drivers: they perform what a flow asks for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from visionbatch.errors import VisionBatchError
from visionbatch.flow.effects import Effect, Flow, Now, Pause, Request, Response, Send, Together
from visionbatch.io.clock import AsyncClock, Clock, LoopClock, SystemClock

T = TypeVar("T")

AT_ONCE = 16
"""Flows of a `Together` that a loop runs at a time: at 50 ms an answer, more than a plane's rate of 200 a second."""


class Sender(Protocol):
    """What performs ``Send`` for `drive`: a `visionbatch.io.control_sync.ControlPlane`."""

    def send(self, request: Request, refused: int | None = None) -> Response | None:
        """Send one request."""


class AsyncSender(Protocol):
    """What performs ``Send`` for `adrive`: a `visionbatch.io.control_async.AsyncControlPlane`."""

    async def send(self, request: Request, refused: int | None = None) -> Response | None:
        """Send one request."""


def drive(flow: Flow[T], plane: Sender, clock: Clock | None = None) -> T:
    """Run a flow to its end in this thread and give back what it returns.

    What the plane raises is thrown into the flow, which may live through it.
    """
    clock = clock or SystemClock()
    answer: Any = None
    # Who is interrupted leaves the flow closed, and not to the collector, which closes the parts of one in any order.
    with closing(flow):
        while not isinstance(step := _resume(flow, answer), _Returned):
            try:
                match step:
                    case Send(request, refused):
                        answer = plane.send(request, refused)
                    case Pause():
                        answer = clock.pause(step)  # type: ignore[func-returns-value]  # a pause is answered with None
                    case Now():
                        answer = clock.now()
                    case Together(flows):
                        for part in flows:
                            drive(part, plane, clock)
                        answer = None
            except VisionBatchError as error:
                answer = error
        return step.value


async def adrive(flow: Flow[T], plane: AsyncSender, clock: AsyncClock | None = None) -> T:
    """Run a flow to its end on the running loop and give back what it returns."""
    clock = clock or LoopClock()
    answer: Any = None
    with closing(flow):
        while not isinstance(step := _resume(flow, answer), _Returned):
            try:
                match step:
                    case Send(request, refused):
                        answer = await plane.send(request, refused)
                    case Pause():
                        answer = await clock.pause(step)  # type: ignore[func-returns-value]  # as above
                    case Now():
                        answer = clock.now()
                    case Together(flows):
                        answer = await _together(flows, plane, clock)  # type: ignore[func-returns-value]  # as above
            except VisionBatchError as error:
                answer = error
        return step.value


async def _together(flows: Iterator[Flow[None]], plane: AsyncSender, clock: AsyncClock) -> None:
    import asyncio  # noqa: PLC0415  # `drive` needs none, and it is a tenth of the command line's start

    async def in_turn() -> None:
        # All of them take from the same iterator.
        for flow in flows:
            await adrive(flow, plane, clock)

    workers = [asyncio.ensure_future(in_turn()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


@dataclass(frozen=True)
class _Returned(Generic[T]):
    value: T


def _resume(flow: Flow[T], answer: Any) -> Effect | _Returned[T]:
    """Hand an answer in, or throw it in when it is an error, and take the next effect out."""
    try:
        return flow.throw(answer) if isinstance(answer, VisionBatchError) else flow.send(answer)
    except StopIteration as end:
        return _Returned(end.value)
