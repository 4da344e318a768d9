"""What stands out, in sentences: the part of a report that is read when nothing else is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from visionbatch.report.figures import PREVIOUS_DAYS, Figures, TaskFigures, share
from visionbatch.report.words import long_day, name, percent, plural, points, whole

CERTAIN = 3.0
"""Standard errors from which a change is told: chance alone makes one such in 370, and a report has many tasks."""

CHANGES_TOLD = 3


def insights(figures: Figures) -> list[str]:
    """At most a handful of sentences; none when there are no verdicts."""
    return [*_latest(figures), *_changes(figures), *_most_failures(figures), *_corrections(figures)]


def _latest(figures: Figures) -> Iterator[str]:
    latest, previous = figures.latest, figures.previous
    if figures.latest_day is None or not latest.tally.decided:
        return
    told = (
        f"On {long_day(figures.latest_day)}, {percent(latest.tally.pass_rate)} of"
        f" {plural(latest.tally.decided, 'verdict')} passed, in {plural(latest.work_orders, 'work order')}"
    )
    if previous.tally.pass_rate is None:
        yield f"{told}. There is nothing in the {PREVIOUS_DAYS} days before to compare it with."
    else:
        change = points(previous.tally.pass_rate, latest.tally.pass_rate)
        yield f"{told}: {change} points against the {PREVIOUS_DAYS} days before ({percent(previous.tally.pass_rate)})."


def _changes(figures: Figures) -> Iterator[str]:
    """Tasks whose pass rate on the latest day differs by more than chance explains, the most certain first."""
    moved = [(task_certainty(task), task) for task in figures.tasks]
    certain = sorted((one for one in moved if abs(one[0]) >= CERTAIN), key=lambda one: -abs(one[0]))
    for sureness, task in certain[:CHANGES_TOLD]:
        verb = "rose" if sureness > 0 else "fell"
        rates = f"from {percent(task.previous.pass_rate)} to {percent(task.latest.pass_rate)}"
        yield f"{full_name(task)} {verb} {rates} ({plural(task.latest.decided, 'verdict')} on the latest day)."


def task_certainty(task: TaskFigures) -> float:
    """By how many standard errors a task's pass rate moved."""
    before, after = task.previous, task.latest
    return certainty((before.passed, before.decided), (after.passed, after.decided))


def certainty(before: tuple[int, int], after: tuple[int, int]) -> float:
    """By how many standard errors a rate moved: the pooled test of two proportions; 0 where it cannot tell.

    :param before: how many of how many.
    """
    (part, total), (new_part, new_total) = before, after
    if not total or not new_total:
        return 0.0
    pooled = (part + new_part) / (total + new_total)
    error = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / new_total))
    return (new_part / new_total - part / total) / error if error else 0.0


def _most_failures(figures: Figures) -> Iterator[str]:
    total = figures.total.tally.failed
    if total and len(figures.tasks) > 1:
        worst = figures.tasks[0]
        of_all = percent(share(worst.tally.failed, total))
        yield f"{full_name(worst)} has the most failures: {whole(worst.tally.failed)}, which is {of_all} of all."


def _corrections(figures: Figures) -> Iterator[str]:
    tally = figures.total.tally
    if not tally.reviewed:
        return
    told = (
        f"People reviewed {plural(tally.reviewed, 'verdict')} and corrected {whole(tally.corrected)} of them,"
        f" {percent(tally.correction_rate)} of all"
    )
    most = max(figures.tasks, key=lambda task: task.tally.corrected)
    where = f"; most often {full_name(most)} ({whole(most.tally.corrected)})" if most.tally.corrected else ""
    yield f"{told}{where}."


def full_name(task: TaskFigures) -> str:
    """A task with its group, short enough for a sentence."""
    return f"{name(task.task, 60)} in {name(task.task_group, 60)}"
