"""How every try begins: whose record this is, what became of the last try, what to do now, and only then the doing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from visionbatch.errors import NotFound
from visionbatch.flow.effects import Pause
from visionbatch.flow.judge import judge
from visionbatch.io.clock import Clock
from visionbatch.model.policy import Policies
from visionbatch.model.run import RunRecord, Stage
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.decide import Action, Decision, belongs_to_another, decide
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.lag import shown

log = logging.getLogger(__name__)

CONFIRM = Pause(1.0, 1.0)
"""Before a bad state is looked at again: a service that fails over may show an old one for a moment."""


@dataclass(frozen=True)
class Found:
    """The batch or job of a record, as a try finds it.

    :param alive: whether it still works, be it that what the run waits for is there already.
    :param takes_data: whether it has an open upload session.
    """

    snapshot: Snapshot
    alive: bool
    takes_data: bool = False


Amend: TypeAlias = Callable[[Decision, RunRecord, Found | None], Decision]
"""What a service can do better than the decision that all share: by that, the stored record and what it names."""


class Remote(Protocol):
    """What a service's run does with the batch or job that a record names."""

    def look(self, record: RunRecord) -> Found:
        """Ask for it, with the patience of every call.

        :raises NotFound: when it is not there.
        """

    def cancel(self, record: RunRecord) -> None:
        """End it; also one that may be there although the record has no id of it yet."""


class Attempt:
    """The beginning of one try.

    :param journal: the record in hand, as good as empty before.
    :param grace_s: seconds from its creation in which a batch may not show yet, although it is there.
    :param noun: what the service calls what it works on.
    :param decided: called with what the try is going to do, before it does anything.
    """

    def __init__(
        self,
        journal: Journal,
        remote: Remote,
        policies: Policies,
        clock: Clock,
        *,
        grace_s: float,
        noun: str = "batch",
        decided: Callable[[Decision], None] | None = None,
        amend: Amend = lambda decision, _record, _found: decision,
    ) -> None:
        self._journal = journal
        self._remote = remote
        self._policies = policies
        self._clock = clock
        self._grace_s = grace_s
        self._noun = noun
        self._decided = decided
        self._amend = amend

    def begin(
        self, fingerprint: str, place: str, *, deadline: float | None = None, cleared: bool = False, total: int = 0
    ) -> Decision:
        """Decide, take the record in hand, and save it.

        :param place: where the input lies.
        :param deadline: Unix seconds, for a run that begins; one that goes on keeps the one it has.
        :param cleared: whether a person asked for this try.
        :param total: bytes to send.
        :raises InputChanged: by ``on_input_change``.
        """
        decision = self._decide(fingerprint, place, cleared=cleared)
        service, earlier = self._journal.record.service, self._journal.record.deadline
        log.info("%s: generation %s: %s (%s)", service, decision.generation, decision.action, decision.reason)
        if self._decided is not None:
            self._decided(decision)
        self._journal.update(
            fingerprint=fingerprint,
            generation=decision.generation,
            place=place,
            total=total,
            # A retry does not get more time; a person who clears the task means it to have.
            deadline=earlier if decision.goes_on and earlier is not None and not cleared else deadline,
        )
        return decision

    def _decide(self, fingerprint: str, place: str, *, cleared: bool) -> Decision:
        stored = self._journal.stored()
        found: Found | None = None
        if stored is not None and not belongs_to_another(stored, fingerprint, place):
            # In hand from here on, for whoever ends this try means its batch. Another item's record never is: what
            # it names would be cancelled in that item's stead.
            self._journal.record = stored
            found = self._look_twice(stored) if stored.ref else None
        decision = decide(
            stored,
            fingerprint,
            self._policies,
            found.snapshot if found is not None else None,
            takes_data=found is not None and found.takes_data,
            alive=found is not None and found.alive,
            place=place,
            cleared=cleared,
            noun=self._noun,
        )
        if stored is not None:
            decision = self._amend(decision, stored, found)
        if stored is not None and decision.action is Action.REPLACE and _may_work(stored, found):
            self._remote.cancel(stored)
        if decision.action in (Action.BEGIN, Action.REPLACE):
            self._journal.record = RunRecord(self._journal.record.service, fingerprint, decision.generation)
        return decision

    def _look_twice(self, record: RunRecord) -> Found | None:
        """What the record names; a state that would have it replaced has to show twice."""
        found = shown(lambda: self._look(record), self._clock, max(self._may_be_unseen_s(record), CONFIRM.at_most))
        if found is not None and self._ended_badly(found.snapshot):
            self._clock.pause(CONFIRM)
            found = self._look(record)
        return found

    def _may_be_unseen_s(self, record: RunRecord) -> float:
        """For how long the batch may not show yet; whose end was seen, or creation not noted, is older than that."""
        if record.stage is Stage.ENDED or record.created_at is None:
            return 0.0
        # Another machine's clock may be ahead of this one's.
        return min(record.created_at + self._grace_s - self._clock.now(), self._grace_s)

    def _look(self, record: RunRecord) -> Found | None:
        try:
            return self._remote.look(record)
        except NotFound:
            return None

    def _ended_badly(self, snapshot: Snapshot) -> bool:
        return snapshot.phase.is_terminal and not judge(snapshot, self._policies.on_partial).accepted


def _may_work(record: RunRecord, found: Found | None) -> bool:
    """Whether something may still be at work; what has ended is not cancelled, for that may delete its results."""
    if found is not None:
        return found.alive
    return record.stage is Stage.INTENT
