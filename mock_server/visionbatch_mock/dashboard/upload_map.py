"""The upload map: which bytes of an archive arrived, when, and how often.

What was sent is in the journal, request by request; what of it was kept is in the ledger. The two differ wherever a
client repeats itself or a fault strikes, which is what the map is for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visionbatch_mock.dashboard.drawing import SLIVER, WIDTH, Stretch
from visionbatch_mock.dashboard.wording import size, tone_of_status
from visionbatch_mock.journal import JournalEntry
from visionbatch_mock.ledger import LedgerEntry
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.ranges import MalformedRange, parse_content_range
from visionbatch_mock.storage.sessions import SessionState, UploadSession

MOST_REQUESTS = 120
"""Ours: lines of a map, the last ones; beyond, a line is thinner than an eye can follow."""

LINE, FEWEST_LINES = 7, 12
"""Height of a line, in the units of the picture, and for how many there is room at least."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes `start` to `stop` (exclusive) of one request, as far as they came."""

    entry: JournalEntry
    start: int
    stop: int

    @property
    def text(self) -> str:
        """What happened, in words."""
        answer = "reset" if self.entry.status is None else str(self.entry.status)
        met = f", {self.entry.fault}" if self.entry.fault else ""
        return f"#{self.entry.seq}: {size(self.stop - self.start)} from {size(self.start)}, answered {answer}{met}"


@dataclass(frozen=True, slots=True)
class Line:
    """One request of the map, at its height."""

    y: int
    arrival: Arrival
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class UploadMap:
    """The map of one session; `repeated` counts bytes that came more than once."""

    number: int
    state: SessionState
    kept: int
    total: int | None
    kept_pieces: list[Stretch]
    often: list[Stretch]
    lines: list[Line]
    left_out: int
    sent: int
    repeated: int

    @property
    def height(self) -> int:
        """Of the picture's lower part; a few requests leave room instead of becoming walls."""
        return max(FEWEST_LINES, len(self.lines)) * LINE


def maps(
    sessions: Sequence[UploadSession], entries: Sequence[JournalEntry], persisted: Iterable[LedgerEntry]
) -> list[UploadMap]:
    """A map for each session of a batch, in the order in which they were opened."""
    pieces = _by_session(sessions, persisted)
    return [_map(number, each, entries, pieces[number - 1]) for number, each in enumerate(sessions, 1)]


def _map(
    number: int, session: UploadSession, entries: Sequence[JournalEntry], pieces: Sequence[LedgerEntry]
) -> UploadMap:
    arrivals = list(_arrivals(session, entries))
    reach = max([session.total or 0, session.persisted, *(each.stop for each in arrivals)])
    scale = WIDTH / reach if reach else 0.0
    counted = list(_counted(arrivals))
    shown = arrivals[-MOST_REQUESTS:]
    return UploadMap(
        number,
        session.status,
        session.persisted,
        session.total,
        [_piece(each, scale, place / len(pieces)) for place, each in enumerate(pieces)],
        [_often(*each, scale) for each in counted],
        [Line(place * LINE, each, _line(each, scale)) for place, each in enumerate(shown)],
        len(arrivals) - len(shown),
        sum(each.stop - each.start for each in arrivals),
        sum((stop - start) * (times - 1) for start, stop, times in counted),
    )


def _arrivals(session: UploadSession, entries: Sequence[JournalEntry]) -> Iterable[Arrival]:
    for seq in session.requests:
        # A reset may have emptied the journal under a session that a request still holds.
        if seq > len(entries) or entries[seq - 1].operation != Operation.SESSIONS_CHUNK:
            continue
        entry = entries[seq - 1]
        yield Arrival(entry, start := _first_byte(entry), start + entry.received)


def _first_byte(entry: JournalEntry) -> int:
    if entry.content_range is None:
        return 0
    try:
        return parse_content_range(entry.content_range).first or 0
    except MalformedRange:
        return 0


def _by_session(sessions: Sequence[UploadSession], persisted: Iterable[LedgerEntry]) -> list[list[LedgerEntry]]:
    """What was kept, by session: the ledger knows the batch only, but every session begins at byte 0."""
    runs: list[list[LedgerEntry]] = []
    for entry in persisted:
        if entry["start"] == 0 or not runs:
            runs.append([])
        runs[-1].append(entry)
    left = iter(runs)
    return [next(left, []) if session.persisted else [] for session in sessions]


def _counted(arrivals: Iterable[Arrival]) -> Iterable[tuple[int, int, int]]:
    """Stretches of bytes with how often each arrived."""
    changes: dict[int, int] = {}
    for each in arrivals:
        changes[each.start] = changes.get(each.start, 0) + 1
        changes[each.stop] = changes.get(each.stop, 0) - 1
    times, before = 0, 0
    for at in sorted(changes):
        if times and at > before:
            yield before, at, times
        times, before = times + changes[at], at


def _piece(entry: LedgerEntry, scale: float, age: float) -> Stretch:
    """A run of bytes on disk; the shade tells early from late."""
    start, stop = entry["start"], entry["stop"]
    text = f"{size(stop - start)} from {size(start)} kept"
    return Stretch(start * scale, max(SLIVER / 2, (stop - start) * scale), f"age-{int(age * 5)}", text)


def _often(start: int, stop: int, times: int, scale: float) -> Stretch:
    text = f"{size(stop - start)} from {size(start)} arrived {times} time{'s' if times > 1 else ''}"
    return Stretch(start * scale, max(SLIVER / 2, (stop - start) * scale), f"times-{min(times, 4)}", text)


def _line(arrival: Arrival, scale: float) -> Stretch:
    shade = tone_of_status(arrival.entry.status)
    width = max(SLIVER, (arrival.stop - arrival.start) * scale)
    return Stretch(min(arrival.start * scale, WIDTH - SLIVER), width, shade, arrival.text)
