"""What a try does with what the tries before it left: one decision, for every way in and every service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from visionbatch.errors import InputChanged
from visionbatch.flow.watch import Outcome, judge
from visionbatch.model.policy import OnClear, OnInputChange, Policies
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
    REPLACE = "replace"
    """The remote batch is of no use any more: cancel it if it lives, and begin the next generation."""


@dataclass(frozen=True)
class Decision:
    """An action and the sentence that explains it in the log.

    :param generation: of the remote batch that will be worked on.
    """

    action: Action
    generation: int
    reason: str


def decide(
    record: RunRecord | None,
    fingerprint: str,
    policies: Policies,
    remote: Snapshot | None,
    *,
    cleared: bool = False,
) -> Decision:
    """Choose what a try does.

    :param record: what the last try left.
    :param fingerprint: identity of the input now.
    :param remote: the remote batch now; ``None`` when there is none, or none any more.
    :param cleared: whether a person asked for this try, rather than a retry.
    :raises InputChanged: when the input is another and ``on_input_change`` is ``fail``.
    """
    if record is None:
        return Decision(Action.BEGIN, 1, "first try")
    this, following = record.generation, record.generation + 1
    if record.fingerprint != fingerprint:
        if policies.on_input_change is OnInputChange.FAIL:
            raise InputChanged("the input is not the one this run began with", ref=record.ref)
        return Decision(Action.REPLACE, following, "the input has changed")
    if cleared and policies.on_clear is OnClear.CANCEL_AND_NEW and record.stage is not Stage.INTENT:
        return Decision(Action.REPLACE, following, "cleared, and on_clear is cancel_and_new")
    if record.stage is Stage.INTENT:
        return Decision(Action.SEEK, this, "the last try ended before it knew of a batch")
    if remote is None:
        return Decision(Action.REPLACE, following, f"batch {record.ref} is gone")
    return _by_remote(record, policies, remote)


def _by_remote(record: RunRecord, policies: Policies, remote: Snapshot) -> Decision:
    if remote.phase is Phase.AWAITING_DATA:
        return Decision(Action.RESUME, record.generation, "the batch still waits for its archive")
    verdict = judge(remote, policies.on_partial)
    if verdict.outcome is Outcome.WAIT:
        return Decision(Action.ADOPT, record.generation, f"the batch is {remote}")
    if verdict.accepted:
        return Decision(Action.TAKE, record.generation, verdict.reason)
    return Decision(Action.REPLACE, record.generation + 1, verdict.reason)
