"""The vigils of one connection that keep the same pace, and the task that goes round among them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from visionbatch.errors import TimedOut
from visionbatch.flow.effects import Flow, Pause, Request, Response
from visionbatch.flow.pace import Pace
from visionbatch.flow.roster import Roster
from visionbatch.flow.vigil import LAST_LOOK_S, Observer, Vigil
from visionbatch.flow.watch import patrol
from visionbatch.io.clock import AsyncClock
from visionbatch.io.drive import AsyncSender, adrive

BELL_S = 1.0
"""Seconds between two looks at the deadlines while an answer is waited for."""


class Awaited(Vigil):
    """A vigil that a task of this loop waits for."""

    __slots__ = ("_kind", "over")

    def __init__(
        self, kind: str, ref: str, pace: Pace, *, began: float, deadline: float | None, observe: Observer | None
    ) -> None:
        super().__init__(ref, pace, began=began, deadline=deadline, observe=observe)
        self._kind = kind
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def subject(self) -> str:
        """Put together when it is asked for: thousands of these texts would be kept for nothing."""
        return f"{self._kind} {self._subject}"

    def settled(self) -> None:
        """Wake who waits, if it still does."""
        if not self.over.done():
            self.over.set_result(None)


class Round:
    """Goes round as long as somebody is there.

    It is the clock of its own flow, for a pause ends sooner when a newcomer would be late at its end. It is its plane
    too, for a deadline may come while an answer is waited for.
    """

    def __init__(
        self, look: Callable[[Roster], Flow[None]], pace: Pace, *, plane: AsyncSender, clock: AsyncClock
    ) -> None:
        self.pace = pace
        self._look = look
        self._plane = plane
        self._clock = clock
        self._roster = Roster()
        self._task: asyncio.Task[None] | None = None
        self._sleep: asyncio.Task[None] | None = None
        self._wakes = 0.0
        self._sooner: Pause | None = None

    def join(self, ref: str, vigil: Vigil) -> None:
        """Enter a vigil."""
        self._roster.add(ref, vigil)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._go())
            return
        now = self.now()
        wish = vigil.first_pause(now)
        self._roster.due = min(self._roster.due, now + wish.at_most)
        if self._sleep is not None and not self._sleep.done() and now + wish.at_most < self._wakes:
            self._wakes, self._sooner = now + wish.at_most, wish
            self._sleep.cancel()

    def leave(self, ref: str, vigil: Vigil) -> None:
        """Strike a vigil off, should it still be there."""
        self._roster.remove(ref, vigil)

    def leave_all(self, chosen: Callable[[Vigil], bool]) -> None:
        """Strike some off."""
        self._roster.discard(chosen)

    async def stop(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def now(self) -> float:
        """See `visionbatch.io.clock.AsyncClock`."""
        return self._clock.now()

    async def pause(self, pause: Pause) -> None:
        """See `visionbatch.io.clock.AsyncClock`."""
        self._sooner = pause
        self._wakes = self.now() + pause.at_most
        while self._sooner is not None:
            self._sleep = sleep = asyncio.ensure_future(self._clock.pause(self._sooner))
            self._sooner = None
            try:
                await asyncio.wait([sleep])
            finally:
                sleep.cancel()
                self._sleep = None
            if not sleep.cancelled():
                sleep.result()

    async def send(self, request: Request, refused: int | None = None) -> Response | None:
        """See `visionbatch.io.drive.AsyncSender`; who cannot wait for the answer is told of its deadline meanwhile."""
        sending = asyncio.ensure_future(self._plane.send(request, refused))
        try:
            while not sending.done():
                await asyncio.wait([sending], timeout=min(max(self._roster.bell - self.now(), 0.0), BELL_S))
                self._roster.expire(self.now())
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        return sending.result()

    async def _go(self) -> None:
        try:
            await adrive(patrol(self._roster, self._look, self.pace), self, self)
        except Exception as error:  # noqa: BLE001  # it is raised where somebody waits for it
            # Whoever waits must hear of it: a wait without a poll would never end.
            self._roster.abandon(error)


class Punctual:
    """A plane for one who waits alone: an answer that comes too late for its deadline is not waited for."""

    def __init__(self, plane: AsyncSender, clock: AsyncClock, deadline: float) -> None:
        self._plane = plane
        self._clock = clock
        self._deadline = deadline

    async def send(self, request: Request, refused: int | None = None) -> Response | None:
        """See `visionbatch.io.drive.AsyncSender`.

        :raises TimedOut: `LAST_LOOK_S` behind the deadline.
        """
        left = max(self._deadline - self._clock.now(), 0.0) + LAST_LOOK_S
        try:
            async with asyncio.timeout(left):
                return await self._plane.send(request, refused)
        except TimeoutError:
            raise TimedOut(f"no answer by the deadline to {request.method} {request.path}") from None
