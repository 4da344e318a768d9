"""Records of a data export as columns: one chunk of work orders in, one Arrow table for each of the five out.

Nothing here is done row by row that Arrow can do for a column. A text that stands in many rows (the ids of what lies
above, names, codes, values) is kept once with an index for each row, which is also how Parquet stores it. Of the two
kinds of conformity whole objects repeat, so each distinct one is read once and its columns are repeated.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from visionbatch.deepomatic.export_records import (
    DataConformity,
    JobConformity,
    RecordReader,
    WorkOrder,
    file_extension,
    scalar,
)
from visionbatch.deepomatic.export_schema import COLUMNS, Kind, Table

_S = TypeVar("_S", DataConformity, JobConformity)
_ONCE = {"metadata", "extra", "name"}
_SELDOM_REPEATED = {
    Table.WORK_ORDERS: {"work_order_id"},
    Table.WORK_ITEMS: {"work_order_id", "work_item_id"},
    Table.INPUTS: {"work_item_id", "input_id"},
    Table.DATA_CONFORMITY: {"work_item_id", "input_id"},
    Table.JOB_CONFORMITY: set(),
}
"""Ids that stand in one to three rows, which are compressed sooner than looked up."""
_ARROW = {
    Kind.STRING: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.MOMENT: pa.timestamp("us", "UTC"),
}
_REPEATED = pa.dictionary(pa.int32(), pa.string())


def repeated_columns(table: Table) -> list[str]:
    """The columns of a table whose texts stand in many rows."""
    once = _ONCE | _SELDOM_REPEATED[table]
    return [name for name, kind in COLUMNS[table].items() if kind is Kind.STRING and name not in once]


def _schema(table: Table) -> pa.Schema:
    repeated = repeated_columns(table)
    return pa.schema([(n, _REPEATED if n in repeated else _ARROW[kind]) for n, kind in COLUMNS[table].items()])


SCHEMAS = {table: _schema(table) for table in Table}
"""What is handed to the Parquet writer; who reads the files sees plain strings."""


@dataclass(frozen=True)
class Chunk:
    """Some consecutive work orders of one file.

    :param source: the file's name, for the column ``source_file``.
    :param numbers: the line of each record.
    :param reader: knows the unknown keys of the records, and reads the texts in them.
    """

    source: str
    records: Sequence[WorkOrder]
    numbers: array[int]
    reader: RecordReader


def tables_of(chunk: Chunk) -> dict[Table, pa.Table]:
    """The rows of a chunk, in the order of its lines and of the arrays in them.

    :raises Broken: when something in a record that was read with others cannot become a row.
    """
    orders = _Level(chunk, chunk.records, "work_order_id")
    items = orders.below([row.work_items or () for row in orders.rows], "work_item_id")
    inputs = items.below([row.input or () for row in items.rows], "input_id")
    checks = inputs.below([row.data_conformity or () for row in inputs.rows])
    jobs = inputs.below([row.job_conformity or () for row in inputs.rows])
    given = {
        Table.WORK_ORDERS: _work_orders(orders),
        Table.WORK_ITEMS: _work_items(items),
        Table.INPUTS: _inputs(inputs),
        Table.DATA_CONFORMITY: _data_conformity(checks),
        Table.JOB_CONFORMITY: _job_conformity(jobs),
    }
    return {table: _table(table, columns) for table, columns in given.items()}


def _table(table: Table, columns: dict[str, pa.Array]) -> pa.Table:
    schema = SCHEMAS[table]
    return pa.Table.from_arrays([_as(columns[field.name], field.type) for field in schema], schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.dictionary_decode()


class _Level:
    """All rows of one depth, each with the index of the row above it.

    :param id_column: what the children of these rows call them; empty for rows that have neither id nor children.
    :param parents: for each row its place among the rows of ``above``.
    :param starts: for each row of ``above`` the place of its first child.
    """

    def __init__(
        self,
        chunk: Chunk,
        rows: Sequence[Any],
        id_column: str,
        above: _Level | None = None,
        parents: pa.Array = None,
        starts: pa.Array = None,
    ) -> None:
        self.rows = rows
        self.chunk = chunk
        self._starts = starts
        self._parents = parents
        self.lines: pa.Array = _integers(chunk.numbers) if above is None else above.lines.take(parents)
        self._lineage = {} if above is None else {n: repeated(ids, parents) for n, ids in above.known_as.items()}
        self._own = {id_column: _strings([row.id for row in rows])} if id_column else {}

    def below(self, lists: Sequence[Sequence[Any]], id_column: str = "") -> _Level:
        """The rows of the next depth.

        :param lists: for each of these rows those below it.
        """
        starts = pc.cumulative_sum(pa.array([0, *map(len, lists)], pa.int64()))
        rows = list(chain.from_iterable(lists))
        parents = pc.list_parent_indices(pa.LargeListArray.from_arrays(starts, pa.nulls(len(rows))))
        return _Level(self.chunk, rows, id_column, self, parents, starts)

    @cached_property
    def known_as(self) -> dict[str, pa.DictionaryArray]:
        """The ids of the rows above and of these rows, ready to be repeated for the rows below."""
        return {**self._lineage, **{name: ids.dictionary_encode() for name, ids in self._own.items()}}

    def columns(self) -> dict[str, pa.Array]:
        """What every table has: ids, place in the parent's array, file and line."""
        count = len(self.rows)
        placed = {} if self._parents is None else {"position": self._position()}
        return {
            **self._lineage,
            **self._own,
            **placed,
            "source_file": repeated(pa.array([self.chunk.source]), pa.repeat(pa.scalar(0, pa.int32()), count)),
            "source_line": self.lines,
        }

    def _position(self) -> pa.Array:
        places = pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), len(self.rows)), start=-1)
        return pc.subtract(places, self._starts.take(self._parents))


