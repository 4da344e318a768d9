"""What a try does with what the tries before it left: one decision, for every way in and every service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from visionbatch.errors import InputChanged
from visionbatch.flow.judge import Outcome, judge
from visionbatch.model.policy import OnClear, OnInputChange, OnRetry, Policies
from visionbatch.model.run import RunRecord, Stage
from visionbatch.model.snapshot import Phase, Snapshot


class Action(StrEnum):
    """What to do now."""

    BEGIN = "begin"
    """There is no remote batch: make one."""
    SEEK = "seek"
    """There may be a remote batch that no record names: look for it, and make one if there is none."""
    RESUME = "resume"
    """The remote batch waits for its archive: go on sending."""
    ADOPT = "adopt"
    """The remote batch is being processed: wait for it."""
    TAKE = "take"
    """The remote batch has ended well: take its result."""
    RESTART = "restart"
    """The remote job has failed: have the same job done again."""
    REPLACE = "replace"
    """The remote batch is of no use any more: cancel it if it lives, and begin the next generation."""


@dataclass(frozen=True)
class Decision:
    """An action and the sentence that explains it in the log.

    :param generation: of the remote batch that will be worked on.
    :param wanted: whether a policy or another input asks for it, whatever became of the remote batch.
    """

    action: Action
    generation: int
    reason: str
    wanted: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the try goes on with the remote batch that is known, as it is."""
        return self.action in (Action.RESUME, Action.ADOPT, Action.TAKE)


def decide(
    record: RunRecord | None,
    fingerprint: str,
    policies: Policies,
    remote: Snapshot | None,
    *,
    takes_data: bool = False,
    alive: bool = False,
    place: str = "",
    cleared: bool = False,
    noun: str = "batch",
) -> Decision:
    """Choose what a try does.

    :param record: what the last try left.
    :param fingerprint: identity of the input now.
    :param takes_data: whether the remote batch has an open upload session.
    :param alive: whether the remote batch still works, be it that what the run waited for was there and is on record.
    :param place: where the input lies, see `belongs_to_another`.
    :param remote: the remote batch now; ``None`` when there is none, or none any more.
    :param cleared: whether a person asked for this try, rather than a retry.
    :param noun: what the remote batch is called, for the reason.
    :raises InputChanged: when the input is another and ``on_input_change`` is ``fail``.
    """
    if record is None:
        return Decision(Action.BEGIN, 1, "first try")
    if belongs_to_another(record, fingerprint, place):
        return Decision(Action.BEGIN, 1, f"the record found belongs to {record.place}")
    reason = _reason_to_replace(record, fingerprint, policies, alive=alive, cleared=cleared)
    if reason:
        return Decision(Action.REPLACE, record.generation + 1, reason, wanted=True)
    if record.stage is Stage.INTENT:
        return Decision(Action.SEEK, record.generation, "the last try ended before it knew of a batch")
    return _by_remote(record, policies, remote, takes_data=takes_data, noun=noun)


def belongs_to_another(record: RunRecord, fingerprint: str, place: str) -> bool:
    """Whether a record is about another input at another place, and so not this run's.

    A mapped task inherits such a record when its items were put in another order; its remote batch is left alone. The
    same input at another place is a copy, and another input at the same place has changed.
    """
    return bool(record.fingerprint != fingerprint and record.place and place and record.place != place)


def _reason_to_replace(record: RunRecord, fingerprint: str, policies: Policies, *, alive: bool, cleared: bool) -> str:
    """Why the policies want another remote batch, whatever became of this one; empty when they do not."""
    if record.fingerprint != fingerprint:
        if record.stage is Stage.ENDED and not alive:
            return "the last batch has ended, and this is another input"
        if policies.on_input_change is OnInputChange.FAIL:
            raise InputChanged("the input is not the one this run began with", ref=record.ref)
        return "the input has changed"
    if record.stage is Stage.INTENT:
        return ""
    if cleared and policies.on_clear is OnClear.CANCEL_AND_NEW:
        return "cleared, and on_clear is cancel_and_new"
    if not cleared and policies.on_retry is OnRetry.FRESH:
        return "retried, and on_retry is fresh"
    return ""


def _by_remote(
    record: RunRecord, policies: Policies, remote: Snapshot | None, *, takes_data: bool, noun: str
) -> Decision:
    if remote is None:
        return Decision(Action.REPLACE, record.generation + 1, f"{noun} {record.ref} is gone")
    # Once the server has said that the archive is whole, a state that lags behind is no reason to send it again; and
    # before that, a word nobody knows is no proof that it arrived.
    unsent = record.stage is Stage.CREATED
    if unsent and (remote.phase is Phase.AWAITING_DATA or (remote.phase is Phase.UNKNOWN and takes_data)):
        return Decision(Action.RESUME, record.generation, f"the batch still waits for its archive: {remote}")
    verdict = judge(remote, policies.on_partial)
    if verdict.outcome is Outcome.WAIT:
        return Decision(Action.ADOPT, record.generation, f"the {noun} is {remote}")
    if verdict.accepted:
        return Decision(Action.TAKE, record.generation, verdict.reason)
    return Decision(Action.REPLACE, record.generation + 1, verdict.reason)
