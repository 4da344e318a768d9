"""The life of a batch, as tables.

The vendor publishes neither words nor transitions: one screenshot shows that a status changes. What
is certain is that a batch exists before its archive, that processing follows the last byte without
another call, and that single work orders may fail in a batch that ends well. The tables are the
smallest life that has all three. A deleted batch is `cancelled` at once and is then not found.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class BatchState(StrEnum):
    """Where a batch stands; the value is the default word of its `status` key."""

    CREATED = "created"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    PROCESSING = "processing"
    SUCCESS = "success"
    PARTIAL_SUCCESS = "partial_success"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Only a deletion can follow, or nothing."""
        return TRANSITIONS[self] <= {BatchState.CANCELLED}

    @property
    def awaits_archive(self) -> bool:
        """Bytes of the archive are still to come."""
        return self in {BatchState.CREATED, BatchState.UPLOADING}


_S = BatchState

TRANSITIONS: Mapping[BatchState, frozenset[BatchState]] = MappingProxyType(
    {
        # An archive may arrive in one request, so `uploading` can be skipped.
        _S.CREATED: frozenset({_S.UPLOADING, _S.UPLOADED, _S.CANCELLED}),
        _S.UPLOADING: frozenset({_S.UPLOADED, _S.CANCELLED}),
        # An archive that cannot be opened never starts processing.
        _S.UPLOADED: frozenset({_S.PROCESSING, _S.ERROR, _S.CANCELLED}),
        _S.PROCESSING: frozenset({_S.SUCCESS, _S.PARTIAL_SUCCESS, _S.ERROR, _S.CANCELLED}),
        _S.SUCCESS: frozenset({_S.CANCELLED}),
        _S.PARTIAL_SUCCESS: frozenset({_S.CANCELLED}),
        _S.ERROR: frozenset({_S.CANCELLED}),
        _S.CANCELLED: frozenset(),
    }
)

SELF_MOVING = frozenset({_S.UPLOADED, _S.PROCESSING})
"""States that a batch leaves by itself, by time or by looks."""

VERDICTS = frozenset({_S.SUCCESS, _S.PARTIAL_SUCCESS, _S.ERROR})
"""States that mean: the archive has been processed."""


class WrongMove(RuntimeError):
    """A step that the table of transitions does not have."""


def check_move(before: BatchState, after: BatchState) -> None:
    """Raise `WrongMove` unless a batch may go from `before` to `after`."""
    if after not in TRANSITIONS[before]:
        raise WrongMove(f"a batch cannot go from {before} to {after}")
