"""From tables to figures: every piece is joined and summed in Arrow, and only sums are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visionbatch.report.figures import (
    PREVIOUS_DAYS,
    CodeFigures,
    Confusion,
    Figures,
    FirstTime,
    GroupFigures,
    Inputs,
    Part,
    Tally,
    TaskFigures,
)
from visionbatch.report.shots import Shots
from visionbatch.report.tables import KEYS, TEXT_KEPT, Tables

VALUES_SHOWN = 6
"""Different values up to which a task gets a table of automatic against given values: more do not fit a phone."""

_EPOCH = date(1970, 1, 1)
_ORDER, _ITEM = KEYS[:1], KEYS[:2]
_VERDICT_SUMS = ("verdicts", "passed", "failed", "reviewed", "corrected")
_RIGHT_SUMS = ("items_assessed", "items_right", "orders_assessed", "orders_right")
_PART_SUMS = ("work_orders", *_VERDICT_SUMS, *_RIGHT_SUMS, "inputs", "blocked")
_LATEST, _PREVIOUS = "latest", "previous"


class Sums:
    """Sums by key, over any number of pieces; holds one row for each key.

    :param keys: columns that name a row.
    :param columns: columns of integers to add up; one that a piece lacks counts as 0.
    """

    def __init__(self, keys: Sequence[str], columns: Sequence[str]) -> None:
        self._keys = list(keys)
        self._columns = list(columns)
        self._table: pa.Table | None = None

    def add(self, table: pa.Table) -> None:
        """Add the rows of a piece."""
        zeros = pa.repeat(pa.scalar(0, pa.int64()), table.num_rows)
        given = {name: table[name] if name in table.column_names else zeros for name in self._columns}
        rows = pa.table({**{key: table[key] for key in self._keys}, **given})
        rows = rows if self._table is None else pa.concat_tables([self._table, rows])
        self._table = summed(rows, self._keys, self._columns)

    def keep(self, table: pa.Table) -> None:
        """Go on with other rows, such as fewer of them."""
        self._table = table.select([*self._keys, *self._columns])

    @property
    def table(self) -> pa.Table:
        """Keys and sums."""
        if self._table is None:
            raise RuntimeError("nothing was added, not even an empty piece")
        return self._table


def summed(table: pa.Table, keys: Sequence[str], columns: Iterable[str]) -> pa.Table:
    """Group and add up, under the columns' own names."""
    done = table.group_by(list(keys)).aggregate([(name, "sum") for name in columns])
    return done.rename_columns([name.removesuffix("_sum") for name in done.column_names])


def figures_from(tables: Tables, shots: int = 0) -> Figures:
    """All figures of a report.

    :param shots: how many inputs to name that failed or were corrected; they are for the pictures.
    """
    latest = max((day for day in tables.days()["day"].to_pylist() if day is not None), default=None)
    count = _Count(latest, Shots(shots))
    for piece in tables.pieces():
        count.add(piece)
        # Not two pieces at a time: this one would live until the next is read.
        piece.clear()
        pa.default_memory_pool().release_unused()
    return count.figures(tables.timezone)


