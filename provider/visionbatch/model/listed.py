"""One line of a service's list of batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from visionbatch.model.snapshot import Snapshot


@dataclass(frozen=True)
class Listed:
    """A batch or job as a list shows it.

    :param ref: its id.
    :param label: its name for people, safe to print; empty when the list gives none.
    """

    ref: str
    label: str
    snapshot: Snapshot

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, for events that cross a process border."""
        return {"ref": self.ref, "label": self.label, **self.snapshot.to_json()}
