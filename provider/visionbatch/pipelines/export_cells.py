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
class Texts:
    """JSON texts as they were delivered, one after the other.

    :param pieces: the texts of each block as one.
    :param lengths: that of each text in bytes, after a zero.
    """

    pieces: list[bytes] = field(default_factory=list)
    lengths: array[int] = field(default_factory=lambda: array("i", [0]))

    def add(self, texts: Sequence[Any]) -> None:
        """Append texts, which are anything that has a buffer."""
        self.pieces.append(b"".join(texts))
        self.lengths.extend(map(len, texts))


@dataclass
class Rows:
    """The rows of one table.

    :param counts: for each row of the table above, how many of these stand below it.
    :param cells: values by names.
    :param texts: the JSON text of each row, or of a value in it.
    :param extra: unknown keys by the place of the row; most rows have none.
    """

    count: int = 0
    counts: list[int] = field(default_factory=list)
    cells: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    texts: Texts = field(default_factory=Texts)
    extra: dict[int, str] = field(default_factory=dict)

    def below(self, lists: Sequence[Sequence[Any]]) -> list[Any]:
        """Count the rows of the next blocks.

        :param lists: those below each of the rows above.
        """
        self.counts += map(len, lists)
        return [*chain.from_iterable(lists)]

    def add(
        self, found: Sequence[Any], texts: Sequence[Any], cells: Mapping[str, list[Any]], extras: Mapping[int, str]
    ) -> None:
        """Append rows.

        :param extras: unknown keys, by `id` of the row.
        """
        self.texts.add(texts)
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
        }
        self.tables[Table.WORK_ORDERS].add(rows, [row.metadata for row in rows], cells, extras)

    def _work_items(self, rows: Sequence[WorkItem], extras: Mapping[int, str]) -> None:
        cells = {"id": [row.id for row in rows], "name": [row.name for row in rows]}
        self.tables[Table.WORK_ITEMS].add(rows, (), cells, extras)

    def _inputs(self, rows: Sequence[Input], extras: Mapping[int, str]) -> None:
        cells: dict[str, list[Any]] = {
            "id": [row.id for row in rows],
            "file_extension": [row.file_extension for row in rows],
        }
        self.tables[Table.INPUTS].add(rows, [row.metadata for row in rows], cells, extras)

    def _texts(self, table: Table, lists: Sequence[Sequence[Any]]) -> None:
        texts = self.tables[table].below(lists)
        self.tables[table].add(texts, texts, {}, {})
