"""Reading a service's list of batches again and again, for those who wait for any batch rather than for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from visionbatch.flow.effects import Flow, Now, Pause
from visionbatch.flow.pace import Pace
from visionbatch.flow.roster import Roster
from visionbatch.flow.vigil import Vigil
from visionbatch.flow.watch import patrol
from visionbatch.model.listed import Listed
from visionbatch.model.snapshot import Phase, Snapshot

WINDOW = 1000
"""Batches that are remembered of a list, the newest: one that ends when so many newer ones were made is not seen."""

Enough: TypeAlias = Callable[[Sequence[Listed]], bool]
"""Whether what has been read of a list, newest first, is enough of it."""

_READ = Snapshot(Phase.RUNNING, "listed")


class Listing:
    """The newest batches of one site, as they were at the last look.

    The first look reads the whole window, for whoever asks may have been away; every other one reads as far down as
    there is a batch that has not ended. Outages are lived through, in the way of `visionbatch.flow.watch.patrol`.

    :param look: makes a flow for one look at the list, newest first.
    :param subject: what is looked at, for messages.
    """

    def __init__(self, look: Callable[[Enough], Flow[Sequence[Listed]]], *, subject: str, pace: Pace) -> None:
        self._look = look
        self._subject = subject
        self._pace = pace
        self._window: tuple[Listed, ...] = ()
        self._reader: _Reader | None = None
        self._fresh = False

    def next(self) -> Flow[tuple[Listed, ...]]:
        """Make the pause that is due, look, and give the window; the same object again when it has not changed.

        :raises BulkUnsupported: when the site has no list.
        :raises NotAuthorized: when the credential is refused, renewed or not.
        """
        if self._reader is None:
            began: float = yield Now()
            reader = self._reader = _Reader(self._subject, self._pace, began=began)
        else:
            reader = self._reader
            yield self._pause_after(reader.quiet_looks)
        reader.done = False

        def look_once(_: Roster) -> Flow[None]:
            read = yield from self._look(self._enough)
            reader.saw(_READ)
            if self._took(read):
                reader.quiet_looks = 1

        roster = Roster()
        roster.add(self._subject, reader)
        yield from patrol(roster, look_once, self._pace)
        if not reader.done:
            reader.result()
        return self._window

    def _pause_after(self, quiet_looks: int) -> Pause:
        return self._pace.before_confirming() if self._fresh else self._pace.pause(quiet_looks)

    def _took(self, read: Sequence[Listed]) -> bool:
        """Whether there are ends in it that the look before did not show."""
        # A list that was read to its end without being enough holds nothing below.
        now = merge(self._window if self._enough(read) else (), read)
        self._fresh = not _ended(now) <= _ended(self._window)
        self._window = self._window if now == self._window else now
        return self._fresh

    def _enough(self, read: Sequence[Listed]) -> bool:
        refs = {item.ref for item in read}
        if len(refs) >= WINDOW:
            return True
        alive = {item.ref for item in self._window if not item.snapshot.phase.is_terminal}
        return alive <= refs and any(item.ref in refs for item in self._window)


def merge(window: Sequence[Listed], read: Sequence[Listed]) -> tuple[Listed, ...]:
    """What is known of a list after its beginning has been read again.

    What stood in the part that was read and stands there no more is gone; what stands below it is as it was.

    :param window: what was known, newest first.
    :param read: the beginning of the list now; an item that a new one has pushed to the next page appears twice.
    """
    now = {item.ref: item for item in read}
    places = [place for place, item in enumerate(window) if item.ref in now]
    below = window[places[-1] + 1 :] if places else ()
    return (*now.values(), *below)[:WINDOW]


def _ended(listed: Sequence[Listed]) -> set[str]:
    return {item.ref for item in listed if item.snapshot.phase.is_terminal}


class _Reader(Vigil):
    """A vigil over a list: over at every look that succeeds, and for good at what patience does not mend."""

    __slots__ = ("done",)

    def saw(self, snapshot: Snapshot) -> None:
        super().saw(snapshot)
        self.done = True

    def settle(self, now: float) -> bool:
        return self.done or super().settle(now)
