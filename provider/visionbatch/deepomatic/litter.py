"""What operating systems leave in folders, which is counted and never sent."""

from __future__ import annotations

from collections.abc import Iterator

from visionbatch.deepomatic.rulebook import finding
from visionbatch.model.finding import Finding
from visionbatch.model.litter import litter_kind


class Litter:
    """The tally of what was skipped, with the first place of each kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def takes(self, name: str, path: str) -> bool:
        """Whether this is litter; if so it is counted and the caller has no more to do with it."""
        kind = litter_kind(name)
        if kind is None:
            return False
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._first.setdefault(kind, path)
        return True

    def findings(self) -> Iterator[Finding]:
        """One warning for each kind."""
        for kind, count in sorted(self._counts.items()):
            message = f"{count} x {kind} left out, here first"
            yield finding("skipped-litter", self._first[kind], message)
