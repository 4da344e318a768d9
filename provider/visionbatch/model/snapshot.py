"""What a remote batch or job looks like at one moment, in words all services share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where a remote batch or job stands.

    Each service translates its own vocabulary into these; a word it does not know is `UNKNOWN`, which
    is never taken for an end.
    """

    AWAITING_DATA = "awaiting_data"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether the service will do no more work on it."""
        return self in _TERMINAL


_WORDS = frozenset(phase.value for phase in Phase)
_TERMINAL = frozenset({Phase.SUCCEEDED, Phase.PARTIAL, Phase.FAILED, Phase.CANCELLED})


@dataclass(frozen=True)
class Counts:
    """How many items of a batch or job ended how; ``total`` may exceed the sum while it runs."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Snapshot:
    """One look at a remote batch or job.

    :param phase: the shared word.
    :param native: the service's own word, kept for people.
    :param counts: items by outcome, when the service says so.
    :param detail: further text of the service, safe to print.
    """

    phase: Phase
    native: str = ""
    counts: Counts | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, for events that cross a process border."""
        counts = self.counts
        return {
            "phase": self.phase.value,
            "native": self.native,
            "counts": None if counts is None else vars(counts),
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Snapshot:
        """Read what `to_json` wrote; unknown keys are ignored, a phase never seen is `UNKNOWN`."""
        counts = value.get("counts")
        phase = value.get("phase")
        return cls(
            phase=Phase(phase) if phase in _WORDS else Phase.UNKNOWN,
            native=str(value.get("native", "")),
            counts=Counts(**{k: int(counts.get(k, 0)) for k in ("total", "succeeded", "failed")}) if counts else None,
            detail=str(value.get("detail", "")),
        )

    def __str__(self) -> str:
        """Such as ``running ("processing"), 12 of 40 done, 1 failed``."""
        text = f'{self.phase} ("{self.native}")' if self.native else str(self.phase)
        if self.counts is not None:
            ended = self.counts.succeeded + self.counts.failed
            text += f", {ended} of {self.counts.total} done, {self.counts.failed} failed"
        return text
