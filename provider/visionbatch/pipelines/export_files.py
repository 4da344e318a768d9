"""The five Parquet files of an export: written chunk by chunk in a second thread, then cleared of older versions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visionbatch.deepomatic.export_schema import Table
from visionbatch.pipelines.export_columns import SCHEMAS, repeated_columns

_DICTIONARY_BYTES = 64 << 20
"""Larger than the texts of any chunk, so that none is written out for every row."""


class TableFiles:
    """One file for each table in a folder; every chunk of work orders is a row group of its own.

    Writing runs in one other thread and at most one chunk behind, for Arrow compresses without holding up the
    interpreter. The bytes depend on the chunks alone.

    :param folder: private to this object.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks = {table: array("q") for table in Table}
        self.rows = dict.fromkeys(Table, 0)
        self._open = ExitStack()
        self._writers = {table: self._open.enter_context(_writer(table, self.path(table))) for table in Table}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export-tables")
        self._pending: Future[None] | None = None

    def path(self, table: Table) -> Path:
        """Where the file of a table lies."""
        return self._folder / table.file_name

    def write(self, chunk: int, tables: Mapping[Table, pa.Table]) -> None:
        """Hand a chunk to the writing thread, once it has the one before on the disk."""
        self._settle()
        self._pending = self._thread.submit(self._write, chunk, tables)

    def finish(self) -> None:
        """Write the ends of the files."""
        self._settle()
        self._open.close()

    def drop(self, superseded: Callable[[int], list[int]]) -> None:
        """Leave out the rows of some lines, after `finish`.

        :param superseded: the lines of a chunk that do not count.
        """
        for table in Table:
            path = self.path(table)
            kept = path.with_suffix(".kept")
            with pq.ParquetFile(path) as old, _writer(table, kept) as new:
                self.rows[table] = sum(
                    _copy(old.read_row_group(group), new, superseded(chunk))
                    for group, chunk in enumerate(self._chunks[table])
                )
            kept.replace(path)

    def close(self) -> None:
        """End the thread and let go of the files, whatever happened."""
        self._thread.shutdown()
        self._open.close()

    def _settle(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _write(self, chunk: int, tables: Mapping[Table, pa.Table]) -> None:
        for table, found in tables.items():
            if found.num_rows:
                self._writers[table].write_table(found, row_group_size=found.num_rows)
                self._chunks[table].append(chunk)
                self.rows[table] += found.num_rows


def _writer(table: Table, path: Path) -> Any:
    return pq.ParquetWriter(
        path,
        SCHEMAS[table],
        compression="zstd",
        compression_level=1,
        use_dictionary=repeated_columns(table),
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        # Whoever reads sees plain strings, and not how they were held here.
        store_schema=False,
    )


def _copy(rows: pa.Table, writer: Any, left_out: list[int]) -> int:
    if left_out:
        rows = rows.filter(pc.invert(pc.is_in(rows["source_line"], value_set=pa.array(left_out, pa.int64()))))
    if rows.num_rows:
        writer.write_table(rows.cast(writer.schema), row_group_size=rows.num_rows)
    return int(rows.num_rows)
