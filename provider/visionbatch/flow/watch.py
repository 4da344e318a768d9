"""The one poll loop, for everyone who waits: for one batch, or for all the batches of a connection at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass

from visionbatch.errors import DeadlinePassed, NotFound, UnreadableAnswer, VisionBatchError
from visionbatch.flow.effects import Flow, Now, Pause
from visionbatch.flow.retry import transient, wait_asked_by
from visionbatch.model.snapshot import Phase, Snapshot

log = logging.getLogger(__name__)

LONGEST_ASKED_S = 3600.0
"""The longest ``Retry-After`` that a watch obeys: waiting is cheap there, but a slip should not cost a day."""

SLICE = 100
"""Vigils told of an outage, each with a line in its log, before the event loop may turn to others."""

Observer = Callable[[Snapshot], None]
"""Called with the first snapshot and with each that differs from the one before."""


@dataclass(frozen=True)
class Pace:
    """How often to look.

    The interval grows from ``first_s`` to ``longest_s`` while nothing changes, starts again at a change, and is
    spread evenly by ``spread`` either way so that thousands of watchers do not ask in step.

    :param confirm_s: seconds between an end and the second look that confirms it.
    :param grace_s: seconds after the first look in which 404 means "not yet visible".
    """

    first_s: float = 5.0
    longest_s: float = 60.0
    factor: float = 1.5
    spread: float = 0.2
    confirm_s: float = 1.0
    grace_s: float = 60.0

    def pause(self, looks: int, asked_s: float | None = None) -> Pause:
        """The wait after that many looks without a change, from 1.

        :param asked_s: what the service asked for in ``Retry-After``, honoured up to `LONGEST_ASKED_S`.
        """
        middle = min(self.longest_s, self.first_s * self.factor ** min(looks - 1, 64))
        least, most = middle * (1 - self.spread), middle * (1 + self.spread)
        if asked_s is None:
            return Pause(least, most)
        longer = max(least, min(asked_s, LONGEST_ASKED_S))
        return Pause(longer, longer + most - least)


def watch(
    look: Callable[[], Flow[Snapshot]],
    *,
    subject: str,
    pace: Pace,
    deadline: float | None = None,
    observe: Observer | None = None,
) -> Flow[Snapshot]:
    """Look again and again until the batch or job has ended, and return its last snapshot.

    Outages of the service are lived through until the deadline. An end is believed only when a second look
    confirms it, for a service that fails over may show an older state. Every change of state is one line in the
    log, an outage is two: when it begins and when it is over.

    :param look: makes a fresh flow for one look; it may use few retries, this loop is the patience.
    :param subject: what is watched, for messages, such as ``deepomatic batch 5f1c…``.
    :param deadline: Unix seconds; ``None`` waits for ever.
    :param observe: see `Observer`.
    :raises DeadlinePassed: with the last state in its message.
    :raises NotFound: when the batch stays invisible after the grace period.
    :raises NotAuthorized: when the credential is refused, renewed or not.
    """
    began: float = yield Now()
    vigil = Vigil(subject, pace, began=began, deadline=deadline, observe=observe)

    def look_once(_: Roster) -> Flow[None]:
        vigil.saw((yield from look()))

    roster = Roster()
    roster.add(subject, vigil)
    yield from patrol(roster, look_once, pace)
    return vigil.result()


def patrol(roster: Roster, look: Callable[[Roster], Flow[None]], pace: Pace) -> Flow[None]:
    """Go round until the roster is empty.

    :param look: makes a flow for one round; it tells the roster's vigils what they want to know.
    """
    while roster:
        asked = None
        began: float = yield Now()
        try:
            yield from look(roster)
        except VisionBatchError as error:
            now: float = yield Now()
            for vigils in roster.slices():
                for vigil in vigils:
                    vigil.missed(error, now)
                if len(vigils) == SLICE:
                    yield Pause(0, 0)
            asked = wait_asked_by(error)
            began = now
        else:
            now = yield Now()
        roster.settle(now)
        if roster:
            # The interval counts from look to look, for one at thousands takes seconds; after a failure it counts anew.
            yield roster.pause(pace, asked, now, spent_s=now - began)


class Vigil:
    """What is remembered of one batch or job between two looks, and how its watch came out.

    :param subject: what is watched, for messages.
    :param began: Unix seconds.
    """

    __slots__ = (
        "_began", "_confirmed", "_context", "_deadline", "_end", "_failure", "_last", "_observe", "_outage", "_pace",
        "_strange_words", "_subject", "quiet_looks",
    )  # fmt: skip

    def __init__(
        self,
        subject: str,
        pace: Pace,
        *,
        began: float,
        deadline: float | None = None,
        observe: Observer | None = None,
    ) -> None:
        self.quiet_looks = 1
        self._subject = subject
        self._pace = pace
        self._began = began
        self._deadline = deadline
        self._observe = observe
        # Many vigils may share a loop, but each one's lines belong into its own task's log.
        self._context: Context = copy_context()
        self._last: Snapshot | None = None
        self._end: Snapshot | None = None
        self._confirmed = False
        self._failure: Exception | None = None
        self._outage = ""
        self._strange_words: set[str] | None = None

    @property
    def subject(self) -> str:
        """What is watched, for messages."""
        return self._subject

    @property
    def unconfirmed(self) -> bool:
        """Whether an end was just seen that another look has to confirm; an outage takes the hurry out of it."""
        return self._end is not None and not self._outage

    @property
    def deadline(self) -> float | None:
        """Unix seconds."""
        return self._deadline

    def result(self) -> Snapshot:
        """The last snapshot of a settled vigil.

        :raises VisionBatchError: what ended it instead.
        """
        if self._failure is not None:
            raise self._failure
        if self._end is None:
            raise RuntimeError(f"{self.subject} is still being watched, {self._last_words()}")
        return self._end

    def saw(self, snapshot: Snapshot) -> None:
        """Take a snapshot in."""
        if self._outage:
            self._context.run(log.info, "%s: in reach again", self.subject)
            self._outage = ""
        if snapshot is self._last or snapshot == self._last:
            self.quiet_looks += 1
        else:
            self.quiet_looks = 1
            try:
                self._context.run(self._tell, snapshot)
            except Exception as error:  # noqa: BLE001  # an observer's, raised where the watch was asked for
                self._failure = error
        ended = snapshot.phase.is_terminal
        self._confirmed = ended and self._end is not None
        self._end = snapshot if ended else None
        self._last = snapshot

    def missed(self, error: VisionBatchError, now: float) -> None:
        """Take a failed look in; it ends the vigil when patience does not help."""
        invisible_yet = isinstance(error, NotFound) and self._last is None
        forgiven = invisible_yet and now - self._began < self._pace.grace_s
        if not (transient(error) or isinstance(error, UnreadableAnswer) or forgiven):
            self._failure = error
            return
        self.quiet_looks += 1
        if not self._outage:
            self._context.run(log.warning, "%s: out of reach, still waiting: %s", self.subject, error.what)
        self._outage = error.what

    def abandon(self, error: Exception) -> None:
        """End the vigil with an error that is none of the service's."""
        self._failure = error
        self.settled()

    def settle(self, now: float) -> bool:
        """Whether the vigil is over; if it has just come to that, whoever waits is told."""
        passed = self._deadline is not None and now >= self._deadline
        if not (self._failure or self._confirmed or passed):
            return False
        if self._failure is None and self._end is None:
            self._failure = DeadlinePassed(f"{self.subject} has not ended by its deadline, {self._last_words()}")
        self.settled()
        return True

    def settled(self) -> None:
        """Called when `result` is there; for those who wait elsewhere than in the loop itself."""

    def first_pause(self, now: float) -> Pause:
        """How long it may wait for its first look."""
        pause = self._pace.pause(self.quiet_looks)
        return pause if self._deadline is None else pause.capped(self._deadline - now)

    def _last_words(self) -> str:
        state = f"last seen {self._last}" if self._last else "never seen"
        return f"{state}; now out of reach: {self._outage}" if self._outage else state

    def _tell(self, snapshot: Snapshot) -> None:
        words = self._strange_words or set()
        if snapshot.phase is Phase.UNKNOWN and snapshot.native not in words:
            self._strange_words = words | {snapshot.native}
            log.warning(
                '%s: the service says "%s", which is not a word known here; still polling. Name it in status_aliases.',
                self.subject,
                snapshot.native,
            )
        elif self._last is None or str(snapshot) != str(self._last):
            log.info("%s: %s", self.subject, snapshot)
        if self._observe is not None:
            self._observe(snapshot)


