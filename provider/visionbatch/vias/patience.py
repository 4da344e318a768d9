"""Since when batches are unwell: ABNORMAL tasks may recover by themselves, and a new batch may show no task yet."""

from __future__ import annotations

from visionbatch.vias.goals import BatchRef
from visionbatch.vias.words import ABNORMAL, Histogram

RECOVERED = float("inf")
"""Instead of a moment: what was known from before is over."""


class Patience:
    """What one client knows of it. What it does not know comes with the reference: patience outlives a process.

    :param seconds: for which one waits, from when a batch was first seen so.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[str, float] = {}

    def lost(self, target: BatchRef, histogram: Histogram, now: float) -> bool:
        """Take a look in, and say whether the batch has been unwell for too long."""
        if histogram.total and ABNORMAL not in histogram.counts:
            # Only what came with a reference has to be remembered as over: thousands of batches are well.
            if target.unwell_since is not None:
                self._since[target.batch_id] = RECOVERED
            else:
                self._since.pop(target.batch_id, None)
            return False
        since = self._since.get(target.batch_id, now if target.unwell_since is None else target.unwell_since)
        since = self._since[target.batch_id] = now if since == RECOVERED else min(since, now)
        return now - since >= self._seconds

    def since(self, target: BatchRef) -> float | None:
        """Unix seconds since when a batch is unwell, for the next reference to it; ``None`` when it is well."""
        found = self._since.get(target.batch_id, target.unwell_since)
        return None if found == RECOVERED else found
