"""The charts of a report. Each is a function from figures to a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from visionbatch.report.figures import Part, Tally
from visionbatch.report.svg import EMPTY, Drawing, element, fitted, line, polyline, rectangle, text
from visionbatch.report.words import NARROW, name, percent, plural, short_day

DAYS_SHOWN = 62
"""Days of a trend: two months are as many columns as can be told apart."""

_TICKS = 7
_LABEL_HEIGHT = 15.0
_NARROW = 500.0


def split_bar(tally: Tally) -> Drawing:
    """Passed, undecided and failed parts of a bar that is as wide as all verdicts."""
    if not tally.verdicts:
        return Drawing(100, 10, rectangle(0, 0, 100, 10, "track"))
    passed, failed = (100 * part / tally.verdicts for part in (tally.passed, tally.failed))
    shapes = (
        rectangle(0, 0, 100, 10, "undecided"),
        rectangle(0, 0, passed, 10, "pass"),
        rectangle(100 - failed, 0, failed, 10, "fail"),
    )
    return Drawing(100, 10, EMPTY.join(shapes))


def part_bar(part: float, whole: float, class_: str) -> Drawing:
    """A part of a whole, or of the largest of its kind."""
    filled = 100 * part / whole if whole else 0.0
    return Drawing(100, 10, rectangle(0, 0, 100, 10, "track") + rectangle(0, 0, filled, 10, class_))


def shown_days(days: Iterable[date]) -> list[date]:
    """The days of a trend's axis: every calendar day up to the last, for weekends are part of the picture."""
    listed = sorted(days)
    if not listed:
        return []
    first = max(listed[0].toordinal(), listed[-1].toordinal() - DAYS_SHOWN + 1)
    first = next(day.toordinal() for day in listed if day.toordinal() >= first)
    return [date.fromordinal(day) for day in range(first, listed[-1].toordinal() + 1)]


@dataclass(frozen=True)
class _Line:
    """One rate over the days."""

    label: str
    class_: str
    rates: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        return next((rate for rate in reversed(self.rates) if rate is not None), None)


@dataclass(frozen=True)
class _Frame:
    """Where the panels of a trend lie."""

    left: float
    right: float
    top: float
    bottom: float
    lowest: float
    count: int

    def x(self, place: int) -> float:
        step = (self.right - self.left) / self.count
        return self.left + step * (place + 0.5)

    def y(self, rate: float) -> float:
        return self.top + (self.bottom - self.top) * (1 - (rate - self.lowest) / (1 - self.lowest))


def trend(days: Mapping[date, Part], width: float = 960.0, height: float = 320.0) -> Drawing:
    """Pass rate and first-time-right rate as lines, with the number of work orders as columns below.

    A day without work has a gap in the columns; the lines run through it.
    """
    axis = shown_days(days)
    parts = [days.get(day, Part()) for day in axis]
    lines = (
        _Line("Passed", "pass", tuple(part.tally.pass_rate for part in parts)),
        _Line("Right first time", "right", tuple(part.items.rate for part in parts)),
    )
    is_narrow = width < _NARROW
    right, top = (width - 8, 34) if is_narrow else (width - 130, 14)
    frame = _Frame(46, right, top, height * 0.64, _lowest(lines), max(len(axis), 1))
    shapes = [
        _grid(frame),
        _columns(frame, [part.work_orders for part in parts], height),
        *(_curve(frame, one) for one in reversed(lines)),
        _legend(lines) if is_narrow else _ends(frame, lines),
        _dates(frame, axis, height, 4 if is_narrow else _TICKS),
    ]
    return Drawing(width, height, EMPTY.join(shapes))


def _lowest(lines: Sequence[_Line]) -> float:
    """The bottom of the axis: a quarter below the lowest rate, so that changes of a high rate can be seen."""
    rates = [rate for one in lines for rate in one.rates if rate is not None]
    tenth = int(min(rates, default=0.0) * 10) / 10
    return max(0.0, min(tenth - 0.1, 0.8)) if tenth < 1 else 0.8


def _grid(frame: _Frame) -> Markup:
    step = 0.1 if frame.lowest >= 0.5 else 0.2 if frame.lowest >= 0.2 else 0.25
    count = round((1 - frame.lowest) / step + 1e-9)
    rates = [1 - step * place for place in range(count + 1) if 1 - step * place > frame.lowest - 0.01]
    return EMPTY.join(
        line(frame.left, frame.y(rate), frame.right, frame.y(rate), "grid")
        + text(frame.left - 8, frame.y(rate) + 4, f"{round(rate * 100)}{NARROW}%", "axis", "end")
        for rate in rates
    )


