"""One wait for one batch or job: what is remembered of it, and when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context, copy_context

from visionbatch.errors import DeadlinePassed, NotFound, UnreadableAnswer, VisionBatchError
from visionbatch.flow.effects import Pause
from visionbatch.flow.pace import Pace
from visionbatch.flow.retry import transient
from visionbatch.model.snapshot import Phase, Snapshot

log = logging.getLogger(__name__)

Observer = Callable[[Snapshot], None]
"""Called with the first snapshot and with each that differs from the one before."""

LAST_LOOK_S = 5.0
"""Seconds that the look at the deadline may take. It is worth them, for the one before may be a minute old; a closed
plane or a service that answers slowly would take minutes."""


_NO_CONTEXT = Context()


class Vigil:
    """What is remembered of one batch or job between two looks, and how its watch came out.

    :param subject: what is watched, for messages.
    :param began: Unix seconds.
    :param own_context: keep the caller's context: its lines belong into its own task's log, though many share a loop.
    """

    __slots__ = (
        "_began", "_confirmed", "_context", "_deadline", "_end", "_failure", "_gone", "_last", "_observe", "_outage",
        "_over", "_pace", "_strange_words", "_subject", "quiet_looks",
    )  # fmt: skip

    def __init__(
        self,
        subject: str,
        pace: Pace,
        *,
        began: float,
        deadline: float | None = None,
        observe: Observer | None = None,
        own_context: bool = True,
    ) -> None:
        self.quiet_looks = 1
        self._subject = subject
        self._pace = pace
        self._began = began
        self._deadline = deadline
        self._observe = observe
        self._context: Context = copy_context() if own_context else _NO_CONTEXT
        self._last: Snapshot | None = None
        self._end: Snapshot | None = None
        self._confirmed = False
        self._gone = False
        self._over = False
        self._failure: Exception | None = None
        self._outage = ""
        self._strange_words: set[str] | None = None

    @property
    def subject(self) -> str:
        """What is watched, for messages."""
        return self._subject

    @property
    def unconfirmed(self) -> bool:
        """Whether an end, or a 404, was just seen that another look has to confirm; an outage takes the hurry away."""
        return (self._end is not None or self._gone) and not self._outage

    @property
    def deadline(self) -> float | None:
        """Unix seconds."""
        return self._deadline

    @property
    def last_moment(self) -> float:
        """Unix seconds at which it is over even in the middle of a look."""
        return float("inf") if self._deadline is None else max(self._deadline, self._began) + LAST_LOOK_S

    def hurried(self, now: float) -> bool:
        """Whether it wants a look of its own."""
        return self.unconfirmed or (self._deadline is not None and now >= self._deadline)

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
        """Take a snapshot in; who is over, though the look went on for others, takes in nothing."""
        if self._over:
            return
        self._gone = False
        if self._outage:
            self._tell_return()
            self._outage = ""
        if snapshot is self._last or snapshot == self._last:
            self.quiet_looks += 1
        else:
            self.quiet_looks = 1
            try:
                self._tell(snapshot)
            except Exception as error:  # noqa: BLE001  # an observer's, raised where the watch was asked for
                self._failure = error
        ended = snapshot.phase.is_terminal
        self._confirmed = ended and self._end is not None
        self._end = snapshot if ended else None
        self._last = snapshot

    def missed(self, error: VisionBatchError, now: float) -> None:
        """Take a failed look in, as `saw` does; it ends the vigil when patience does not help."""
        if self._over:
            return
        if isinstance(error, NotFound):
            self._not_there(error, now)
        elif transient(error) or isinstance(error, UnreadableAnswer):
            self._out_of_reach(error)
        else:
            self._failure = error

    def _not_there(self, error: NotFound, now: float) -> None:
        """As an end, a 404 counts when a second look confirms it, and not before a new batch has had time to show."""
        unseen = self._last is None
        if unseen and now - self._began < self._pace.grace_s:
            self._out_of_reach(error)
        elif self._gone or (unseen and self._passed(now)):
            self._failure = error
        else:
            self.quiet_looks += 1
        self._gone = True

    def _out_of_reach(self, error: VisionBatchError) -> None:
        self.quiet_looks += 1
        if not self._outage:
            self._tell_outage(error)
        self._outage = error.what

    def abandon(self, error: Exception) -> None:
        """End the vigil with an error that is none of the service's."""
        self._failure = error
        self._over = True
        self.settled()

    def settle(self, now: float) -> bool:
        """Whether the vigil is over; if it has just come to that, whoever waits is told."""
        if not (self._failure or self._confirmed or self._passed(now)):
            return False
        self._over = True
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

    def _passed(self, now: float) -> bool:
        return self._deadline is not None and now >= self._deadline

    def _last_words(self) -> str:
        state = f"last seen {self._last}" if self._last else "never seen"
        if self._gone and not self._outage:
            return f"{state}; not there at the last look"
        return f"{state}; now out of reach: {self._outage}" if self._outage else state

    def _tell_outage(self, error: VisionBatchError) -> None:
        self._context.run(log.warning, "%s: out of reach, still waiting: %s", self.subject, error.what)

    def _tell_return(self) -> None:
        self._context.run(log.info, "%s: in reach again", self.subject)

    def _tell(self, snapshot: Snapshot) -> None:
        self._context.run(self._tell_in_context, snapshot)

    def _tell_in_context(self, snapshot: Snapshot) -> None:
        words = self._strange_words or set()
        if snapshot.phase is Phase.UNKNOWN and snapshot.native not in words:
            self._strange_words = words | {snapshot.native}
            warn_of_word(self.subject, snapshot.native)
        elif self._last is None or str(snapshot) != str(self._last):
            log.info("%s: %s", self.subject, snapshot)
        if self._observe is not None:
            self._observe(snapshot)


def warn_of_word(subject: str, word: str) -> None:
    """Say that a service used a word which is in no table."""
    log.warning(
        '%s: the service says "%s", which is not a word known here; still polling. Name it in status_aliases.',
        subject,
        word,
    )