class _Count:
    """The sums of all pieces so far."""

    def __init__(self, latest: int | None, shots: Shots) -> None:
        self._latest = latest
        self._shots = shots
        self._days = Sums(["day"], _PART_SUMS)
        self._sites = Sums(["site"], _PART_SUMS)
        self._tasks = Sums(["task_group", "task", "window"], _VERDICT_SUMS)
        self._groups = Sums(["task_group"], ["items_assessed", "items_right"])
        self._codes = Sums(["check", "code", "level"], ["count"])
        self._pairs = Sums(["task_group", "task", "automatic", "given"], ["verdicts"])
        self._wide: set[tuple[str | None, str | None]] = set()

    def add(self, piece: Mapping[str, pa.Table]) -> None:
        """Count one piece."""
        orders = _unique(piece["work_orders"], _ORDER)
        items = _unique(piece["work_items"], _ITEM)
        jobs = _with(piece["job_conformity"], verdicts=1)
        jobs = jobs.join(items, _ITEM, join_type="left outer").join(orders, _ORDER, join_type="left outer")
        inputs = _inputs(piece["inputs"], piece["data_conformity"])
        judged = _items(items, jobs, inputs)
        self._add_parts(piece["work_orders"], orders, jobs, inputs, judged)
        self._tasks.add(_with(jobs, window=self._window(jobs["day"])))
        self._groups.add(judged)
        self._codes.add(_with(piece["data_conformity"], count=1))
        self._add_pairs(jobs.filter(pc.equal(jobs["reviewed"], 1)))
        self._shots.add(jobs, piece["inputs"])

    def _add_parts(self, rows: pa.Table, orders: pa.Table, jobs: pa.Table, inputs: pa.Table, judged: pa.Table) -> None:
        """What counts for a day counts for a site as well."""
        by_order = summed(judged, _ORDER, ["items_assessed", "items_right"])
        assessed = pc.greater(by_order["items_assessed"], 0)
        right = pc.and_(assessed, pc.equal(by_order["items_assessed"], by_order["items_right"]))
        by_order = _with(by_order, orders_assessed=assessed.cast(pa.int64()), orders_right=right.cast(pa.int64()))
        for table in (
            _with(rows, work_orders=1),
            jobs,
            by_order.join(orders, _ORDER, join_type="left outer"),
            inputs.join(orders, _ORDER, join_type="left outer"),
        ):
            self._days.add(table)
            self._sites.add(table)

    def _window(self, days: pa.ChunkedArray) -> pa.Array:
        """Whether a day is the latest, one of those it is compared with, or neither."""
        last = pa.scalar(self._latest, pa.int32())
        first = pa.scalar(None if self._latest is None else self._latest - PREVIOUS_DAYS, pa.int32())
        is_latest = pc.fill_null(pc.equal(days, last), False)
        is_previous = pc.fill_null(pc.and_(pc.greater_equal(days, first), pc.less(days, last)), False)
        return pc.if_else(is_latest, _LATEST, pc.if_else(is_previous, _PREVIOUS, "other"))

    def _add_pairs(self, reviewed: pa.Table) -> None:
        """Keep the pairs of tasks that have few; a task of free text would have as many as verdicts."""
        self._pairs.add(reviewed)
        table = self._pairs.table
        each = table.group_by(["task_group", "task"]).aggregate([([], "count_all")])
        many = each.filter(pc.greater(each["count_all"], VALUES_SHOWN**2)).to_pylist()
        self._wide |= {(row["task_group"], row["task"]) for row in many}
        for row in many:
            table = table.filter(pc.invert(pc.and_(_is(table, "task_group", row), _is(table, "task", row))))
        self._pairs.keep(table)

    def figures(self, timezone: str) -> Figures:
        """The sums as values."""
        sites = {row["site"]: _part(row) for row in self._sites.table.to_pylist()}
        days = {_date(row["day"]): _part(row) for row in self._days.table.to_pylist() if row["day"] is not None}
        tasks = self._task_figures()
        return Figures(
            timezone=timezone,
            total=sum(sites.values(), Part()),
            days=dict(sorted(days.items())),
            sites=dict(sorted(sites.items(), key=lambda item: (-item[1].work_orders, item[0] or ""))),
            tasks=tuple(tasks),
            groups=tuple(self._group_figures(tasks)),
            codes=tuple(self._code_figures()),
            confusions=tuple(self._confusions()),
            shots=self._shots.chosen(),
        )

    def _task_figures(self) -> list[TaskFigures]:
        windows: dict[tuple[str | None, str | None], dict[str, Tally]] = defaultdict(dict)
        for row in self._tasks.table.to_pylist():
            windows[row["task_group"], row["task"]][row["window"]] = _tally(row)
        tasks = [
            TaskFigures(*key, sum(of.values(), Tally()), of.get(_LATEST, Tally()), of.get(_PREVIOUS, Tally()))
            for key, of in windows.items()
        ]
        return sorted(tasks, key=lambda one: (-one.tally.failed, *_by_name(one.task_group, one.task)))

    def _group_figures(self, tasks: Iterable[TaskFigures]) -> list[GroupFigures]:
        tallies: dict[str | None, Tally] = defaultdict(Tally)
        for task in tasks:
            tallies[task.task_group] += task.tally
        items = {row["task_group"]: _first_time(row, "items") for row in self._groups.table.to_pylist()}
        groups = [
            GroupFigures(name, tallies.get(name, Tally()), items.get(name, FirstTime())) for name in {*tallies, *items}
        ]
        return sorted(groups, key=lambda one: (-one.tally.failed, *_by_name(one.task_group)))

    def _code_figures(self) -> list[CodeFigures]:
        codes = [CodeFigures(**row) for row in self._codes.table.to_pylist()]
        return sorted(codes, key=lambda one: (-one.count, *_by_name(one.check, one.code, one.level)))

    def _confusions(self) -> list[Confusion]:
        found: dict[tuple[str | None, str | None], dict[tuple[str | None, str | None], int]] = defaultdict(dict)
        for row in self._pairs.table.to_pylist():
            found[row["task_group"], row["task"]][row["automatic"], row["given"]] = row["verdicts"]
        shown = [Confusion(*key, _values(pairs), pairs) for key, pairs in found.items() if key not in self._wide]
        shown = [one for one in shown if _is_small(one.values)]
        return sorted(shown, key=lambda one: (-_disagreements(one), *_by_name(one.task_group, one.task)))


