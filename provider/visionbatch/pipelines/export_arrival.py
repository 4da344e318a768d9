"""Which files of an export have arrived since the last look, and whether their set is whole.

Two things are told apart. *New* is what was finished since the cursor: the store's time of the newest file that was
told, and the marks of all files that were told within `OVERLAP_S` before it. A file is new when its name and generation
are not among the marks and it is not older than those: so a file that was finished while another was being told, or a
little before it by another of the store's clocks, is not lost, and none is told twice. The time is that of creation,
which stays: that of the last update moves with every change of a label. *Whole* is a set that two looks, `settle_s`
apart, show alike: each object of a bucket appears at once, but a set of them does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from visionbatch.deepomatic.export_layout import ExportLayout
from visionbatch.errors import UnreadableRecord
from visionbatch.flow.effects import Pause
from visionbatch.io.clock import Clock
from visionbatch.model.bucket_file import BucketFile

SCHEMA = 1
OVERLAP_S = 3600.0
"""Seconds before the newest told file in which others may still turn up: far more than the store's clocks differ."""

SETTLE_S = 30.0
"""Seconds between the two looks that have to agree, by default."""

MARK_CHARS = 12
NEVER = float("-inf")


@dataclass(frozen=True)
class Looked:
    """One look at an export's prefix.

    :param files: its data files, by name.
    :param state: digest of the names, generations and sizes of all that lies there, images included.
    """

    files: tuple[BucketFile, ...]
    state: str


def looked(listed: Iterable[BucketFile], layout: ExportLayout) -> Looked:
    """What a listing comes to; only the data files of it are kept."""
    digest = sha256()
    files = []
    for file in listed:
        digest.update(f"{file.name}\0{file.generation}\0{file.size}\n".encode("utf-8", "surrogatepass"))
        if layout.is_data(file.name):
            files.append(file)
    return Looked(tuple(files), digest.hexdigest())


class Arrivals:
    """Tells every whole set of new files once, over restarts as well when what `to_json` gives is kept.

    :param cursor: what `to_json` gave; ``None`` when there is none yet.
    :param since: without a cursor, Unix seconds from which files count as new.
    :param catch_up: without either, all that is there already is new; else that is where the telling begins.
    :param settle_s: seconds between two looks that have to agree.
    :raises UnreadableRecord: for a cursor that is not one, or that a newer version wrote.
    """

    def __init__(
        self,
        cursor: Any = None,
        *,
        since: float | None = None,
        catch_up: bool = False,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.unsaved = False
        self._silent = cursor is None and since is None and not catch_up
        self._newest, self._floor, self._marks = _read(cursor)
        if cursor is None and since is not None:
            self._floor = since
        self._settle_s = settle_s
        self._state = ""
        self._since_when = 0.0

    def news(self, look: Looked, now: float) -> list[BucketFile]:
        """The new files, by name, when this look confirms an earlier one; else none.

        `unsaved` is true afterwards when the cursor has moved; whoever keeps it makes it false.

        :param now: seconds by any clock that goes on evenly.
        """
        if self._silent:
            self._silent = False
            self._take(look.files)
            self.unsaved = True
            return []
        if look.state != self._state:
            self._state, self._since_when = look.state, now
            return []
        if now - self._since_when < self._settle_s:
            return []
        new = self.new_in(look)
        if new:
            self._take(new)
            self.unsaved = True
        return new

    def new_in(self, look: Looked) -> list[BucketFile]:
        """The files that have not been told, whole set or not."""
        floor = max(self._floor, self._newest - OVERLAP_S)
        return [file for file in look.files if file.created >= floor and mark(file) not in self._marks]

    def to_json(self) -> dict[str, Any]:
        """The cursor, JSON primitives only: a dozen bytes for each file of the last hour."""
        newest, floor = (None if value == NEVER else value for value in (self._newest, self._floor))
        return {"schema": SCHEMA, "newest": newest, "floor": floor, "marks": dict(self._marks)}

    def _take(self, files: Iterable[BucketFile]) -> None:
        for file in files:
            self._marks[mark(file)] = file.created
            self._newest = max(self._newest, file.created)
        floor = self._newest - OVERLAP_S
        self._marks = {key: created for key, created in self._marks.items() if created >= floor}


def _read(cursor: Any) -> tuple[float, float, dict[str, float]]:
    if cursor is None:
        return NEVER, NEVER, {}
    if not isinstance(cursor, dict) or cursor.get("schema") != SCHEMA:
        raise _foreign()
    try:
        newest, floor = (NEVER if cursor[key] is None else float(cursor[key]) for key in ("newest", "floor"))
        return newest, floor, {str(key): float(created) for key, created in cursor["marks"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _foreign() from error


def _foreign() -> UnreadableRecord:
    return UnreadableRecord(
        "the cursor is not one of ours, or of a newer version",
        next_step="Upgrade visionbatch, or delete the cursor to begin with what arrives from now on.",
    )


def mark(file: BucketFile) -> str:
    """What stands for one generation of a file in the cursor."""
    return sha256(f"{file.name}\0{file.generation}".encode("utf-8", "surrogatepass")).hexdigest()[:MARK_CHARS]


def settled(
    look: Callable[[], Looked], arrivals: Arrivals, clock: Clock, *, settle_s: float = SETTLE_S
) -> list[BucketFile]:
    """The new files that two looks agree about; none when there are none, or when they do not agree.

    Takes ``settle_s`` when there is something new, and one look when there is not.
    """
    first = look()
    new = arrivals.news(first, clock.now())
    if new or not arrivals.new_in(first):
        return new
    clock.pause(Pause(settle_s, settle_s))
    return arrivals.news(look(), clock.now())
