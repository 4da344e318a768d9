"""The weekly plan of a batch task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from visionbatch.model.finding import Finding
from visionbatch.vias.fields import listed, only, refuse, typed
from visionbatch.vias.rulebook import RULES

MOST_PERIODS = 10


class Weekday(IntEnum):
    """Days as the service counts them."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


@dataclass(frozen=True)
class Period:
    """One segment of a day, such as ``Period("08:00:00", "12:00:00")``, in the plan's time zone."""

    begin_at: str
    end_at: str

    def findings(self, path: str) -> Iterator[Finding]:
        """What is wrong with it."""
        clock = RULES["schedule-clock"]
        found = [*clock.on(f"{path}.begin_at", self.begin_at), *clock.on(f"{path}.end_at", self.end_at)]
        yield from found
        if not found and self.begin_at >= self.end_at:
            yield clock.broken(path, f"{self.begin_at} to {self.end_at}: the beginning is not before the end")


@dataclass(frozen=True)
class Schedule:
    """A weekly plan, the only kind that the service supports (its page, table 4).

    :param timezone: such as ``+08:00``.
    :param days: periods of each day; a day may have none. They are sent in the order of the week, each day's at its
        own place, which is right however the service numbers them.
    """

    timezone: str
    days: Mapping[int, Sequence[Period]]

    def findings(self, path: str = "schedule") -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["schedule-timezone"].on(f"{path}.timezone", self.timezone)
        if not self.days or not set(self.days) <= set(Weekday):
            yield RULES["schedule-days"].broken(f"{path}.days_of_week", f"{sorted(self.days)} are not such days")
        if not any(self.days.values()) or any(len(periods) > MOST_PERIODS for periods in self.days.values()):
            yield RULES["schedule-periods"].broken(f"{path}.periods")
        for place, (_, periods) in enumerate(self._week()):
            for number, period in enumerate(periods):
                yield from period.findings(f"{path}.periods[{place}][{number}]")

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        return {
            "type": "weekly",
            "timezone": self.timezone,
            "days_of_week": [int(day) for day, _ in self._week()],
            "periods": [[vars(period).copy() for period in periods] for _, periods in self._week()],
        }

    @classmethod
    def from_json(cls, value: Any, path: str = "schedule") -> Schedule:
        """Read the documented object.

        :raises InvalidInput: for a plan that is not weekly, and for lists that do not fit together.
        """
        names = ("type", "timezone", "days_of_week", "days_of_month", "periods")
        found = only(value, names, path)
        refuse(RULES["schedule-type"].on(f"{path}.type", found.get("type")))
        if found.get("days_of_month"):
            refuse([RULES["schedule-months"].broken(f"{path}.days_of_month")])
        days = [typed(day, int, f"{path}.days_of_week") for day in listed(found.get("days_of_week"), f"{path}.days")]
        periods = listed(found.get("periods"), f"{path}.periods")
        if days != sorted(set(days)):
            refuse([RULES["schedule-days"].broken(f"{path}.days_of_week", f"{days} are not different days in order")])
        if len(periods) != len(days):
            refuse([RULES["schedule-periods"].broken(f"{path}.periods", f"{len(periods)} lists for {len(days)} days")])
        read = (_periods(list_, f"{path}.periods[{place}]") for place, list_ in enumerate(periods))
        return cls(typed(found.get("timezone"), str, f"{path}.timezone"), dict(zip(days, read, strict=True)))

    def _week(self) -> list[tuple[int, Sequence[Period]]]:
        return sorted(self.days.items())


def _periods(value: Any, path: str) -> tuple[Period, ...]:
    return tuple(_period(item, f"{path}[{number}]") for number, item in enumerate(listed(value, path)))


def _period(value: Any, path: str) -> Period:
    found = only(value, ("begin_at", "end_at"), path)
    return Period(*(typed(found.get(name), str, f"{path}.{name}") for name in ("begin_at", "end_at")))
