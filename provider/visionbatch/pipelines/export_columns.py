"""Records of a data export as columns: one chunk of work orders in, one Arrow table for each of the five out.

Nothing here is done row by row that Arrow can do for a column. A text that stands in many rows (the ids of what lies
above, names, codes, values) is kept once with an index for each row, which is also how Parquet stores it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visionbatch.deepomatic.export_records import RecordReader, WorkOrder, file_extension, scalar
from visionbatch.deepomatic.export_schema import COLUMNS, Kind, Table

_ONCE = {"metadata", "extra", "name"}
_OWN_ID = {Table.WORK_ORDERS: "work_order_id", Table.WORK_ITEMS: "work_item_id", Table.INPUTS: "input_id"}
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
    once = {*_ONCE, _OWN_ID.get(table)}
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
    :param reader: where the unknown keys of the records lie.
    """

    source: str
    records: Sequence[WorkOrder]
    numbers: array[int]
    reader: RecordReader


def tables_of(chunk: Chunk) -> dict[Table, pa.Table]:
    """The rows of a chunk, in the order of its lines and of the arrays in them."""
    orders = _Level(chunk, chunk.records, "work_order_id")
    items = orders.below("work_items", "work_item_id")
    inputs = items.below("input", "input_id")
    given = {
        Table.WORK_ORDERS: _work_orders(orders),
        Table.WORK_ITEMS: _work_items(items),
        Table.INPUTS: _inputs(inputs),
        Table.DATA_CONFORMITY: _data_conformity(inputs.below("data_conformity")),
        Table.JOB_CONFORMITY: _job_conformity(inputs.below("job_conformity")),
    }
    return {table: _table(table, columns) for table, columns in given.items()}


def _table(table: Table, columns: dict[str, pa.Array]) -> pa.Table:
    return pa.Table.from_arrays([columns[name] for name in COLUMNS[table]], schema=SCHEMAS[table])


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
        self._chunk = chunk
        self._starts = starts
        self._parents = parents
        self.lines: pa.Array = _integers(chunk.numbers) if above is None else above.lines.take(parents)
        self._lineage = {} if above is None else {n: repeated(ids, parents) for n, ids in above.known_as.items()}
        self._own = {id_column: _strings(self.each("id"))} if id_column else {}

    def below(self, name: str, id_column: str = "") -> _Level:
        """The members of one array of each row; one that is null has none."""
        lists = [found or () for found in self.each(name)]
        starts = _integers(array("q", accumulate(map(len, lists), initial=0)))
        rows = list(chain.from_iterable(lists))
        parents = pc.list_parent_indices(pa.LargeListArray.from_arrays(starts, pa.nulls(len(rows))))
        return _Level(self._chunk, rows, id_column, self, parents, starts)

    def each(self, name: str) -> Iterable[Any]:
        """One field of each row."""
        return map(attrgetter(name), self.rows)

    @cached_property
    def known_as(self) -> dict[str, pa.DictionaryArray]:
        """The ids of the rows above and of these rows, ready to be repeated for the rows below."""
        return {**self._lineage, **{name: ids.dictionary_encode() for name, ids in self._own.items()}}

    def columns(self) -> dict[str, pa.Array]:
        """What every table has: ids, place in the parent's array, unknown keys, file and line."""
        count = len(self.rows)
        placed = {} if self._parents is None else {"position": self._position()}
        return {
            **self._lineage,
            **self._own,
            **placed,
            "extra": self._extra(),
            "source_file": repeated(pa.array([self._chunk.source]), pa.nulls(count, pa.int8()).fill_null(0)),
            "source_line": self.lines,
        }

    def _position(self) -> pa.Array:
        return pc.subtract(_integers(array("q", range(len(self.rows)))), self._starts.take(self._parents))

    def _extra(self) -> pa.Array:
        extras = self._chunk.reader.extras
        return _strings(extras.get(id(row)) for row in self.rows) if extras else pa.nulls(len(self.rows), pa.string())


