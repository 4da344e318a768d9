"""The one poll loop and the one judgement, for everyone who waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from visionbatch.errors import (
    DeadlinePassed,
    JobCancelled,
    JobError,
    JobFailed,
    JobPartial,
    NotFound,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.effects import Flow, Now, Pause
from visionbatch.flow.retry import transient, wait_asked_by
from visionbatch.model.policy import OnPartial, PartialAction
from visionbatch.model.snapshot import Counts, Phase, Snapshot

log = logging.getLogger(__name__)


LONGEST_ASKED_S = 3600.0
"""The longest ``Retry-After`` that a watch obeys: waiting is cheap there, but a slip should not cost a day."""


class Outcome(StrEnum):
    """How a batch or job stands, as its user sees it."""

    WAIT = "wait"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Verdict:
    """What `judge` made of a snapshot.

    :param outcome: the named outcome.
    :param accepted: whether the user's policy takes it for a success.
    :param reason: one sentence for the log.
    """

    outcome: Outcome
    accepted: bool
    reason: str

    def require(self, service: str, ref: str) -> None:
        """Raise the error that an outcome stands for unless it was accepted.

        :raises JobError: `JobFailed`, `JobCancelled` or `JobPartial`.
        """
        if self.accepted or self.outcome is Outcome.WAIT:
            return
        kinds: dict[Outcome, type[JobError]] = {
            Outcome.FAILED: JobFailed,
            Outcome.CANCELLED: JobCancelled,
            Outcome.PARTIAL: JobPartial,
        }
        raise kinds[self.outcome](self.reason, service=service, ref=ref)


def judge(snapshot: Snapshot, on_partial: OnPartial) -> Verdict:
    """Decide what a snapshot means: wait, done, partial or failed.

    A success with failed items is a partial success whatever the service calls it.
    """
    counts = snapshot.counts
    some_failed = counts is not None and counts.failed > 0
    if snapshot.phase is Phase.PARTIAL or (snapshot.phase is Phase.SUCCEEDED and some_failed):
        accepted = _accepts(on_partial, counts)
        taken = "accepted" if accepted else "refused"
        return Verdict(Outcome.PARTIAL, accepted, f"ended {snapshot}; {taken} by on_partial={on_partial}")
    if not snapshot.phase.is_terminal:
        return Verdict(Outcome.WAIT, False, f"still {snapshot}")
    outcome = {
        Phase.SUCCEEDED: Outcome.DONE,
        Phase.FAILED: Outcome.FAILED,
        Phase.CANCELLED: Outcome.CANCELLED,
    }[snapshot.phase]
    detail = f": {snapshot.detail}" if snapshot.detail else ""
    return Verdict(outcome, outcome is Outcome.DONE, f"ended {snapshot}{detail}")


def _accepts(on_partial: OnPartial, counts: Counts | None) -> bool:
    if on_partial.action is not PartialAction.ACCEPT:
        return on_partial.action is PartialAction.WARN
    if on_partial.most is None and on_partial.share is None:
        return True
    if counts is None:
        return False
    limit = on_partial.most if on_partial.most is not None else counts.total * on_partial.share  # type: ignore[operator]  # one of the two is set
    return counts.failed <= limit


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
    observe: Callable[[Snapshot], None] | None = None,
) -> Flow[Snapshot]:
    """Look again and again until the batch or job has ended, and return its last snapshot.

    Outages of the service are lived through until the deadline. An end is believed only when a second look
    confirms it, for a service that fails over may show an older state. Every change of state is one line in the
    log, an outage is two: when it begins and when it is over.

    :param look: makes a fresh flow for one look; it may use few retries, this loop is the patience.
    :param subject: what is watched, for messages, such as ``deepomatic batch 5f1c…``.
    :param deadline: Unix seconds; ``None`` waits for ever.
    :param observe: called with the first snapshot and with each that differs from the one before.
    :raises DeadlinePassed: with the last state in its message.
    :raises NotFound: when the batch stays invisible after the grace period.
    :raises NotAuthorized: when the credential is refused, renewed or not.
    """
    began: float = yield Now()
    watcher = _Watcher(subject, pace, observe, began)
    while True:
        asked = None
        try:
            snapshot = yield from look()
        except VisionBatchError as error:
            now: float = yield Now()
            watcher.missed(error, now)
            asked = wait_asked_by(error)
        else:
            now = yield Now()
            watcher.saw(snapshot)
            if watcher.end is not None and (watcher.confirmed or _passed(deadline, now)):
                return watcher.end
        if _passed(deadline, now):
            raise DeadlinePassed(f"{subject} has not ended by its deadline, {watcher.last_words}")
        pause = watcher.next_pause(asked)
        yield pause if deadline is None else pause.capped(deadline - now)


def _passed(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline


class _Watcher:
    """What the loop remembers between two looks."""

    def __init__(
        self,
        subject: str,
        pace: Pace,
        observe: Callable[[Snapshot], None] | None,
        began: float,
    ) -> None:
        self.end: Snapshot | None = None
        self.confirmed = False
        self._subject = subject
        self._pace = pace
        self._observe = observe
        self._began = began
        self._last: Snapshot | None = None
        self._quiet_looks = 1
        self._outage = ""
        self._strange_words: set[str] = set()

    @property
    def last_words(self) -> str:
        """What is known, for the message of a deadline."""
        state = f"last seen {self._last}" if self._last else "never seen"
        return f"{state}; now out of reach: {self._outage}" if self._outage else state

    def next_pause(self, asked_s: float | None) -> Pause:
        """How long to wait now."""
        if self.end is not None:
            return Pause(self._pace.confirm_s, self._pace.confirm_s)
        return self._pace.pause(self._quiet_looks, asked_s)

    def saw(self, snapshot: Snapshot) -> None:
        """Take a snapshot in."""
        if self._outage:
            log.info("%s: in reach again", self._subject)
            self._outage = ""
        if snapshot == self._last:
            self._quiet_looks += 1
        else:
            self._quiet_looks = 1
            self._tell(snapshot)
        self.confirmed = self.end is not None and snapshot.phase.is_terminal
        self.end = snapshot if snapshot.phase.is_terminal else None
        self._last = snapshot

    def _tell(self, snapshot: Snapshot) -> None:
        strange = snapshot.phase is Phase.UNKNOWN and snapshot.native not in self._strange_words
        if strange:
            self._strange_words.add(snapshot.native)
            log.warning(
                '%s: the service says "%s", which is not a word known here; still polling. Name it in status_aliases.',
                self._subject,
                snapshot.native,
            )
        elif self._last is None or str(snapshot) != str(self._last):
            log.info("%s: %s", self._subject, snapshot)
        if self._observe is not None:
            self._observe(snapshot)

    def missed(self, error: VisionBatchError, now: float) -> None:
        """Take a failed look in; raises it when patience does not help."""
        invisible_yet = isinstance(error, NotFound) and self._last is None
        forgiven = invisible_yet and now - self._began < self._pace.grace_s
        if not (transient(error) or isinstance(error, UnreadableAnswer) or forgiven):
            raise error
        self._quiet_looks += 1
        if not self._outage:
            log.warning("%s: out of reach, still waiting: %s", self._subject, error.what)
        self._outage = error.what
