"""The page: one HTML file that needs nothing else, asks for nothing, and runs nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from visionbatch._version import __version__
from visionbatch.report import charts, words
from visionbatch.report.figures import PREVIOUS_DAYS, Confusion, Figures, Part, Tally, TaskFigures, share
from visionbatch.report.insights import CERTAIN, certainty, insights, task_certainty
from visionbatch.report.thumbnails import Thumbnail

ROWS_SHOWN = 20
"""Rows of a table; the others are one row together, so that the sums are still right."""

CONFUSIONS_SHOWN = 6

_HERE = Path(__file__).parent
_T = TypeVar("_T")


@dataclass(frozen=True)
class Headline:
    """One of the numbers at the top.

    :param change: of the rate in points, latest day against those before.
    :param is_better: whether that change is good news; ``None`` when it may well be chance.
    """

    title: str
    value: str
    basis: str
    change: str
    latest: str
    is_better: bool | None


def page(figures: Figures, *, title: str, generated_at: datetime, thumbnails: Sequence[Thumbnail] | None = None) -> str:
    """The page as text.

    :param thumbnails: photos to show; ``None`` when none were asked for.
    """
    css = (_HERE / "page.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            css=Markup(css),  # noqa: S704  # our own file, named by its hash
            policy=content_security_policy(css),
            title=words.name(title),
            generated_at=f"{generated_at:%Y-%m-%d %H:%M} {generated_at.tzname()}",
            version=__version__,
            figures=figures,
            thumbnails=thumbnails,
            **_view(figures),
        )
    )


def content_security_policy(css: str) -> str:
    """Nothing may be loaded, run, framed or sent; the one style sheet is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def headlines(figures: Figures) -> list[Headline]:
    """The four numbers that a reader should keep."""
    return [
        _headline(figures, "Passed", "verdict", lambda part: (part.tally.passed, part.tally.decided), good=1),
        _headline(
            figures, "Right first time", "work item", lambda part: (part.items.right, part.items.assessed), good=1
        ),
        _headline(
            figures, "Corrected by people", "verdict", lambda part: (part.tally.corrected, part.tally.verdicts), good=-1
        ),
        _headline(figures, "Photos refused", "input", lambda part: (part.inputs.blocked, part.inputs.total), good=-1),
    ]


def _headline(
    figures: Figures, title: str, what: str, count: Callable[[Part], tuple[int, int]], *, good: int
) -> Headline:
    """:param good: 1 when more is better, -1 when less is."""
    total, latest, previous = (count(part) for part in (figures.total, figures.latest, figures.previous))
    sureness = certainty(previous, latest)
    return Headline(
        title,
        value=words.percent(share(*total)),
        basis=f"{words.whole(total[0])} of {words.plural(total[1], what)}",
        change=words.points(share(*previous), share(*latest)),
        latest=words.percent(share(*latest)),
        is_better=sureness * good > 0 if abs(sureness) >= CERTAIN else None,
    )


def period(figures: Figures) -> str:
    """The days of the report."""
    if figures.latest_day is None:
        return "no dates"
    first = min(figures.days)
    if first == figures.latest_day:
        return words.long_day(first)
    return f"{words.long_day(first)} {words.NOTHING} {words.long_day(figures.latest_day)}"


def _view(figures: Figures) -> dict[str, Any]:
    """What the template shows, cut to what fits."""
    tasks, other_tasks = _top(figures.tasks)
    corrected = sorted((task for task in figures.tasks if task.tally.reviewed), key=lambda task: -task.tally.corrected)
    corrected_shown, other_corrected = _top(corrected)
    groups, other_groups = _top(figures.groups)
    codes, other_codes = _top(figures.codes)
    sites, other_sites = _top(tuple(figures.sites.items()))
    return {
        "headlines": headlines(figures),
        "insights": insights(figures),
        "period": period(figures),
        "previous_days": PREVIOUS_DAYS,
        "axis": charts.shown_days(figures.days),
        "tasks": tasks,
        "other_tasks": _together(other_tasks),
        "corrected": corrected_shown,
        "other_corrected": _together(other_corrected),
        "most_corrected": max((task.tally.correction_rate or 0 for task in corrected_shown), default=0),
        "groups": groups,
        "other_groups": other_groups,
        "other_groups_tally": sum((one.tally for one in other_groups), Tally()),
        "other_groups_items": sum((one.items for one in other_groups[1:]), other_groups[0].items)
        if other_groups
        else None,
        "codes": codes,
        "other_codes": (len(other_codes), sum(one.count for one in other_codes)),
        "most_codes": max((one.count for one in codes), default=0),
        "sites": sites,
        "other_sites": (len(other_sites), sum((part for _, part in other_sites), Part())),
        "confusions": figures.confusions[:CONFUSIONS_SHOWN],
        "undecided": figures.total.tally.verdicts - figures.total.tally.decided,
        "undated": figures.total.work_orders - sum(part.work_orders for part in figures.days.values()),
    }


def _top(rows: Sequence[_T]) -> tuple[Sequence[_T], Sequence[_T]]:
    """The rows to show, and the others; a single other one is shown, for its name is as short as the word others."""
    cut = len(rows) if len(rows) == ROWS_SHOWN + 1 else ROWS_SHOWN
    return rows[:cut], rows[cut:]


def _together(tasks: Sequence[TaskFigures]) -> TaskFigures | None:
    """Many tasks as one."""
    if not tasks:
        return None
    sums = (sum((getattr(task, part) for task in tasks), Tally()) for part in ("tally", "latest", "previous"))
    return TaskFigures(None, f"{words.plural(len(tasks), 'other task')}", *sums)


def _tone(task: TaskFigures) -> str:
    """The class of a change: good or bad news, or neither when it may well be chance."""
    sureness = task_certainty(task)
    return "" if abs(sureness) < CERTAIN else "good" if sureness > 0 else "bad"


def _strength(confusion: Confusion, automatic: str | None, given: str | None) -> str:
    """The class of a cell: how much of the reviews it holds, in four steps."""
    most = max(confusion.counts.values())
    count = confusion.counts.get((automatic, given), 0)
    side = "agree" if automatic == given else "differ"
    return f"{side} step-{-(-4 * count // most)}" if count else "empty"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        whole=words.whole,
        percent=words.percent,
        name=words.name,
        value=words.value,
        long_day=words.long_day,
    )
    environment.globals.update(
        plural=words.plural,
        points=words.points,
        trend=charts.trend,
        split_bar=charts.split_bar,
        part_bar=charts.part_bar,
        strength=_strength,
        tone=_tone,
        NOTHING=words.NOTHING,
    )
    return environment
