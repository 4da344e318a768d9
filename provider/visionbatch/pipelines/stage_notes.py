"""What a staging run remembers in its record: the kind of the batch, how it is cut, and which parts have arrived."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import islice
from threading import Lock
from typing import Any

from visionbatch.errors import NoRoom, TransportError, UnreadableRecord
from visionbatch.io.clock import Clock
from visionbatch.model.ranges import ranges_of, ranges_text
from visionbatch.pipelines.journal import Journal
from visionbatch.roboflow.stage_settings import Kind

log = logging.getLogger(__name__)

NOTE = "stage"
"""The name of this note in `visionbatch.model.run.RunRecord.notes`."""


def unseen_s(quiet_since: float | None, settle_s: float, now: float) -> float:
    """For how many seconds from now what was sent may not show at the service; below 0 when that time is over.

    :param quiet_since: Unix seconds; ``None`` where a process ended in the middle, which may have been just now.
    """
    since = now if quiet_since is None else min(quiet_since, now)
    return since + settle_s - now


class StageNotes:
    """The note of one run, in hand; may be used by many threads.

    :param ahead: parts that are noted at once as those that may leave now, so that not each of them costs a save.
    :param every_s: seconds between two saves of parts that may be sent twice without harm.

    :ivar quiet_since: Unix seconds since which nothing has left; ``None`` where a process ended in the middle.
    """

    def __init__(self, journal: Journal, clock: Clock, *, ahead: int, every_s: float) -> None:
        self._journal = journal
        self._clock = clock
        self._ahead = ahead
        self._every_s = every_s
        self._lock = Lock()
        self._left: set[int] = set()
        self._saved = clock.now()
        note = journal.record.notes.get(NOTE, {})
        try:
            self.kind = Kind(note["kind"])
            self.units = int(note.get("units", 0))
            self.files, self.room = int(note.get("files", 0)), int(note.get("room", 0))
            self.done = ranges_of(str(note.get("done", "")))
            self._doubt = ranges_of(str(note.get("doubt", "")))
            self.duplicated = int(note.get("duplicated", 0))
            self.shards = int(note.get("shards", 0))
            self.items = int(note.get("items", 0))
            quiet_since = note.get("quiet_since")
            self.quiet_since: float | None = None if quiet_since is None else float(quiet_since)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableRecord(f"the run record's note on staging cannot be used: {error!r}") from error

    @staticmethod
    def first(kind: Kind, items: int) -> dict[str, Any]:
        """The note of a run that begins."""
        return {NOTE: {"kind": kind.value, "items": items}}

    def cut(self, units: int, *, files: int = 0, room: int = 0) -> None:
        """Remember into how many parts the batch is cut, and by which limits.

        :param files: in one part.
        :param room: bytes that the files of one part may take.
        """
        with self._lock:
            self.units, self.files, self.room = units, files, room
            self._save()

    def missing(self) -> list[int]:
        """Parts that the service does not have, in order."""
        with self._lock:
            return [unit for unit in range(self.units) if unit not in self.done]

    def in_doubt(self) -> list[int]:
        """Parts that an earlier process may have sent without saying so."""
        with self._lock:
            return sorted(self._doubt - self.done)

    def beginning(self, unit: int) -> None:
        """Note that a part is about to leave, which is saved before it does.

        :raises VisionBatchError: when it cannot be saved; the part must not leave then, nor may others rely on it.
        """
        with self._lock:
            if unit not in self._doubt:
                following = (number for number in range(unit, self.units) if number not in self.done)
                doubt = self._doubt.union(islice(following, self._ahead))
                self.quiet_since = None
                self._save(doubt)
                self._doubt = doubt
            self._left.add(unit)

    def never_arrived(self, unit: int) -> None:
        """Note that a part is not at the service, for certain."""
        with self._lock:
            self._left.discard(unit)

    def arrived(self, unit: int, *, shards: int = 0, duplicated: int = 0, at_once: bool = True) -> None:
        """Note that the service has a part.

        :param shards: that the service made of it.
        :param at_once: save it now; else when it is time.
        """
        with self._lock:
            self.done.add(unit)
            self._doubt.discard(unit)
            self.shards += shards
            self.duplicated += duplicated
            if at_once or self._clock.now() - self._saved >= self._every_s:
                self._save()

    def settled(self, there: Iterable[int], shards: int) -> None:
        """Forget which parts were in doubt: they were asked after.

        :param there: those that have arrived.
        :param shards: all that the service has now, also such as came to nothing.
        """
        with self._lock:
            self.done.update(there)
            self.shards = shards
            self._doubt.clear()
            self._save()

    def close(self) -> None:
        """Save at the end, as well as that is possible: nothing is leaving any more."""
        with self._lock:
            self._doubt &= self._left
            self.quiet_since = self._clock.now()
            try:
                self._save()
            except (NoRoom, TransportError, OSError) as error:
                log.warning("what has arrived is not saved: %s", error)

    def _save(self, doubt: set[int] | None = None) -> None:
        note = {
            "kind": self.kind.value,
            "items": self.items,
            "units": self.units,
            "files": self.files,
            "room": self.room,
            "done": ranges_text(self.done),
            "doubt": ranges_text(self._doubt if doubt is None else doubt),
            "duplicated": self.duplicated,
            "shards": self.shards,
            "quiet_since": self.quiet_since,
        }
        self._journal.update(notes={**self._journal.record.notes, NOTE: note})
        self._saved = self._clock.now()
