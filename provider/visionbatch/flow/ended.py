"""Which batches have ended since the last look: the cursor of those who wait for any batch of a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from visionbatch.errors import UnreadableRecord
from visionbatch.flow.listing import WINDOW
from visionbatch.model.listed import Listed

SCHEMA = 1
KNOWN = 2 * WINDOW
"""Ends that are remembered, more than can stand in one window together with all that ended while they stood there."""

MARK_CHARS = 10
"""Characters of a batch's mark: the cursor stays below 30 KB, and a new mark is one of those once in half a billion."""


class EndedSince:
    """Tells every end once, over restarts as well when what `to_json` gives is kept.

    An end is told when a second look confirms it, for a service that fails over may show an older state.

    :param cursor: what `to_json` gave; ``None`` when there is none yet.
    :param wanted: which batches count at all.
    :param catch_up: without a cursor, tell what has ended already as well; else that is where the telling begins.
    :raises UnreadableRecord: for a cursor that is not one, or that a newer version wrote.
    """

    def __init__(
        self,
        cursor: Any = None,
        *,
        wanted: Callable[[Listed], bool] = lambda _: True,
        catch_up: bool = False,
    ) -> None:
        self.unsaved = False
        self._silent = cursor is None and not catch_up
        self._known: dict[str, None] = {} if cursor is None else dict.fromkeys(_marks(cursor))
        self._wanted = wanted
        self._seen: frozenset[str] = frozenset()
        self._last: Sequence[Listed] | None = None

    def news(self, listed: Sequence[Listed]) -> list[Listed]:
        """The ends that this look confirms, the oldest batch first.

        `unsaved` is true afterwards when the cursor has moved; whoever keeps it makes it false.

        :param listed: newest first; handing the same object in again is cheap.
        """
        if listed is self._last and not self._seen:
            return []
        self._last = listed
        ended = [item for item in reversed(listed) if item.snapshot.phase.is_terminal and self._wanted(item)]
        marks = {mark(item.ref): item for item in ended}
        new = {key: item for key, item in marks.items() if key not in self._known}
        told = new if self._silent else {key: item for key, item in new.items() if key in self._seen}
        self._seen = frozenset(new.keys() - told.keys())
        self._known.update(dict.fromkeys(told))
        for key in list(self._known)[:-KNOWN]:
            del self._known[key]
        silent, self._silent = self._silent, False
        self.unsaved = self.unsaved or silent or bool(told)
        return [] if silent else list(told.values())

    def to_json(self) -> dict[str, Any]:
        """The cursor, JSON primitives only."""
        return {"schema": SCHEMA, "known": list(self._known)}


def _marks(cursor: Any) -> list[str]:
    known = cursor.get("known") if isinstance(cursor, dict) and cursor.get("schema") == SCHEMA else None
    if not isinstance(known, list) or not all(isinstance(item, str) for item in known):
        raise UnreadableRecord(
            "the cursor is not one of ours, or of a newer version",
            next_step="Upgrade visionbatch, or delete the cursor to begin with what ends from now on.",
        )
    return known


def mark(ref: str) -> str:
    """What stands for a batch in the cursor."""
    return sha256(ref.encode()).hexdigest()[:MARK_CHARS]
