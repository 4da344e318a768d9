"""One chunk of lines in, its rows and its broken lines out. Needs the extra ``parquet``.

Chunks have nothing to do with each other, so that this is the part of the reading that several processes can share.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import pyarrow as pa

from visionbatch.config import MIB
from visionbatch.deepomatic.export_records import Broken, RecordReader, WorkOrder
from visionbatch.deepomatic.export_schema import Table
from visionbatch.io.jsonl import Block, Line, blocks, lines
from visionbatch.pipelines.export_columns import Chunk, tables_of
from visionbatch.pipelines.export_settings import TableSettings
from visionbatch.pipelines.quarantine import Refused

CHUNK_BYTES = 4 * MIB
"""Bytes of lines whose records are in memory at once, unless a single line is longer."""


@dataclass(frozen=True)
class Portion:
    """What a chunk of lines holds.

    :param records: number of lines that became rows.
    :param broken: the other lines that are not blank, in their order.
    """

    records: int
    tables: dict[Table, pa.Table]
    broken: list[Refused]


def chunks(stream: BinaryIO, limit: int) -> Iterator[list[Block]]:
    """A stream as chunks of consecutive lines.

    :param limit: bytes of the longest line that is needed whole.
    :raises SourceUnreadable: when reading or unpacking fails.
    """
    found: list[Block] = []
    size = 0
    for block in blocks(stream, limit):
        if size + len(block.content) > CHUNK_BYTES and found:
            yield found
            found, size = [], 0
        found.append(block)
        size += len(block.content)
    yield found


@dataclass
class _Records:
    """The records of some lines, the line of each, and lines that are none."""

    found: list[WorkOrder] = field(default_factory=list)
    numbers: array[int] = field(default_factory=lambda: array("q"))
    broken: list[Refused] = field(default_factory=list)


class ChunkReader:
    """Reads one chunk after the other and keeps nothing of them."""

    def __init__(self, settings: TableSettings) -> None:
        self._limit = settings.max_line_bytes
        self._reader = RecordReader(assume_utc=settings.assume_utc)

    def read(self, source: str, chunk: Sequence[Block]) -> Portion:
        """The rows of a chunk.

        :param source: what the file is called in the tables.
        """
        try:
            try:
                return self._portion(source, self._records(chunk))
            except Broken:
                # Something deep in one of the records, which only shows when all of them become columns.
                return self._portion(source, self._one_by_one(chunk))
        finally:
            self._reader.extras.clear()

    def _portion(self, source: str, records: _Records) -> Portion:
        tables = tables_of(Chunk(source, records.found, records.numbers, self._reader))
        return Portion(len(records.found), tables, records.broken)

    def _records(self, chunk: Iterable[Block]) -> _Records:
        """Read each block at once if nothing is special about it."""
        records = _Records()
        for block in chunk:
            many = None
            if len(block.content) <= self._limit:
                many = self._reader.read_many(block.content, block.lines)
            if many is None:
                self._add_lines(block, records)
            else:
                records.found += many
                records.numbers.extend(range(block.number, block.number + len(many)))
        return records

    def _one_by_one(self, chunk: Iterable[Block]) -> _Records:
        self._reader.extras.clear()
        records = _Records()
        for block in chunk:
            self._add_lines(block, records)
        return records

    def _add_lines(self, block: Block, records: _Records) -> None:
        for line in lines(block, self._limit):
            try:
                records.found.append(self._record(line))
                records.numbers.append(line.number)
            except Broken as error:
                records.broken.append(Refused.of(line.number, error.rule, error.reason, line.content))

    def _record(self, line: Line) -> WorkOrder:
        if not line.whole:
            raise Broken("line-too-long", f"the line is longer than {self._limit} bytes")
        return self._reader.read(line.content)
