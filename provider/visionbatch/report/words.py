"""Numbers, dates and foreign text as a reader sees them, the same in English and German eyes.

Thousands are parted by a narrow space and never by a comma or a point, dates of tables are ISO 8601, and a rate has one
decimal. A rate that is not whole is never rounded to 0 % or 100 %: "all passed" has to be true.
"""

from __future__ import annotations

import json
from datetime import date

from visionbatch.model.text import printable

NARROW = "\u202f"
MINUS = "\u2212"
NOTHING = "\u2013"
NAME_SHOWN = 120
"""Characters of a name that stand on the page; names of files and of people's tasks are shorter."""


def whole(number: int) -> str:
    """A count: ``12 345``, with narrow spaces."""
    return f"{number:,}".replace(",", NARROW)


def percent(rate: float | None) -> str:
    """A rate between 0 and 1: ``91.2 %``; a dash where there is none."""
    if rate is None:
        return NOTHING
    tenths = round(rate * 1000)
    if 0 < rate < 1:
        tenths = min(max(tenths, 1), 999)
    return f"{tenths / 10:.1f}{NARROW}%" if tenths not in (0, 1000) else f"{tenths // 10}{NARROW}%"


def points(before: float | None, after: float | None) -> str:
    """A change of a rate, in percentage points: ``+1.8``; a dash where either is missing."""
    if before is None or after is None:
        return NOTHING
    change = round((after - before) * 100, 1)
    sign = "+" if change > 0 else MINUS if change < 0 else "±"
    return f"{sign}{abs(change):.1f}"


def long_day(day: date | None) -> str:
    """``Fri 20 Nov 2026``, written by hand because ``strftime`` follows the machine's language."""
    return f"{_WEEKDAYS[day.weekday()]} {short_day(day)} {day.year:04d}" if day else "no date"


def short_day(day: date) -> str:
    """``20 Nov``."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def name(text: str | None, limit: int = NAME_SHOWN) -> str:
    """A foreign name, safe to print and cut to a length; a word in its place when there is none."""
    return printable(" ".join((text or "").split()), limit) or "(none)"


def value(text: str | None) -> str:
    """A value from its JSON text, without the quotes of a string."""
    if text is None:
        return "(none)"
    try:
        read = json.loads(text)
    except ValueError:
        read = None  # cut, because it was long
    return name(read if isinstance(read, str) and read else text, 40)


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 task``, ``12 tasks``."""
    return f"{whole(number)} {one if number == 1 else many or one + 's'}"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
