"""Which events have had their effect, as far back as there is room."""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum


class Claim(StrEnum):
    """What becomes of a delivery."""

    FIRST = "first"
    BUSY = "busy"
    SEEN = "seen"


class SeenEvents:
    """The ids of the last events; the first delivery of each is the one that has an effect, whatever the order.

    Who claims an event as the first settles it: `done` keeps it, `failed` lets the next delivery be the first. Of more
    than there is room for, those that were met longest ago are forgotten: they could have their effect once more.
    For one thread, such as an event loop's.

    :param most: ids kept.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._ids: OrderedDict[str, bool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ids)

    def claim(self, event: str) -> Claim:
        """Take an event, or say why not: it has been seen, or another delivery of it is at work."""
        settled = self._ids.get(event)
        if settled is not None:
            self._ids.move_to_end(event)
            return Claim.SEEN if settled else Claim.BUSY
        self._ids[event] = False
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return Claim.FIRST

    def done(self, event: str) -> None:
        """The event has had its effect."""
        if event in self._ids:
            self._ids[event] = True

    def failed(self, event: str) -> None:
        """The event had no effect."""
        self._ids.pop(event, None)
