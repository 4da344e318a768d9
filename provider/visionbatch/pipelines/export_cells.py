"""Records of a data export taken apart: cells, column by column, as Python values and pieces of JSON text.

This is done for one block of lines after the other, while the processor's cache still has its records; for a whole
chunk at once it takes nearly twice as long. Nothing of a record remains but its cells.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from visionbatch.deepomatic.export_records import Input, WorkItem, WorkOrder
from visionbatch.deepomatic.export_schema import Table


@dataclass
class Rows:
    """The rows of one table.

    :param counts: for each row of the table above, how many of these stand below it.
    :param cells: values by names; JSON texts joined by line feeds, which none of them holds, a record being one line.
    :param extra: unknown keys by the place of the row; most rows have none.
    """

    count: int = 0
    counts: list[int] = field(default_factory=list)
    cells: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    extra: dict[int, str] = field(default_factory=dict)

    def below(self, lists: Sequence[Sequence[Any]]) -> list[Any]:
        """Count the rows of the next blocks.

        :param lists: those below each of the rows above.
        """
        self.counts += map(len, lists)
        return [*chain.from_iterable(lists)]

    def add(self, found: Sequence[Any], extras: Mapping[int, str], cells: Mapping[str, list[Any]]) -> None:
        """Append rows.

        :param extras: unknown keys, by `id` of the row.
        """
        if extras:
            known = ((place, extras.get(id(row))) for place, row in enumerate(found, self.count))
            self.extra.update((place, text) for place, text in known if text is not None)
        for name, values in cells.items():
            self.cells[name] += values
        self.count += len(found)


@dataclass
class Cells:
    """The cells of some consecutive records, with the line of each record."""

    lines: array[int] = field(default_factory=lambda: array("q"))
    tables: dict[Table, Rows] = field(default_factory=lambda: {table: Rows() for table in Table})

    def add(self, records: Sequence[WorkOrder], lines: Iterable[int], extras: Mapping[int, str]) -> None:
        """Append records, in the order of their lines and of the arrays in them."""
        self.lines.extend(lines)
        self._work_orders(records, extras)
        items = self.tables[Table.WORK_ITEMS].below([row.work_items or () for row in records])
        self._work_items(items, extras)
        inputs = self.tables[Table.INPUTS].below([row.input or () for row in items])
        self._inputs(inputs, extras)
        self._texts(Table.DATA_CONFORMITY, [row.data_conformity or () for row in inputs])
        self._texts(Table.JOB_CONFORMITY, [row.job_conformity or () for row in inputs])

    def _work_orders(self, rows: Sequence[WorkOrder], extras: Mapping[int, str]) -> None:
        cells: dict[str, list[Any]] = {
            "id": [row.id for row in rows],
            "name": [row.name for row in rows],
            "site_id": [row.site_id for row in rows],
            "create_date": [row.create_date for row in rows],
            "update_date": [row.update_date for row in rows],
            "progress_score": [row.progress_score for row in rows],
            "metadata": _joined([row.metadata for row in rows]),
        }
        self.tables[Table.WORK_ORDERS].add(rows, extras, cells)

    def _work_items(self, rows: Sequence[WorkItem], extras: Mapping[int, str]) -> None:
        cells = {"id": [row.id for row in rows], "name": [row.name for row in rows]}
        self.tables[Table.WORK_ITEMS].add(rows, extras, cells)

    def _inputs(self, rows: Sequence[Input], extras: Mapping[int, str]) -> None:
        cells: dict[str, list[Any]] = {
            "id": [row.id for row in rows],
            "file_extension": [row.file_extension for row in rows],
            "metadata": _joined([row.metadata for row in rows]),
        }
        self.tables[Table.INPUTS].add(rows, extras, cells)

    def _texts(self, table: Table, lists: Sequence[Sequence[Any]]) -> None:
        rows = self.tables[table]
        texts = rows.below(lists)
        rows.add(texts, {}, {"text": _joined(texts)})


def _joined(texts: Sequence[Any]) -> list[bytes]:
    return [b"\n".join(texts)] if texts else []
