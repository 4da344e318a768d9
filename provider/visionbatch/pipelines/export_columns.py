"""Records of a data export as columns: the cells of some work orders in, one Arrow table for each of the five out.

Nothing here is done row by row that Arrow can do for a column. A text that stands in many rows (the ids of what lies
above, names, codes, values) is kept once with an index for each row, which is also how Parquet stores it. Of the two
kinds of conformity whole objects repeat, so each distinct one is read once and its columns are repeated.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from visionbatch.deepomatic.export_records import (
    DataConformity,
    JobConformity,
    RecordReader,
    file_extension,
    scalar,
)
from visionbatch.deepomatic.export_schema import COLUMNS, Kind, Table
from visionbatch.pipelines.export_cells import Cells, Rows, Texts

_S = TypeVar("_S", bound=DataConformity | JobConformity)
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


def tables_of(source: str, cells: Cells, reader: RecordReader) -> dict[Table, pa.Table]:
    """The rows of some records, in the order of their cells.

    :param source: the file's name, for the column ``source_file``.
    :param reader: reads the texts of what lies below inputs.
    :raises Broken: when such a text cannot become a row.
    :raises pyarrow.ArrowInvalid: when a text is not UTF-8.
    """
    found = cells.tables
    orders = _Level(source, found[Table.WORK_ORDERS], _integers(cells.lines, pa.int64()), "work_order_id")
    items = orders.below(found[Table.WORK_ITEMS], "work_item_id")
    inputs = items.below(found[Table.INPUTS], "input_id")
    given = {
        Table.WORK_ORDERS: _work_orders(orders),
        Table.WORK_ITEMS: _work_items(items),
        Table.INPUTS: _inputs(inputs),
        Table.DATA_CONFORMITY: _data_conformity(inputs.below(found[Table.DATA_CONFORMITY]), reader),
        Table.JOB_CONFORMITY: _job_conformity(inputs.below(found[Table.JOB_CONFORMITY]), reader),
    }
    return {table: _table(table, columns) for table, columns in given.items()}


def _table(table: Table, columns: dict[str, pa.Array]) -> pa.Table:
    schema = SCHEMAS[table]
    return pa.Table.from_arrays([_as(columns[field.name], field.type) for field in schema], schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.dictionary_decode()


class _Level:
    """All rows of one depth, each with the index of the row above it.

    :param rows: their cells.
    :param lines: the line of each row.
    :param id_column: what the children of these rows call them; empty for rows that have neither id nor children.
    :param parents: for each row its place among the rows of ``above``.
    :param starts: for each row of ``above`` the place of its first child.
    """

    def __init__(
        self,
        source: str,
        rows: Rows,
        lines: pa.Array,
        id_column: str,
        above: _Level | None = None,
        parents: pa.Array = None,
        starts: pa.Array = None,
    ) -> None:
        self.rows = rows
        self.cells = rows.cells
        self._source = source
        self._lines = lines
        self._starts = starts
        self._parents = parents
        self._lineage = {} if above is None else {n: repeated(ids, parents) for n, ids in above.known_as.items()}
        self._own = {id_column: _strings(rows.cells["id"])} if id_column else {}

    def below(self, rows: Rows, id_column: str = "") -> _Level:
        """The rows of the next depth."""
        starts = pc.cumulative_sum(pa.array([0, *rows.counts], pa.int64()))
        parents = pc.list_parent_indices(pa.LargeListArray.from_arrays(starts, pa.nulls(rows.count)))
        return _Level(self._source, rows, self._lines.take(parents), id_column, self, parents, starts)

    @cached_property
    def known_as(self) -> dict[str, pa.DictionaryArray]:
        """The ids of the rows above and of these rows, ready to be repeated for the rows below."""
        return {**self._lineage, **{name: ids.dictionary_encode() for name, ids in self._own.items()}}

    def columns(self) -> dict[str, pa.Array]:
        """What every table has: ids, place in the parent's array, unknown keys, file and line."""
        count = self.rows.count
        placed = {} if self._parents is None else {"position": self._position()}
        return {
            **self._lineage,
            **self._own,
            **placed,
            "extra": _sparse(self.rows.extra, count),
            "source_file": repeated(pa.array([self._source]), pa.repeat(pa.scalar(0, pa.int32()), count)),
            "source_line": self._lines,
        }

    def _position(self) -> pa.Array:
        places = pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), self.rows.count), start=-1)
        return pc.subtract(places, self._starts.take(self._parents))