class Roster:
    """The vigils that share a loop, by the id of what they watch; it may grow and shrink while the loop runs."""

    def __init__(self) -> None:
        self._vigils: dict[str, tuple[Vigil, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._vigils)

    @property
    def refs(self) -> frozenset[str]:
        """Ids that somebody watches now."""
        return frozenset(self._vigils)

    def add(self, ref: str, vigil: Vigil) -> None:
        """Enter a vigil."""
        self._vigils[ref] = (*self._vigils.get(ref, ()), vigil)

    def remove(self, ref: str, vigil: Vigil) -> None:
        """Strike a vigil off; one that is not there any more is no error."""
        others = tuple(other for other in self._vigils.get(ref, ()) if other is not vigil)
        if others:
            self._vigils[ref] = others
        else:
            self._vigils.pop(ref, None)

    def saw(self, ref: str, snapshot: Snapshot) -> None:
        """Tell those who watch an id what it looks like."""
        for vigil in self._vigils.get(ref, ()):
            vigil.saw(snapshot)

    def missed(self, ref: str, error: VisionBatchError, now: float) -> None:
        """A look at one id failed."""
        for vigil in self._vigils.get(ref, ()):
            vigil.missed(error, now)

    def slices(self) -> Iterator[list[Vigil]]:
        """Who is there now, in slices short enough for a loop that others wait for."""
        everybody = self._everybody()
        return (everybody[start : start + SLICE] for start in range(0, len(everybody), SLICE))

    def abandon(self, error: Exception) -> None:
        """End everybody's vigil: the loop itself is broken."""
        for vigil in self._everybody():
            vigil.abandon(error)
        self._vigils.clear()

    def settle(self, now: float) -> None:
        """Strike off whoever is over."""
        over = [(ref, vigil) for ref, vigils in self._vigils.items() for vigil in vigils if vigil.settle(now)]
        for ref, vigil in over:
            self.remove(ref, vigil)

    def pause(self, pace: Pace, asked_s: float | None, now: float, spent_s: float = 0.0) -> Pause:
        """How long to wait now: as long as the most restless allows, and not past a deadline.

        :param spent_s: how much of it has passed already; at least ``confirm_s`` is left.
        """
        everybody = self._everybody()
        if any(vigil.unconfirmed for vigil in everybody):
            pause = Pause(pace.confirm_s, pace.confirm_s)
        else:
            pause = pace.pause(min(vigil.quiet_looks for vigil in everybody), asked_s)
            spent_s = min(spent_s, max(pause.at_least - pace.confirm_s, 0.0))
            pause = Pause(pause.at_least - spent_s, pause.at_most - spent_s)
        deadlines = [vigil.deadline for vigil in everybody if vigil.deadline is not None]
        return pause.capped(min(deadlines) - now) if deadlines else pause

    def _everybody(self) -> list[Vigil]:
        return [vigil for vigils in self._vigils.values() for vigil in vigils]
