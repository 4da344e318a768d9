"""One wait for many batches or jobs: each is judged when it ends, and then a byte of it is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context

from visionbatch.errors import BulkUnsupported, DeadlinePassed, NotFound, VisionBatchError
from visionbatch.flow.effects import Flow, Now
from visionbatch.flow.judge import Outcome, judge
from visionbatch.flow.looking import Looking
from visionbatch.flow.pace import Pace
from visionbatch.flow.roster import Roster
from visionbatch.flow.vigil import Vigil, warn_of_word
from visionbatch.flow.watch import patrol
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.model.tally import EXAMPLES, FATES, REASON_CHARS, Example, Fate, Tally, digest

log = logging.getLogger(__name__)


class Gathering:
    """What is known of many that are waited for together.

    :param refs: their ids, each once.
    :param kind: what they are, for messages, such as ``deepomatic batch``.
    :param began: Unix seconds.
    :param deadline: Unix seconds; who has not ended by then counts as waiting.
    :param changed: called whenever one has ended; may be called often.
    """

    def __init__(
        self,
        refs: Sequence[str],
        *,
        kind: str,
        pace: Pace,
        began: float,
        deadline: float | None,
        on_partial: OnPartial,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self.failure: Exception | None = None
        self._refs = refs
        self._terms = (pace, began, deadline)
        self._on_partial = on_partial
        self._changed = changed
        self._marks = bytearray(len(refs))
        self._left = len(refs)
        self._examples: list[Example] = []
        self._words: set[str] = set()
        self._away = 0
        self._context = copy_context()

    @property
    def over(self) -> bool:
        """Whether nobody is waited for any more."""
        return self.failure is not None or not self._left

    def members(self) -> Iterator[tuple[str, Vigil]]:
        """Ids and vigils, to be entered into a roster."""
        pace, began, deadline = self._terms
        for place, ref in enumerate(self._refs):
            yield ref, _Member(self, place, ref, pace, began=began, deadline=deadline)

    def owns(self, vigil: Vigil) -> bool:
        """Whether it is one of its members."""
        return isinstance(vigil, _Member) and vigil.gathering is self

    def tally(self) -> Tally:
        """How they fare.

        :raises VisionBatchError: what ended the wait for all of them, such as a refused key.
        """
        if self.failure is not None:
            raise self.failure
        return Tally(digest(self._refs), bytes(self._marks), tuple(self._examples))

    def ended(self, place: int, member: Vigil, *, out_of_reach: bool) -> None:
        """One of them is over: judge it."""
        try:
            fate, reason = self._fate(member.result())
        except NotFound as error:
            fate, reason = Fate.MISSING, error.what
        except DeadlinePassed as error:
            fate, reason = Fate.WAITING, error.what
        except VisionBatchError as error:
            fate, reason = Fate.FAILED, error.what
            # What names no batch concerns them all, and so does a key that is refused.
            if error.permanent or not error.ref:
                self.failure = error
        except Exception as error:  # noqa: BLE001  # a slip of our own, raised where they are waited for
            fate, reason = Fate.FAILED, ""
            self.failure = error
        self._left -= 1
        self._away -= out_of_reach
        self._marks[place] = FATES.index(fate)
        if not fate.well and len(self._examples) < EXAMPLES:
            self._examples.append(Example(self._refs[place], fate, reason[:REASON_CHARS]))
        self._changed()

    def _fate(self, snapshot: Snapshot) -> tuple[Fate, str]:
        verdict = judge(snapshot, self._on_partial)
        if verdict.outcome is Outcome.PARTIAL and not verdict.accepted:
            return Fate.REFUSED, verdict.reason
        return Fate(verdict.outcome.value), verdict.reason

    def strange(self, subject: str, word: str) -> None:
        """Warn of a word that nobody knows, once for all."""
        if word not in self._words:
            self._words.add(word)
            self._context.run(warn_of_word, subject, word)

    def away(self, subject: str, error: VisionBatchError) -> None:
        """One is out of reach; the first says it for all."""
        if not self._away:
            words = "%s, one of %d: out of reach, still waiting: %s"
            self._context.run(log.warning, words, subject, len(self._refs), error.what)
        self._away += 1

    def back(self) -> None:
        """One is in reach again; the last says it for all."""
        self._away -= 1
        if not self._away:
            self._context.run(log.info, "%s, %d of them: in reach again", self.kind, len(self._refs))


class _Member(Vigil):
    """The vigil of one of many: thousands of lines of its kind would bury the log, so the gathering has the word."""

    __slots__ = ("_place", "gathering")

    def __init__(
        self, gathering: Gathering, place: int, ref: str, pace: Pace, *, began: float, deadline: float | None
    ) -> None:
        super().__init__(ref, pace, began=began, deadline=deadline, own_context=False)
        self.gathering = gathering
        self._place = place

    @property
    def subject(self) -> str:
        return f"{self.gathering.kind} {self._subject}"

    def settle(self, now: float) -> bool:
        self._over = self._over or self.gathering.failure is not None
        return self._over or super().settle(now)

    def settled(self) -> None:
        self.gathering.ended(self._place, self, out_of_reach=bool(self._outage))

    def _tell(self, snapshot: Snapshot) -> None:
        if snapshot.phase is Phase.UNKNOWN:
            self.gathering.strange(self.subject, snapshot.native)

    def _tell_outage(self, error: VisionBatchError) -> None:
        self.gathering.away(self.subject, error)

    def _tell_return(self) -> None:
        self.gathering.back()


def gather(
    refs: Sequence[str],
    look: Looking,
    *,
    kind: str,
    pace: Pace,
    deadline: float | None,
    on_partial: OnPartial,
) -> Flow[Tally]:
    """Look until all have ended or the deadline has passed, and tell what became of each.

    :param refs: ids, each once.
    :param kind: what they are, for messages.
    :param deadline: Unix seconds; one in the past looks once.
    :raises VisionBatchError: what ends the wait for all of them, such as a refused key.
    """
    began: float = yield Now()
    for way in (look, look.without_list()):
        gathering = Gathering(refs, kind=kind, pace=pace, began=began, deadline=deadline, on_partial=on_partial)
        roster = Roster()
        for ref, member in gathering.members():
            roster.add(ref, member)
        yield from patrol(roster, way, pace)
        if not isinstance(gathering.failure, BulkUnsupported):
            break
    return gathering.tally()