def _work_orders(level: _Level) -> dict[str, pa.Array]:
    cells = level.cells
    return {
        **level.columns(),
        "name": _strings(cells["name"]),
        "site_id": _coded(cells["site_id"]),
        "create_date": _moments(cells["create_date"]),
        "update_date": _moments(cells["update_date"]),
        "progress_score": pa.array(cells["progress_score"], pa.float64()),
        "metadata": _present(_texts(level.rows.texts)),
    }


def _work_items(level: _Level) -> dict[str, pa.Array]:
    return {**level.columns(), "task_group": _coded(level.cells["name"])}


def _inputs(level: _Level) -> dict[str, pa.Array]:
    return {
        **level.columns(),
        "file_extension": _changed(_coded(level.cells["file_extension"]), file_extension),
        "metadata": _present(_texts(level.rows.texts)),
    }


def _data_conformity(level: _Level, reader: RecordReader) -> dict[str, pa.Array]:
    checks, extras, at = _distinct(level, reader, DataConformity)
    level_text = _coded([row.level for row in checks])
    columns = {
        "check": _coded([row.check for row in checks]),
        "code": _coded([row.code for row in checks]),
        "level": _changed(level_text, str.lower),
        "level_text": level_text,
        "extra": _strings(extras),
    }
    return {**level.columns(), **{name: column.take(at) for name, column in columns.items()}}


def _job_conformity(level: _Level, reader: RecordReader) -> dict[str, pa.Array]:
    jobs, extras, at = _distinct(level, reader, JobConformity)
    columns = {
        "task_name": _coded([row.task_name for row in jobs]),
        **_values(jobs),
        "corrected_date": _moments([row.corrected_date for row in jobs]),
        "message": _coded([row.message for row in jobs]),
        "is_conformity_validated": pa.array([row.is_conformity_validated for row in jobs], pa.bool_()),
        "extra": _strings(extras),
    }
    return {**level.columns(), **{name: column.take(at) for name, column in columns.items()}}


def _distinct(level: _Level, reader: RecordReader, kind: type[_S]) -> tuple[list[_S], list[str | None], pa.Array]:
    """What rows of JSON text say, each distinct text once; unknown keys of each; where each row stands among those."""
    texts = _texts(level.rows.texts).dictionary_encode()
    return *reader.parts(kind, texts.dictionary.to_pylist()), texts.indices


def _values(jobs: Sequence[JobConformity]) -> dict[str, pa.Array]:
    """Text and typed forms of the values; each distinct text is read once."""
    given = Texts()
    given.add([row.analyzed_value for row in jobs])
    given.add([row.corrected_value for row in jobs])
    texts = _texts(given).dictionary_encode()
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


def _texts(texts: Texts) -> pa.Array:
    """An Arrow array of texts, known to be UTF-8."""
    lengths = _integers(texts.lengths, pa.int32())
    buffers = [None, pc.cumulative_sum(lengths).buffers()[1], pa.py_buffer(b"".join(texts.pieces))]
    found = pa.Array.from_buffers(pa.string(), len(lengths) - 1, buffers)
    found.validate(full=True)
    return found


def _present(texts: pa.Array) -> pa.Array:
    """Without those that are absent or null."""
    return pc.if_else(pc.is_in(texts, value_set=pa.array(["", "null"])), pa.scalar(None, pa.string()), texts)


def _sparse(texts: Mapping[int, str], count: int) -> pa.Array:
    """Texts of a few rows, by their places."""
    return _strings([texts.get(place) for place in range(count)]) if texts else pa.nulls(count, pa.string())


def _strings(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def _moments(values: Sequence[datetime | None]) -> pa.Array:
    return pa.array(values, _ARROW[Kind.MOMENT])


def _integers(values: array[int], kind: pa.DataType) -> pa.Array:
    """An Arrow array over the memory of integers."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