def _work_orders(level: _Level) -> dict[str, pa.Array]:
    return {
        **level.columns(),
        "name": _strings(level.each("name")),
        "site_id": _coded(level.each("site_id")),
        "create_date": _moments(level.each("create_date")),
        "update_date": _moments(level.each("update_date")),
        "progress_score": pa.array(list(level.each("progress_score")), pa.float64()),
        "metadata": _present(_texts(level.each("metadata"))),
    }


def _work_items(level: _Level) -> dict[str, pa.Array]:
    return {**level.columns(), "task_group": _coded(level.each("name"))}


def _inputs(level: _Level) -> dict[str, pa.Array]:
    return {
        **level.columns(),
        "file_extension": _changed(_coded(level.each("file_extension")), file_extension),
        "metadata": _present(_texts(level.each("metadata"))),
    }


def _data_conformity(level: _Level) -> dict[str, pa.Array]:
    level_text = _coded(level.each("level"))
    return {
        **level.columns(),
        "check": _coded(level.each("check")),
        "code": _coded(level.each("code")),
        "level": _changed(level_text, str.lower),
        "level_text": level_text,
    }


def _job_conformity(level: _Level) -> dict[str, pa.Array]:
    return {
        **level.columns(),
        "task_name": _coded(level.each("task_name")),
        **_values(level),
        "corrected_date": _moments(level.each("corrected_date")),
        "message": _coded(level.each("message")),
        "is_conformity_validated": pa.array(list(level.each("is_conformity_validated")), pa.bool_()),
    }


def _values(level: _Level) -> dict[str, pa.Array]:
    """Text and typed forms of the values; each distinct text is read once."""
    texts = _texts(chain(level.each("analyzed_value"), level.each("corrected_value"))).dictionary_encode()
    distinct = _present(texts.dictionary)
    codes = pc.if_else(distinct.is_valid().take(texts.indices), texts.indices, pa.scalar(None, pa.int32()))
    count = len(level.rows)
    analyzed, corrected = codes.slice(0, count), codes.slice(count)
    columns: dict[str, pa.Array] = {}
    read = [None if text is None else scalar(text) for text in distinct.to_pylist()]
    numbers = pa.array([value if type(value) is float else None for value in read], pa.float64())
    flags = pa.array([value if type(value) is bool else None for value in read], pa.bool_())
    strings = _strings(value if type(value) is str else None for value in read)
    for name, at in (("analyzed", analyzed), ("corrected", corrected), ("effective", pc.coalesce(corrected, analyzed))):
        columns[f"{name}_text"] = repeated(distinct, at)
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


def _coded(values: Iterable[str | None]) -> pa.DictionaryArray:
    """Texts that stand in many rows."""
    return _strings(values).dictionary_encode()


def _changed(coded: pa.DictionaryArray, change: Callable[[str], str]) -> pa.DictionaryArray:
    """Texts that stand in many rows, each distinct one changed once."""
    return repeated(_strings(map(change, coded.dictionary.to_pylist())), coded.indices)


def _texts(values: Iterable[Any]) -> pa.Array:
    """JSON texts in one piece of memory; none of them holds a line feed, because a record is one line."""
    held = list(values)
    if not held:
        return pa.nulls(0, pa.string())
    joined = b"\n".join(held).decode()
    return pc.split_pattern(pa.array([joined], pa.string()), "\n").values


def _present(texts: pa.Array) -> pa.Array:
    """Without those that are absent or null."""
    return pc.if_else(pc.is_in(texts, value_set=pa.array(["", "null"])), pa.scalar(None, pa.string()), texts)


def _strings(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _moments(values: Iterable[Any]) -> pa.Array:
    return pa.array(list(values), _ARROW[Kind.MOMENT])


def _integers(values: array[int]) -> pa.Array:
    """An Arrow array over the memory of 64-bit integers."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])
