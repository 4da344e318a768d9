"""The inputs worth looking at: the latest that failed or that a person corrected."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visionbatch.report.figures import Shot
from visionbatch.report.tables import KEYS

_EPOCH = date(1970, 1, 1)
_RANK = ("day", "corrected", "failed")
_ORDER = [*((name, "descending") for name in _RANK), *((key, "ascending") for key in KEYS)]


class Shots:
    """The best so far, at most a given number.

    :param limit: how many; none with 0.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._best: list[tuple[Any, Shot]] = []

    def add(self, jobs: pa.Table, inputs: pa.Table) -> None:
        """Look at the verdicts of a piece.

        :param jobs: with the columns of their work items and work orders.
        """
        if not self._limit:
            return
        telling = jobs.filter(pc.greater(pc.add(jobs["failed"], jobs["corrected"]), 0))
        sums = telling.group_by(list(KEYS)).aggregate([("day", "max"), ("corrected", "sum"), ("failed", "sum")])
        ranked = sums.rename_columns(
            [name.rpartition("_")[0] if name not in KEYS else name for name in sums.column_names]
        )
        ranked = ranked.sort_by(_ORDER).slice(0, self._limit)
        rows = telling.select([*KEYS, "task", "task_group", "name", "automatic", "given", "reviewed"])
        rows = rows.join(ranked, list(KEYS), join_type="inner")
        extensions = inputs.join(ranked.select(KEYS), list(KEYS), join_type="left semi")
        self._merge(rows.to_pylist(), {_key(row): row["extension"] or "" for row in extensions.to_pylist()})

    def _merge(self, rows: list[dict[str, Any]], extensions: dict[tuple[str, ...], str]) -> None:
        together: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            together[_key(row)].append(row)
        found = [(_rank(key, of[0]), _shot(of, extensions.get(key, ""))) for key, of in together.items()]
        self._best = sorted([*self._best, *found], key=lambda pair: pair[0])[: self._limit]

    def chosen(self) -> tuple[Shot, ...]:
        """The best of all that was seen."""
        return tuple(shot for _, shot in self._best)


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[key] for key in KEYS)


def _rank(key: tuple[str, ...], row: dict[str, Any]) -> tuple[Any, ...]:
    """Latest first, undated last."""
    day = row["day"]
    return (day is None, -(day or 0), -row["corrected"], -row["failed"], key)


def _shot(rows: list[dict[str, Any]], extension: str) -> Shot:
    first = rows[0]
    lines = {(row["task"] or "", row["automatic"], row["given"] if row["reviewed"] else None) for row in rows}
    return Shot(
        work_order=first["name"] or first["work_order_id"],
        task_group=first["task_group"] or "",
        input_id=first["input_id"],
        extension=extension,
        day=None if first["day"] is None else _EPOCH + timedelta(days=first["day"]),
        lines=tuple(sorted(lines, key=lambda line: tuple(part or "" for part in line))),
    )
