"""Who waits for what, in one loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from visionbatch.errors import VisionBatchError
from visionbatch.flow.effects import Flow, Now, Pause, Together
from visionbatch.flow.pace import Pace
from visionbatch.flow.vigil import Vigil
from visionbatch.model.snapshot import Snapshot

SLICE = 100
"""Vigils told of an outage, each with a line in its log, before the event loop may turn to others."""

NEVER = float("inf")


class Roster:
    """The vigils that share a loop, by the id of what they watch; it may grow and shrink while the loop runs."""

    def __init__(self) -> None:
        # Hardly ever do two watch one id, and a tuple around each of thousands is 48 bytes.
        self._vigils: dict[str, Vigil | tuple[Vigil, ...]] = {}
        self.due = NEVER
        """Unix seconds by which everybody is to be looked at."""
        self.bell = NEVER
        """Unix seconds before which no vigil is over by its deadline alone."""

    def __bool__(self) -> bool:
        return bool(self._vigils)

    @property
    def refs(self) -> frozenset[str]:
        """Ids that somebody watches now."""
        return frozenset(self._vigils)

    def add(self, ref: str, vigil: Vigil) -> None:
        """Enter a vigil."""
        others = self._of(ref)
        self._vigils[ref] = (*others, vigil) if others else vigil
        self.bell = min(self.bell, vigil.last_moment)

    def remove(self, ref: str, vigil: Vigil) -> None:
        """Strike a vigil off; one that is not there any more is no error."""
        others = tuple(other for other in self._of(ref) if other is not vigil)
        if others:
            self._vigils[ref] = others
        else:
            self._vigils.pop(ref, None)

    def saw(self, ref: str, snapshot: Snapshot) -> None:
        """Tell those who watch an id what it looks like."""
        for vigil in self._of(ref):
            vigil.saw(snapshot)

    def missed(self, ref: str, error: VisionBatchError, now: float) -> None:
        """A look at one id failed."""
        for vigil in self._of(ref):
            vigil.missed(error, now)

    def ask_each(self, refs: Iterable[str], look: Callable[[str], Flow[Snapshot]]) -> Flow[None]:
        """Look at single ones, some at a time; a look that fails concerns those who watch that id, and nobody else."""
        yield Together(self._ask(ref, look) for ref in refs)

    def _ask(self, ref: str, look: Callable[[str], Flow[Snapshot]]) -> Flow[None]:
        try:
            self.saw(ref, (yield from look(ref)))
        except VisionBatchError as error:
            now: float = yield Now()
            self.missed(ref, error, now)

    def slices(self) -> Iterator[list[Vigil]]:
        """Who is there now, in slices short enough for a loop that others wait for."""
        everybody = self._everybody()
        return (everybody[start : start + SLICE] for start in range(0, len(everybody), SLICE))

    def hurried(self, now: float) -> Roster:
        """Those alone who want a look before everybody gets one: to confirm an end, or for their deadline is here."""
        some = Roster()
        some._vigils = {  # its own class
            ref: vigils for ref, vigils in self._vigils.items() if any(vigil.hurried(now) for vigil in self._of(ref))
        }
        return some

    def abandon(self, error: Exception) -> None:
        """End everybody's vigil: the loop itself is broken."""
        for vigil in self._everybody():
            vigil.abandon(error)
        self._vigils.clear()

    def settle(self, now: float) -> None:
        """Strike off whoever is over, after a look."""
        self._strike([(ref, vigil) for ref, vigil in self._pairs() if vigil.settle(now)])

    def expire(self, now: float) -> None:
        """Strike off whoever cannot wait for the end of the look that is under way."""
        if now >= self.bell:
            self._strike(
                [(ref, vigil) for ref, vigil in self._pairs() if now >= vigil.last_moment and vigil.settle(now)]
            )

    def pause(self, pace: Pace, asked_s: float | None = None, spent_s: float = 0.0) -> Pause:
        """How long it may take until everybody is looked at again: as long as the most restless allows.

        :param spent_s: how much of it has passed already; at least ``confirm_s`` is left.
        """
        pause = pace.pause(min(vigil.quiet_looks for vigil in self._everybody()), asked_s)
        spent_s = min(spent_s, max(pause.at_least - pace.confirm_s, 0.0))
        return Pause(pause.at_least - spent_s, pause.at_most - spent_s)

    def hurry(self, pace: Pace, now: float) -> float:
        """Seconds until somebody is `hurried`."""
        seconds = NEVER
        for vigil in self._everybody():
            if vigil.unconfirmed:
                seconds = min(seconds, pace.confirm_s)
            if vigil.deadline is not None:
                seconds = min(seconds, vigil.deadline - now)
        return seconds

    def discard(self, chosen: Callable[[Vigil], bool]) -> None:
        """Strike some off, over or not."""
        self._strike([(ref, vigil) for ref, vigil in self._pairs() if chosen(vigil)])

    def _strike(self, over: list[tuple[str, Vigil]]) -> None:
        for ref, vigil in over:
            self.remove(ref, vigil)
        self.bell = min((vigil.last_moment for _, vigil in self._pairs()), default=NEVER)

    def _pairs(self) -> Iterator[tuple[str, Vigil]]:
        return ((ref, vigil) for ref in self._vigils for vigil in self._of(ref))

    def _of(self, ref: str) -> tuple[Vigil, ...]:
        found = self._vigils.get(ref, ())
        return found if isinstance(found, tuple) else (found,)

    def _everybody(self) -> list[Vigil]:
        return [vigil for _, vigil in self._pairs()]
