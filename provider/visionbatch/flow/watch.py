"""The poll loop of all who wait for batches: for one, or for all the batches of a connection at once."""

from __future__ import annotations

from collections.abc import Callable

from visionbatch.errors import VisionBatchError
from visionbatch.flow.effects import Flow, Now, Pause
from visionbatch.flow.pace import Pace
from visionbatch.flow.retry import wait_asked_by
from visionbatch.flow.roster import SLICE, Roster
from visionbatch.flow.vigil import Observer, Vigil
from visionbatch.model.snapshot import Snapshot


def watch(
    look: Callable[[], Flow[Snapshot]],
    *,
    subject: str,
    pace: Pace,
    deadline: float | None = None,
    observe: Observer | None = None,
) -> Flow[Snapshot]:
    """Look again and again until the batch or job has ended, and return its last snapshot.

    Outages of the service are lived through until the deadline. An end is believed only when a second look
    confirms it, for a service that fails over may show an older state. Every change of state is one line in the
    log, an outage is two: when it begins and when it is over.

    :param look: makes a fresh flow for one look; it may use few retries, this loop is the patience.
    :param subject: what is watched, for messages, such as ``deepomatic batch 5f1c…``.
    :param deadline: Unix seconds; ``None`` waits for ever.
    :param observe: see `Observer`.
    :raises DeadlinePassed: with the last state in its message.
    :raises NotFound: when the batch stays invisible after the grace period.
    :raises NotAuthorized: when the credential is refused, renewed or not.
    """
    began: float = yield Now()
    vigil = Vigil(subject, pace, began=began, deadline=deadline, observe=observe)

    def look_once(_: Roster) -> Flow[None]:
        vigil.saw((yield from look()))

    roster = Roster()
    roster.add(subject, vigil)
    yield from patrol(roster, look_once, pace)
    return vigil.result()


def patrol(roster: Roster, look: Callable[[Roster], Flow[None]], pace: Pace) -> Flow[None]:
    """Go round until the roster is empty.

    Everybody is looked at when the interval is over. Who wants to be looked at sooner is so alone: among thousands
    some batch ends all the time, and the others keep their interval.

    :param look: makes a flow for one look at those whom it is given; it tells their vigils what they want to know.
    """
    everybody, least, rest = True, 0.0, Pause(0.0, 0.0)
    while roster:
        began: float = yield Now()
        mended, asked = yield from _look(roster if everybody else roster.hurried(began), look)
        now: float = yield Now()
        roster.settle(now)
        if not roster:
            return
        if everybody or asked is not None:
            # The interval counts from look to look, for one at thousands takes seconds; after a failure it counts anew.
            # A clock that was set back meanwhile must not make it longer.
            rest = roster.pause(pace, asked, spent_s=max(now - began, 0.0) if mended else 0.0)
            least, roster.due = now + rest.at_least, now + rest.at_most
        everybody = yield from _rest(roster, pace, least, rest.at_most)


def _look(some: Roster, look: Callable[[Roster], Flow[None]]) -> Flow[tuple[bool, float | None]]:
    """Whether the look succeeded, and for how many seconds the service asked to be left alone."""
    if not some:
        return True, None
    try:
        yield from look(some)
    except VisionBatchError as error:
        now: float = yield Now()
        for vigils in some.slices():
            for vigil in vigils:
                vigil.missed(error, now)
            if len(vigils) == SLICE:
                yield Pause(0, 0)
        return False, wait_asked_by(error)
    return True, None


_SET_BACK_S = 1.0
"""What a clock is set back by at least to be taken for it; sums of moments are off by a little."""


def _rest(roster: Roster, pace: Pace, least: float, longest: float) -> Flow[bool]:
    """Pause until somebody wants a look; gives whether everybody does.

    :param longest: seconds; when more than that seems to be left, the clock was set back.
    """
    now: float = yield Now()
    if roster.due - now > longest + _SET_BACK_S:
        return True
    rest = Pause(max(min(least, roster.due) - now, 0.0), max(roster.due - now, 0.0))
    hurry = roster.hurry(pace, now)
    yield rest.capped(hurry)
    if hurry >= rest.at_least:
        return True
    now = yield Now()
    return now >= roster.due
