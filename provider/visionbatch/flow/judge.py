"""The one judgement: what the end of a batch or job means to its user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from visionbatch.errors import JobCancelled, JobError, JobFailed, JobPartial
from visionbatch.model.policy import OnPartial, PartialAction
from visionbatch.model.snapshot import Counts, Phase, Snapshot

if TYPE_CHECKING:
    from visionbatch.model.tally import Tally


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

    def require(self, service: str, ref: str, next_step: str = "") -> None:
        """Raise the error that an outcome stands for unless it was accepted.

        :param next_step: what the reader should do then; the error's own advice by default.
        :raises JobError: `JobFailed`, `JobCancelled` or `JobPartial`.
        """
        if self.accepted or self.outcome is Outcome.WAIT:
            return
        kinds: dict[Outcome, type[JobError]] = {
            Outcome.FAILED: JobFailed,
            Outcome.CANCELLED: JobCancelled,
            Outcome.PARTIAL: JobPartial,
        }
        raise kinds[self.outcome](self.reason, service=service, ref=ref, next_step=next_step)


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


def judge_many(tally: Tally, on_failed: OnPartial) -> Verdict:
    """Decide what the ends of many mean together.

    Those that did not end well are to them what failed items are to one of them. When none ended well, that is a
    failure whatever the policy.

    :param on_failed: how many of them may end otherwise than well, in the words of `OnPartial`.
    """
    bad = tally.total - tally.well
    if not bad:
        return Verdict(Outcome.DONE, True, str(tally))
    if not tally.well:
        return Verdict(Outcome.FAILED, False, f"{tally}; none of them well")
    accepted = _accepts(on_failed, Counts(tally.total, tally.well, bad))
    taken = "accepted" if accepted else "refused"
    return Verdict(Outcome.PARTIAL, accepted, f"{tally}; {bad} not well, {taken} by on_failed={on_failed}")


def _accepts(on_partial: OnPartial, counts: Counts | None) -> bool:
    if on_partial.action is not PartialAction.ACCEPT:
        return on_partial.action is PartialAction.WARN
    if on_partial.most is None and on_partial.share is None:
        return True
    if counts is None:
        return False
    limit = on_partial.most if on_partial.most is not None else counts.total * on_partial.share  # type: ignore[operator]  # one of the two is set
    return counts.failed <= limit