def _columns(frame: _Frame, counts: Sequence[int], height: float) -> Markup:
    """Work orders a day; the highest is labelled, which gives all of them their scale."""
    most = max(counts, default=0)
    if not most:
        return EMPTY
    base, room = height - 26, height * 0.36 - 26 - 38
    wide = min((frame.right - frame.left) / frame.count * 0.64, 28.0)
    bars = (
        rectangle(frame.x(place) - wide / 2, base - room * count / most, wide, room * count / most, "column", 1.5)
        for place, count in enumerate(counts)
    )
    place = counts.index(most)
    x, anchor = _kept_inside(frame, frame.x(place))
    scale = text(x, base - room - 5, plural(most, "work order"), "axis", anchor)
    return EMPTY.join(bars) + line(frame.left, base, frame.right, base, "base") + scale


def _kept_inside(frame: _Frame, x: float) -> tuple[float, str]:
    """A label's place and anchor such that it does not leave the frame."""
    if x < frame.left + 45:
        return frame.left, "start"
    return (frame.right, "end") if x > frame.right - 45 else (x, "middle")


def _curve(frame: _Frame, one: _Line) -> Markup:
    points = [(frame.x(place), frame.y(rate)) for place, rate in enumerate(one.rates) if rate is not None]
    dots = EMPTY.join(element("circle", cx=x, cy=y, r=2.6, class_=f"dot {one.class_}-dot") for x, y in points)
    return polyline(points, f"curve {one.class_}-curve") + (dots if len(points) <= 31 else EMPTY)


def _ends(frame: _Frame, lines: Sequence[_Line]) -> Markup:
    """What each line is, beside its end, never one on the other."""
    ends = sorted(((frame.y(one.last), one) for one in lines if one.last is not None), key=lambda end: end[0])
    shapes, free = [], 0.0
    for y, one in ends:
        place = max(y, free)
        free = place + 2.3 * _LABEL_HEIGHT
        shapes.append(text(frame.right + 12, place + 2, percent(one.last), f"end {one.class_}-text"))
        shapes.append(text(frame.right + 12, place + 2 + _LABEL_HEIGHT, one.label, "axis"))
    return EMPTY.join(shapes)


def _legend(lines: Sequence[_Line]) -> Markup:
    """The same above the panel, where there is no room beside it."""
    shapes = []
    for place, one in enumerate(lines):
        x = 46 + place * 128
        shapes.append(line(x, 10, x + 16, 10, f"curve {one.class_}-curve"))
        shapes.append(text(x + 22, 14, f"{one.label} {percent(one.last)}", "axis"))
    return EMPTY.join(shapes)


def _dates(frame: _Frame, axis: Sequence[date], height: float, ticks: int) -> Markup:
    """Dates below the columns, counted back from the last, which is the one people look for."""
    step = max(1, -(-(len(axis) - 1) // (ticks - 1)))
    ticks_at = ((short_day(axis[place]), frame.x(place)) for place in range(len(axis) - 1, -1, -step))
    return EMPTY.join(_tick(frame, label, x, height - 8) for label, x in ticks_at)


def _tick(frame: _Frame, label: str, x: float, y: float) -> Markup:
    is_cut = x > frame.right - 22
    return text(frame.right + 4 if is_cut else x, y, label, "axis", "end" if is_cut else "middle")


def ranking(rows: Sequence[tuple[str, str, Tally]], width: float, row_height: float = 44.0) -> Drawing:
    """Names with their pass rates, one below the other: (name, beneath it, verdicts)."""
    shapes = []
    for place, (title, beneath, tally) in enumerate(rows):
        y = place * row_height
        shapes.append(text(0, y + 13, fitted(name(title), width - 90, 14), "name"))
        shapes.append(text(width, y + 13, percent(tally.pass_rate), "rate", "end"))
        bar = element("g", split_bar(tally).body, transform=f"translate(0 {y + 19:g}) scale({width / 100:g} 0.7)")
        shapes.append(bar)
        shapes.append(text(0, y + 38, fitted(beneath, width, 12), "small"))
    return Drawing(width, row_height * len(rows), EMPTY.join(shapes))
