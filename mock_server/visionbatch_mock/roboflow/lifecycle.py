"""The life of a job, as tables.

The service shows no state word: clients derive it from `isTerminal`, `error` and the stages. A job
that was aborted or has failed can be restarted, one that has ended well cannot; an abort while results
are packed changes nothing. What is assumed beyond the vendor's pages is that an abort ends as a failure.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobState(StrEnum):
    """Where a job stands; these words are the mock's own."""

    QUEUED = "queued"
    PROCESSING = "processing"
    EXPORTING = "exporting"
    ABORTING = "aborting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def terminal(self) -> bool:
        """The value of `isTerminal`."""
        return self in TERMINAL


_J = JobState

TRANSITIONS: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        _J.QUEUED: frozenset({_J.PROCESSING, _J.ABORTING, _J.FAILED}),
        _J.PROCESSING: frozenset({_J.EXPORTING, _J.ABORTING, _J.FAILED}),
        _J.EXPORTING: frozenset({_J.SUCCEEDED, _J.FAILED}),
        _J.ABORTING: frozenset({_J.ABORTED}),
        _J.SUCCEEDED: frozenset(),
        _J.FAILED: frozenset({_J.QUEUED}),
        _J.ABORTED: frozenset({_J.QUEUED}),
    }
)

TERMINAL = frozenset({_J.SUCCEEDED, _J.FAILED, _J.ABORTED})
ABORTABLE = frozenset({_J.QUEUED, _J.PROCESSING})
RESTARTABLE = frozenset({_J.FAILED, _J.ABORTED})


class WrongMove(RuntimeError):
    """A step that the table of transitions does not have."""


def check_move(before: JobState, after: JobState) -> None:
    """Raise `WrongMove` unless a job may go from `before` to `after`."""
    if after not in TRANSITIONS[before]:
        raise WrongMove(f"a job cannot go from {before} to {after}")
