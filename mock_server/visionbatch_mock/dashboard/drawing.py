"""Numbers for the strips: where a rectangle begins and how wide it is, on a scale of `WIDTH`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from visionbatch_mock.dashboard.wording import tone

WIDTH = 1000.0
SLIVER = 3.0
"""Narrowest stretch that an eye still finds."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One rectangle of a strip; `text` says what it is to those who cannot see it."""

    x: float
    width: float
    tone: str
    text: str


def timeline(history: Sequence[tuple[float, str]], now: float, *, ended: bool) -> list[Stretch]:
    """A life as stretches of states, the last one up to `now` unless it has ended.

    An end takes no time, so it gets a stretch of its own at the right.
    """
    begin = history[0][0]
    last = history[-1][0] if ended else max(now, history[-1][0])
    room = WIDTH * (0.9 if ended else 1.0)
    scale = room / (last - begin) if last > begin else 0.0
    stops = [at for at, _ in history[1:]] + [last]
    found = [
        Stretch((at - begin) * scale, max(SLIVER, (stop - at) * scale), tone(state), state)
        for (at, state), stop in zip(history, stops, strict=True)
    ]
    if ended:
        found[-1] = Stretch(room, WIDTH - room, tone(history[-1][1]), history[-1][1])
    return found


def shares(counts: Mapping[str, int]) -> list[Stretch]:
    """Counts side by side, each as wide as its share; none of those that are zero."""
    total = sum(counts.values())
    found: list[Stretch] = []
    x = 0.0
    for state, count in counts.items():
        width = WIDTH * count / total if total else 0.0
        if width:
            found.append(Stretch(x, width, tone(state), f"{state}: {count}"))
        x += width
    return found


def histogram(states: Iterable[str]) -> dict[str, int]:
    """How many there are of each state, good ends first and bad ends last."""
    order = ("good", "busy", "soon", "idle", "half", "bad")
    counted = Counter(str(state) for state in states)
    return dict(sorted(counted.items(), key=lambda each: (order.index(tone(each[0])), each[0])))
