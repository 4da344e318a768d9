"""The eighteen states of a task, and what a histogram of them says about a batch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from visionbatch.model.snapshot import Counts, Phase, Snapshot
from visionbatch.model.text import printable
from visionbatch.vias.goals import Goal

WORD_CHARS = 60
"""Characters of an unknown state that are kept: it goes into log lines and into the scheduler's database."""

WAITING = ("PENDING", "SCHEDULING", "STARTING")
BUSY = ("RUNNING", "RECOVERING", "UPGRADING", "STOPPING", "DELETING", "ABNORMAL")
HALTED = ("STOPPED", "STOPPED_NO_SERVICE", "FREEZING", "FROZEN")
ENDED = ("SUCCEEDED", "FAILED", "CREATE_FAILED", "START_FAILED", "LACK_OF_RESOURCES")
ORDER = (*WAITING, *BUSY, *HALTED, *ENDED)
"""The documented states, in the order in which they are shown."""

STATES = frozenset(ORDER)
_NO_WORD = re.compile(r"[^\w.-]")
ABNORMAL = "ABNORMAL"
_NO_TASK = "no task is listed"


@dataclass(frozen=True)
class Histogram:
    """How many tasks of a batch are in which state.

    :param counts: upper-case states without zeros, unknown ones among them.
    :param total: tasks of the batch, never less than the sum.
    """

    counts: Mapping[str, int]
    total: int

    @property
    def unknown(self) -> list[str]:
        """States that are in no document."""
        return sorted(set(self.counts) - STATES)

    def __str__(self) -> str:
        """Such as ``RUNNING 2, PENDING 1``."""
        places = {state: place for place, state in enumerate(ORDER)}
        known = sorted(self.counts.items(), key=lambda pair: (places.get(pair[0], len(ORDER)), pair[0]))
        return ", ".join(f"{state} {count}" for state, count in known)


def histogram_of(counters: Any, total: Any, aliases: Mapping[str, str]) -> Histogram:
    """The counters of an entry in the list of batches; what is no counter is left out.

    :param total: ``num_task`` of the entry, which may lag behind the counters.
    """
    pairs = counters.items() if isinstance(counters, dict) else ()
    return _histogram(((str(name), count) for name, count in pairs), total, aliases)


def histogram_of_states(states: Iterable[Any], aliases: Mapping[str, str]) -> Histogram:
    """The same, counted over a list of tasks."""
    return _histogram(((str(state), 1) for state in states), 0, aliases)


def _histogram(pairs: Iterable[tuple[str, Any]], total: Any, aliases: Mapping[str, str]) -> Histogram:
    counts: dict[str, int] = {}
    for name, count in pairs:
        if _is_count(count) and count:
            # One word whatever it is, for a histogram is read back from its text.
            state = printable(_NO_WORD.sub("_", name.strip().upper()) or "_", WORD_CHARS)
            state = aliases.get(state, state)
            counts[state] = counts.get(state, 0) + count
    told = total if _is_count(total) else 0
    return Histogram(counts, max(told, sum(counts.values())))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def interpret(histogram: Histogram, goal: Goal, *, lost_patience: bool = False) -> Snapshot:
    """A batch in shared words, as somebody with that goal sees it.

    A batch is over when each of its tasks is in a wanted or in a failed state; until then failed ones only count. An
    unknown state is neither, so that it is polled through to the deadline.

    :param lost_patience: ABNORMAL has lasted too long, and counts as failed; so does a batch without any task.
    """
    return _once(_interpreted(histogram, goal, lost_patience))


@lru_cache(maxsize=1024)
def _once(snapshot: Snapshot) -> Snapshot:
    """One value for all batches that look the same: thousands are waited for, and most of them just run."""
    return snapshot


def _interpreted(histogram: Histogram, goal: Goal, lost_patience: bool) -> Snapshot:
    if not histogram.total:
        return Snapshot(Phase.FAILED if lost_patience else Phase.QUEUED, _NO_TASK, Counts())
    failed_states = goal.failed | {ABNORMAL} if lost_patience else goal.failed
    good = sum(count for state, count in histogram.counts.items() if state in goal.wanted)
    bad = sum(count for state, count in histogram.counts.items() if state in failed_states - goal.wanted)
    counts = Counts(histogram.total, good, bad)
    unknown = histogram.unknown
    if unknown and not set(unknown) <= goal.wanted:
        return Snapshot(Phase.UNKNOWN, ", ".join(unknown), counts, str(histogram))
    if good + bad < histogram.total:
        phase = Phase.RUNNING if any(state in histogram.counts for state in BUSY) else Phase.QUEUED
        return Snapshot(phase, str(histogram), counts)
    return Snapshot(_end(histogram, good, bad), str(histogram), counts)


def _end(histogram: Histogram, good: int, bad: int) -> Phase:
    if not bad:
        return Phase.SUCCEEDED
    if good:
        return Phase.PARTIAL
    return Phase.CANCELLED if set(histogram.counts) == {"STOPPED"} else Phase.FAILED


def table(snapshot: Snapshot) -> list[str]:
    """The states of a batch's tasks as lines for a log: state, tasks, share, bar."""
    total = snapshot.counts.total if snapshot.counts is not None else 0
    # Where a state is unknown it is the native word, and the histogram is the detail.
    text = snapshot.detail or snapshot.native
    if not total or not text:
        return ["no task is listed yet"]
    pairs = [(state, int(count)) for state, count in (row.rsplit(" ", 1) for row in text.split(", "))]
    missing = total - sum(count for _, count in pairs)
    pairs += [("(not counted)", missing)] if missing else []
    width = max(len(state) for state, _ in pairs)
    return [
        f"{state:<{width}}  {count:>6}  {count / total:>6.1%}  {'#' * round(20 * count / total)}".rstrip()
        for state, count in pairs
    ]
