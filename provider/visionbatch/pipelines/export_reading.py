"""The reading of an export: lines to records, records to chunks, chunks to files. Needs the extra ``parquet``."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from visionbatch.config import MIB
from visionbatch.deepomatic.export_records import Broken, RecordReader, WorkOrder
from visionbatch.deepomatic.export_schema import Table
from visionbatch.errors import BrokenLine
from visionbatch.io.jsonl import Block, Line, blocks, lines, opened
from visionbatch.model.policy import OnBrokenLine
from visionbatch.model.text import printable
from visionbatch.pipelines.export_columns import Chunk, tables_of
from visionbatch.pipelines.export_files import TableFiles
from visionbatch.pipelines.export_settings import ExportSource, TableSettings
from visionbatch.pipelines.export_versions import Versions
from visionbatch.pipelines.quarantine import FILE_NAME, Quarantine

CHUNK_BYTES = 4 * MIB
"""Bytes of lines whose records are in memory at once, unless a single line is longer."""


class Reading:
    """One pass over the files of an export.

    :param scratch: an empty folder, where the results are left under their final names.
    """

    def __init__(self, scratch: Path, settings: TableSettings) -> None:
        self._settings = settings
        self._reader = RecordReader(assume_utc=settings.assume_utc)
        self._files = TableFiles(scratch)
        self._versions = Versions(scratch / "versions.sqlite")
        self._quarantine = Quarantine(scratch / FILE_NAME)
        self._chunks = 0
        self.inputs: list[dict[str, Any]] = []
        self.superseded = 0

    @property
    def rows(self) -> dict[Table, int]:
        """Rows of each table."""
        return self._files.rows

    @property
    def quarantined(self) -> int:
        """Broken lines so far."""
        return self._quarantine.count

    def read(self, source: ExportSource) -> None:
        """Take in one file.

        :raises BrokenLine: when a line is broken and the policy is to fail.
        """
        before, found = self.quarantined, 0
        with opened(source.path) as stream:
            for count in self._counted(source, blocks(stream, self._settings.max_line_bytes)):
                found += count
        told = {"name": source.label, "fingerprint": source.fingerprint}
        self.inputs.append({**told, "lines": found + self.quarantined - before, "records": found})

    def finish(self) -> None:
        """Write the ends of the files and leave older versions out."""
        self._files.finish()
        self._quarantine.close()
        self.superseded = self._versions.decide()
        if self.superseded:
            self._files.drop(self._versions.superseded)

    def close(self) -> None:
        """Let go of the files, whatever happened."""
        self._files.close()
        self._versions.close()
        self._quarantine.close()

    def _counted(self, source: ExportSource, found: Iterator[Block]) -> Iterator[int]:
        """Take in blocks of lines chunk by chunk, giving the number of records of each."""
        records: list[WorkOrder] = []
        numbers, size = array("q"), 0
        for block in found:
            if size + len(block.content) > CHUNK_BYTES:
                yield self._take(Chunk(source.label, records, numbers, self._reader))
                # Gone before the next ones come, or there would be two chunks of them in memory.
                records.clear()
                numbers, size = array("q"), 0
            self._add(source, block, records, numbers)
            size += len(block.content)
        yield self._take(Chunk(source.label, records, numbers, self._reader))

    def _add(self, source: ExportSource, block: Block, records: list[WorkOrder], numbers: array[int]) -> None:
        """Read a block, at once if nothing is special about it."""
        limit = self._settings.max_line_bytes
        many = self._reader.read_many(block.content, block.lines) if len(block.content) <= limit else None
        if many is not None:
            records += many
            numbers.extend(range(block.number, block.number + len(many)))
            return
        for line in lines(block, limit):
            record = self._record(source, line)
            if record is not None:
                records.append(record)
                numbers.append(line.number)

    def _record(self, source: ExportSource, line: Line) -> WorkOrder | None:
        try:
            if line.whole:
                return self._reader.read(line.content)
            broken = Broken("line-too-long", f"the line is longer than {self._settings.max_line_bytes} bytes")
        except Broken as error:
            broken = error
        if self._settings.on_broken_line is OnBrokenLine.FAIL:
            what = f"line {line.number} of {source.label} is broken: {broken.reason} [{broken.rule}]"
            raise BrokenLine(printable(what)) from None
        self._quarantine.add(source.label, line.number, broken.rule, broken.reason, line.content)
        return None

    def _take(self, chunk: Chunk) -> int:
        tables = tables_of(chunk)
        self._reader.extras.clear()
        ids = [record.id for record in chunk.records]
        updated = tables[Table.WORK_ORDERS]["update_date"].cast(pa.int64()).to_pylist()
        self._versions.add(self._chunks, zip(ids, updated, chunk.numbers, strict=True))
        self._files.write(self._chunks, tables)
        self._chunks += 1
        return len(chunk.records)
