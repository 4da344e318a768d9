"""What a session does with a request: the rules, as one pure function.

With P bytes persisted and a chunk `a-b`:

| case                       | decision                                          |
| -------------------------- | ------------------------------------------------- |
| a = P                      | append                                            |
| a < P <= b                 | skip the bytes that are there, append the rest    |
| b < P                      | nothing, tell where the upload stands             |
| a > P                      | refuse with 503: a gap would become damaged data  |
| `*/total`, total = P       | complete                                          |
| `*/anything else`          | tell where the upload stands                      |

Every chunk but the last has a length that is a multiple of 256 KiB: shorter than one block is
refused, and of anything else only the complete blocks are kept. The skipped bytes are not compared,
as the real service does not compare them either.
"""

from dataclasses import dataclass

from visionbatch_mock.storage.ranges import ContentRange

QUANTUM = 262_144
"""256 KiB, the granularity of chunks in Google's resumable upload documentation."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer an error; nothing changes."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Answer 308 with what is persisted; nothing changes."""


@dataclass(frozen=True, slots=True)
class Finish:
    """All bytes are there already: complete the object."""


@dataclass(frozen=True, slots=True)
class Receive:
    """Take the body.

    `start` is the offset of its first byte. `limit` is the offset at which keeping stops; None when
    the body's length is not announced. `total` is the object's size where known, and `ends` says
    that the end of the body is the end of the object.
    """

    start: int
    limit: int | None
    total: int | None
    ends: bool


Decision = Refuse | Tell | Finish | Receive


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules need to know of an open session."""

    persisted: int
    total: int | None
    strict: bool = True


def decide(at: Standing, asked: ContentRange | None, length: int | None) -> Decision:
    """The decision for a request with this `Content-Range` and body length.

    `asked` is None for a request without the header, which carries the whole object. `length` is
    None for a body of unannounced length (chunked transfer coding).
    """
    if asked is None:
        return _whole(at, length)
    if asked.first is None:
        return _without_data(at, asked, length)
    if problem := _contradiction(at, asked, length):
        return Refuse(400, problem)
    return _chunk(at, asked.first, asked, _stop(asked, length))


def _chunk(at: Standing, first: int, asked: ContentRange, stop: int | None) -> Decision:
    if stop is not None and stop <= at.persisted:
        # A stream's last chunk may come again, now with the total that makes it the last.
        return Finish() if stop == asked.total == at.persisted else Tell()
    if first > at.persisted:
        return Refuse(503, gap_message(first, at.persisted))
    total = asked.total if asked.total is not None else at.total
    # Where neither length nor total is told, the end of the body has to be the end of the object.
    ends = asked.last is None if stop is None or total is None else stop == total
    if ends or not at.strict or stop is None:
        return Receive(first, stop, total, ends)
    return _whole_blocks(first, stop, total)


def gap_message(first: int, persisted: int) -> str:
    """The text of a refused gap; clients recognise it by the header's name and read both offsets."""
    return (
        f"The Content-Range header says that this request starts at byte {first}, "
        f"but only {persisted} bytes of the upload are stored."
    )


def _whole(at: Standing, length: int | None) -> Decision:
    if length is not None and at.total is not None and at.total != length:
        return Refuse(400, f"The upload was announced with {at.total} bytes, not {length}.")
    if length is not None and length < at.persisted:
        return Tell()
    return Receive(0, length, at.total if length is None else length, ends=True)


def _without_data(at: Standing, asked: ContentRange, length: int | None) -> Decision:
    if length != 0:
        return Refuse(400, "A Content-Range without bytes cannot have a body.")
    announced = at.total in {None, asked.total}
    return Finish() if announced and asked.total == at.persisted else Tell()


def _contradiction(at: Standing, asked: ContentRange, length: int | None) -> str | None:
    first, last, total = asked.first or 0, asked.last, asked.total
    if last is not None and length is not None and last - first + 1 != length:
        return f"Content-Range covers {last - first + 1} bytes, but the body has {length}."
    if total is not None and at.total is not None and total != at.total:
        return f"The total of this upload is {at.total} bytes, not {total}."
    known = total if total is not None else at.total
    stop = _stop(asked, length)
    if known is not None and stop is not None and stop > known:
        return f"Content-Range reaches byte {stop - 1} of an upload of {known} bytes."
    return None


def _stop(asked: ContentRange, length: int | None) -> int | None:
    if asked.last is not None:
        return asked.last + 1
    return None if length is None else (asked.first or 0) + length


def _whole_blocks(first: int, stop: int, total: int | None) -> Decision:
    length = stop - first
    if length < QUANTUM:
        return Refuse(
            400,
            f"Every chunk but the last must be a multiple of {QUANTUM} bytes; this one has {length} bytes.",
        )
    return Receive(first, first + length // QUANTUM * QUANTUM, total, ends=False)
