"""The figures of a report: counts, and the rates that follow from them.

What is counted, in one place:

verdict
    one row of ``job_conformity``: a task looked at one input. It passed or failed by ``is_conformity_validated``;
    without that flag it is undecided and stands in no pass rate.
review, correction
    a person gave a value; it is a correction when that value is not the automatic one. The numbers 1 and 1.0 are the
    same value, the number 1 and the text "1" are not.
blocked input
    an input with a data conformity of level ``error``, whose tasks the service does not run.
assessed work item
    one with a decided verdict or a blocked input.
right first time
    an assessed work item with exactly one input, not blocked, all of whose decided verdicts passed and none of whose
    verdicts was corrected. A work order is right first time when it has assessed work items and all of them are.
day
    of a work order: that of its last update in the report's timezone, or of its creation when there is none. All that
    belongs to the work order counts on that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

PREVIOUS_DAYS = 7
"""The latest day is compared with this many calendar days before it, taken together: a week has every weekday once."""


def share(part: int, whole: int) -> float | None:
    """A rate between 0 and 1, or ``None`` where there is nothing to divide by."""
    return part / whole if whole else None


@dataclass(frozen=True)
class Tally:
    """Counts of verdicts."""

    verdicts: int = 0
    passed: int = 0
    failed: int = 0
    reviewed: int = 0
    corrected: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.verdicts + other.verdicts,
            self.passed + other.passed,
            self.failed + other.failed,
            self.reviewed + other.reviewed,
            self.corrected + other.corrected,
        )

    @property
    def decided(self) -> int:
        """Verdicts that passed or failed."""
        return self.passed + self.failed

    @property
    def pass_rate(self) -> float | None:
        """Passed out of decided."""
        return share(self.passed, self.decided)

    @property
    def correction_rate(self) -> float | None:
        """Corrected by people, out of all verdicts."""
        return share(self.corrected, self.verdicts)


@dataclass(frozen=True)
class FirstTime:
    """Work items, or work orders, that were right with their first input."""

    assessed: int = 0
    right: int = 0

    def __add__(self, other: FirstTime) -> FirstTime:
        return FirstTime(self.assessed + other.assessed, self.right + other.right)

    @property
    def rate(self) -> float | None:
        """Right out of assessed."""
        return share(self.right, self.assessed)


@dataclass(frozen=True)
class Inputs:
    """Photos, and those of them that the image checks refused."""

    total: int = 0
    blocked: int = 0

    def __add__(self, other: Inputs) -> Inputs:
        return Inputs(self.total + other.total, self.blocked + other.blocked)

    @property
    def blocked_rate(self) -> float | None:
        """Blocked out of all."""
        return share(self.blocked, self.total)


@dataclass(frozen=True)
class Part:
    """The figures of some part of the work: a day, a site, a task group, or all of it."""

    work_orders: int = 0
    tally: Tally = Tally()
    items: FirstTime = FirstTime()
    orders: FirstTime = FirstTime()
    inputs: Inputs = Inputs()

    def __add__(self, other: Part) -> Part:
        return Part(
            self.work_orders + other.work_orders,
            self.tally + other.tally,
            self.items + other.items,
            self.orders + other.orders,
            self.inputs + other.inputs,
        )


@dataclass(frozen=True)
class TaskFigures:
    """One task in one task group; both names as delivered, ``None`` when the export had none.

    :param latest: verdicts of the report's latest day.
    :param previous: verdicts of the days it is compared with.
    """

    task_group: str | None
    task: str | None
    tally: Tally
    latest: Tally = Tally()
    previous: Tally = Tally()


@dataclass(frozen=True)
class GroupFigures:
    """One task group."""

    task_group: str | None
    tally: Tally
    items: FirstTime


@dataclass(frozen=True)
class CodeFigures:
    """How often an image check gave a code."""

    check: str | None
    code: str | None
    level: str | None
    count: int


@dataclass(frozen=True)
class Confusion:
    """What people made of a task's automatic values.

    :param values: all values on either side, as JSON text; ``None`` where there was no automatic value.
    :param counts: (automatic, given by a person) to the number of verdicts; where both are the same, a person agreed.
    """

    task_group: str | None
    task: str | None
    values: tuple[str | None, ...]
    counts: dict[tuple[str | None, str | None], int]


@dataclass(frozen=True)
class Shot:
    """An input worth looking at: one that failed or that a person corrected.

    :param lines: (task, automatic value, value given by a person) of its failed and corrected verdicts.
    """

    work_order: str
    task_group: str
    input_id: str
    extension: str
    day: date | None
    lines: tuple[tuple[str, str | None, str | None], ...]


@dataclass(frozen=True)
class Figures:
    """Everything that a report shows.

    :param total: the whole period.
    :param days: day to its figures, in order of time; work orders without a date are in ``total`` only.
    :param sites: site id to its figures.
    :param tasks: most failures first, then by name.
    :param groups: in the same order.
    :param codes: most frequent first.
    :param confusions: tasks with few different values of which people reviewed some, most corrections first.
    :param shots: when asked for: latest first.
    """

    timezone: str
    total: Part
    days: dict[date, Part]
    sites: dict[str | None, Part]
    tasks: tuple[TaskFigures, ...]
    groups: tuple[GroupFigures, ...]
    codes: tuple[CodeFigures, ...]
    confusions: tuple[Confusion, ...]
    shots: tuple[Shot, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The main numbers as JSON primitives, for logs and for other tasks."""
        return {
            "work_orders": self.total.work_orders,
            "verdicts": self.total.tally.verdicts,
            "pass_rate": self.total.tally.pass_rate,
            "first_time_right": self.total.items.rate,
            "correction_rate": self.total.tally.correction_rate,
            "blocked_inputs": self.total.inputs.blocked,
            "first_day": min(self.days).isoformat() if self.days else None,
            "latest_day": self.latest_day.isoformat() if self.latest_day else None,
        }

    @property
    def latest_day(self) -> date | None:
        """The last day with a work order."""
        return max(self.days, default=None)

    @property
    def latest(self) -> Part:
        """The figures of the latest day."""
        return self.days[self.latest_day] if self.latest_day else Part()

    @property
    def previous(self) -> Part:
        """The figures of the days before the latest, taken together."""
        if self.latest_day is None:
            return Part()
        last = self.latest_day.toordinal()
        before = (part for day, part in self.days.items() if last - PREVIOUS_DAYS <= day.toordinal() < last)
        return sum(before, Part())