def _extra(chunk: Chunk, rows: Sequence[Any]) -> dict[str, pa.Array]:
    """The unknown keys of some records."""
    extras = chunk.reader.extras
    return {"extra": _strings([extras.get(id(row)) for row in rows]) if extras else pa.nulls(len(rows), pa.string())}


def _work_orders(level: _Level) -> dict[str, pa.Array]:
    return {
        **level.columns(),
        **_extra(level.chunk, level.rows),
        "name": _strings([row.name for row in level.rows]),
        "site_id": _coded([row.site_id for row in level.rows]),
        "create_date": _moments([row.create_date for row in level.rows]),
        "update_date": _moments([row.update_date for row in level.rows]),
        "progress_score": pa.array([row.progress_score for row in level.rows], pa.float64()),
        "metadata": _present(_texts([row.metadata for row in level.rows])),
    }


def _work_items(level: _Level) -> dict[str, pa.Array]:
    extra = _extra(level.chunk, level.rows)
    return {**level.columns(), **extra, "task_group": _coded([row.name for row in level.rows])}


def _inputs(level: _Level) -> dict[str, pa.Array]:
    return {
        **level.columns(),
        **_extra(level.chunk, level.rows),
        "file_extension": _changed(_coded([row.file_extension for row in level.rows]), file_extension),
        "metadata": _present(_texts([row.metadata for row in level.rows])),
    }


def _data_conformity(level: _Level) -> dict[str, pa.Array]:
    checks, at = _distinct(level, DataConformity)
    level_text = _coded([row.level for row in checks])
    columns = {
        "check": _coded([row.check for row in checks]),
        "code": _coded([row.code for row in checks]),
        "level": _changed(level_text, str.lower),
        "level_text": level_text,
        **_extra(level.chunk, checks),
    }
    return {**level.columns(), **{name: column.take(at) for name, column in columns.items()}}


def _job_conformity(level: _Level) -> dict[str, pa.Array]:
    jobs, at = _distinct(level, JobConformity)
    columns = {
        "task_name": _coded([row.task_name for row in jobs]),
        **_values(jobs),
        "corrected_date": _moments([row.corrected_date for row in jobs]),
        "message": _coded([row.message for row in jobs]),
        "is_conformity_validated": pa.array([row.is_conformity_validated for row in jobs], pa.bool_()),
        **_extra(level.chunk, jobs),
    }
    return {**level.columns(), **{name: column.take(at) for name, column in columns.items()}}


def _distinct(level: _Level, kind: type[_S]) -> tuple[list[_S], pa.Array]:
    """What rows of JSON text say, each distinct text once, and the place of each row among those."""
    texts = _texts(level.rows).dictionary_encode()
    return level.chunk.reader.parts(kind, texts.dictionary.to_pylist()), texts.indices


def _values(jobs: Sequence[JobConformity]) -> dict[str, pa.Array]:
    """Text and typed forms of the values; each distinct text is read once."""
    texts = _texts([row.analyzed_value for row in jobs] + [row.corrected_value for row in jobs]).dictionary_encode()
    distinct = _present(texts.dictionary)
    codes = pc.if_else(distinct.is_valid().take(texts.indices), texts.indices, pa.scalar(None, pa.int32()))
    count = len(jobs)
    analyzed, corrected = codes.slice(0, count), codes.slice(count)
    columns: dict[str, pa.Array] = {}
    read = [None if text is None else scalar(text) for text in distinct.to_pylist()]
    numbers = pa.array([value if type(value) is float else None for value in read], pa.float64())
    flags = pa.array([value if type(value) is bool else None for value in read], pa.bool_())
    strings = _coded([value if type(value) is str else None for value in read])
    coded = distinct.dictionary_encode()
    for name, at in (("analyzed", analyzed), ("corrected", corrected), ("effective", pc.coalesce(corrected, analyzed))):
        columns[f"{name}_text"] = repeated(coded, at)
        columns[f"{name}_string"] = repeated(strings, at)
        columns[f"{name}_number"] = numbers.take(at)
        columns[f"{name}_bool"] = flags.take(at)
    return columns


def repeated(values: pa.Array, at: pa.Array) -> pa.DictionaryArray:
    """The values at some places, each distinct one kept once.

    Distinct matters: Parquet's writer takes the dictionary as it is and may not meet a value twice.
    """
    coded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(at), coded.dictionary)


def _coded(values: Sequence[str | None]) -> pa.DictionaryArray:
    """Texts that stand in many rows."""
    return _strings(values).dictionary_encode()


def _changed(coded: pa.DictionaryArray, change: Callable[[str], str]) -> pa.DictionaryArray:
    """Texts that stand in many rows, each distinct one changed once."""
    return repeated(_strings([change(text) for text in coded.dictionary.to_pylist()]), coded.indices)


def _texts(values: Sequence[Any]) -> pa.Array:
    """JSON texts in one piece of memory; none of them holds a line feed, because a record is one line."""
    return pc.split_pattern(pa.array([b"\n".join(values)], pa.string()), "\n").values if values else _strings([])


def _present(texts: pa.Array) -> pa.Array:
    """Without those that are absent or null."""
    return pc.if_else(pc.is_in(texts, value_set=pa.array(["", "null"])), pa.scalar(None, pa.string()), texts)


def _strings(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def _moments(values: Sequence[datetime | None]) -> pa.Array:
    return pa.array(values, _ARROW[Kind.MOMENT])


def _integers(values: array[int]) -> pa.Array:
    """An Arrow array over the memory of 64-bit integers."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])