def _inputs(inputs: pa.Table, data: pa.Table) -> pa.Table:
    """Every input once, with whether the image checks refused it."""
    errors = data.filter(pc.equal(data["level"], "error")).select(KEYS)
    refused = _with(errors.group_by(list(KEYS)).aggregate([]), blocked=1)
    known = _with(inputs.select(KEYS), inputs=1).join(refused, list(KEYS), join_type="left outer")
    return _filled(known, ["blocked"])


def _items(items: pa.Table, jobs: pa.Table, inputs: pa.Table) -> pa.Table:
    """Every work item with whether it was assessed, and whether it was right first time."""
    verdicts = summed(jobs, _ITEM, _VERDICT_SUMS)
    shown = summed(inputs, _ITEM, ["inputs", "blocked"])
    joined = items.join(verdicts, _ITEM, join_type="left outer").join(shown, _ITEM, join_type="left outer")
    joined = _filled(joined, [*_VERDICT_SUMS, "inputs", "blocked"])
    decided = pc.add(joined["passed"], joined["failed"])
    flawless = pc.equal(pc.add(pc.add(joined["failed"], joined["corrected"]), joined["blocked"]), 0)
    assessed = pc.or_(pc.greater(decided, 0), pc.greater(joined["blocked"], 0))
    right = pc.and_(pc.and_(pc.greater(decided, 0), flawless), pc.equal(joined["inputs"], 1))
    return _with(joined, items_assessed=assessed.cast(pa.int64()), items_right=right.cast(pa.int64()))


def _unique(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The first row of each key, for a second would double whatever is joined with it."""
    rest = [name for name in table.column_names if name not in keys]
    done = table.group_by(list(keys), use_threads=False).aggregate([(name, "first") for name in rest])
    return done.rename_columns([name.removesuffix("_first") for name in done.column_names])


def _with(table: pa.Table, **columns: Any) -> pa.Table:
    """The table with more columns; a number stands in every row."""
    for name, values in columns.items():
        column = pa.repeat(pa.scalar(values, pa.int64()), table.num_rows) if isinstance(values, int) else values
        table = table.append_column(name, column)
    return table


def _filled(table: pa.Table, names: Iterable[str]) -> pa.Table:
    for name in names:
        table = table.set_column(table.column_names.index(name), name, pc.fill_null(table[name], 0))
    return table


def _is(table: pa.Table, name: str, row: Mapping[str, str | None]) -> pa.ChunkedArray:
    wanted = row[name]
    return table[name].is_null() if wanted is None else pc.fill_null(pc.equal(table[name], wanted), False)


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def _tally(row: Mapping[str, int]) -> Tally:
    return Tally(*(row[name] for name in _VERDICT_SUMS))


def _first_time(row: Mapping[str, int], what: str) -> FirstTime:
    return FirstTime(row[f"{what}_assessed"], row[f"{what}_right"])


def _part(row: Mapping[str, int]) -> Part:
    orders, items = _first_time(row, "orders"), _first_time(row, "items")
    return Part(row["work_orders"], _tally(row), items, orders, Inputs(row["inputs"], row["blocked"]))


def _by_name(*names: str | None) -> tuple[tuple[bool, str], ...]:
    """A key that sorts missing names last."""
    return tuple((name is None, name or "") for name in names)


def _values(pairs: Iterable[tuple[str | None, str | None]]) -> tuple[str | None, ...]:
    return tuple(sorted({value for pair in pairs for value in pair}, key=lambda value: (value is None, value or "")))


def _is_small(values: Sequence[str | None]) -> bool:
    return len(values) <= VALUES_SHOWN and all(len(value or "") < TEXT_KEPT for value in values)


def _disagreements(one: Confusion) -> int:
    return sum(count for (automatic, given), count in one.counts.items() if automatic != given)
