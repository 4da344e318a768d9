"""The five Parquet files of an export: written chunk by chunk in a second thread, then cleared of older versions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visionbatch.config import MIB
from visionbatch.deepomatic.export_schema import COLUMNS, Kind, Table
from visionbatch.pipelines.export_columns import SCHEMAS, repeated_columns
from visionbatch.pipelines.export_versions import Dated

_DICTIONARY_BYTES = 64 * MIB
"""Larger than the distinct texts of a row group, so that none is written out for every row."""

_BEHIND = 3
"""Chunks that may wait to be written. Row groups of several tables can fall due with one chunk, and with room for one
alone the reader waited for them a sixth of its time. Each chunk takes some 4 MiB."""

GROUP_BYTES = 8 * MIB
"""Least size of a row group in Arrow's memory. Each costs a kilobyte per column until the file is closed, so that many
small ones would make the memory grow with the export."""


class TableFiles:
    """One file for each table in a folder.

    Writing runs in one other thread and a few chunks behind, for Arrow compresses without holding up the interpreter.
    The bytes depend on the chunks alone.

    :param folder: private to this object.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[Table, list[tuple[int, pa.Table]]] = {table: [] for table in Table}
        self._groups: dict[Table, list[list[tuple[int, int]]]] = {table: [] for table in Table}
        self._held_bytes = dict.fromkeys(Table, 0)
        self.rows = dict.fromkeys(Table, 0)
        self._open = ExitStack()
        self._writers = {table: self._open.enter_context(_writer(table, self.path(table))) for table in Table}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export-tables")
        self._pending: deque[Future[None]] = deque()
        self._chunks = 0

    def path(self, table: Table) -> Path:
        """Where the file of a table lies."""
        return self._folder / table.file_name

    def write(self, tables: Mapping[Table, pa.Table]) -> None:
        """Hand the next chunk to the writing thread, once that is not too far behind."""
        self._settle(_BEHIND - 1)
        self._pending.append(self._thread.submit(self._write, self._chunks, tables))
        self._chunks += 1

    def finish(self) -> None:
        """Write what is held and the ends of the files."""
        self._settle(0)
        for table in Table:
            self._write_group(table)
        self._open.close()

    def work_orders(self) -> Iterator[Dated]:
        """What is told of the versions of work orders, chunk by chunk, after `finish`."""
        columns = ["work_order_id", "update_date", "source_line"]
        with pq.ParquetFile(self.path(Table.WORK_ORDERS)) as file:
            for number, group in enumerate(self._groups[Table.WORK_ORDERS]):
                rows = file.read_row_group(number, columns, use_threads=False)
                for chunk, part in _parts(rows, group):
                    ids, updated, lines = part.columns
                    yield Dated(chunk, ids.to_pylist(), updated.cast(pa.int64()).to_pylist(), lines.to_pylist())

    def drop(self, superseded: Callable[[int], list[int]]) -> None:
        """Leave out the rows of some lines, after `finish`.

        :param superseded: the lines of a chunk that do not count.
        """
        for table in Table:
            path = self.path(table)
            kept = path.with_suffix(".kept")
            with pq.ParquetFile(path, read_dictionary=repeated_columns(table)) as old, _writer(table, kept) as new:
                self.rows[table] = sum(
                    # One thread, for several hold several columns in memory, and win nothing beside the writing.
                    _copy(old.read_row_group(number, use_threads=False), new, group, superseded)
                    for number, group in enumerate(self._groups[table])
                )
            kept.replace(path)

    def close(self) -> None:
        """End the thread and let go of the files, whatever happened."""
        self._thread.shutdown(cancel_futures=True)
        self._open.close()

    def _settle(self, left: int) -> None:
        """Wait until no more chunks than some are left to write."""
        while len(self._pending) > left:
            self._pending.popleft().result()

    def _write(self, chunk: int, tables: Mapping[Table, pa.Table]) -> None:
        for table, found in tables.items():
            if not found.num_rows:
                continue
            self._held[table].append((chunk, found))
            self._held_bytes[table] += found.nbytes
            if self._held_bytes[table] >= GROUP_BYTES:
                self._write_group(table)

    def _write_group(self, table: Table) -> None:
        held, self._held[table], self._held_bytes[table] = self._held[table], [], 0
        rows = pa.concat_tables([part for _, part in held]) if held else SCHEMAS[table].empty_table()
        if rows.num_rows:
            self._writers[table].write_table(rows.unify_dictionaries(), row_group_size=rows.num_rows)
            self._groups[table].append([(chunk, part.num_rows) for chunk, part in held])
            self.rows[table] += rows.num_rows


def _writer(table: Table, path: Path) -> Any:
    return pq.ParquetWriter(
        path,
        SCHEMAS[table],
        compression="zstd",
        compression_level=1,
        use_dictionary=repeated_columns(table),
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        # The least and greatest of random ids tell nobody which row group to skip, and cost a fifth of the writing.
        write_statistics=[name for name, kind in COLUMNS[table].items() if kind in (Kind.MOMENT, Kind.INTEGER)],
        # Whoever reads sees plain strings, and not how they were held here.
        store_schema=False,
    )


def _copy(rows: pa.Table, writer: Any, group: Sequence[tuple[int, int]], superseded: Callable[[int], list[int]]) -> int:
    """Write a row group without the lines that do not count; gives the number of rows that do."""
    counted = pa.concat_tables([_without(part, superseded(chunk)) for chunk, part in _parts(rows, group)])
    if counted.num_rows:
        writer.write_table(counted.cast(writer.schema).unify_dictionaries(), row_group_size=counted.num_rows)
    return int(counted.num_rows)


def _parts(rows: pa.Table, group: Sequence[tuple[int, int]]) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each chunk in a row group."""
    start = 0
    for chunk, count in group:
        yield chunk, rows.slice(start, count)
        start += count


def _without(rows: pa.Table, left_out: list[int]) -> pa.Table:
    if not left_out:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["source_line"], value_set=pa.array(left_out, pa.int64()))))
