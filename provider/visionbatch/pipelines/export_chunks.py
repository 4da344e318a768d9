"""One chunk of lines in, its rows and its broken lines out. Needs the extra ``parquet``.

Chunks have nothing to do with each other, so that this is the part of the reading that several processes can share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, TypeAlias

import pyarrow as pa

from visionbatch.config import MIB
from visionbatch.deepomatic.export_records import Broken, RecordReader, WorkOrder
from visionbatch.deepomatic.export_schema import Table
from visionbatch.io.jsonl import Block, Line, blocks, lines
from visionbatch.pipelines.export_cells import Cells
from visionbatch.pipelines.export_columns import tables_of
from visionbatch.pipelines.export_settings import TableSettings
from visionbatch.pipelines.quarantine import Refused

CHUNK_BYTES = 4 * MIB
"""Bytes of lines that become columns at once, unless a single line is longer."""

_Found: TypeAlias = tuple[list[WorkOrder], Sequence[int], list[Refused]]
"""The records of a block, the line of each, and lines that are none."""


class FileChunk(NamedTuple):
    """Some consecutive lines of a file.

    :param file: its place among the files.
    :param source: what it is called in the tables.
    """

    file: int
    source: str
    blocks: list[Block]


@dataclass(frozen=True)
class Portion:
    """What a chunk of lines holds.

    :param file: place of the file among the files.
    :param records: number of lines that became rows.
    :param broken: the other lines that are not blank, in their order.
    """

    file: int
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


def use_system_memory() -> None:
    """Have Arrow take memory as everybody else in this process does.

    Its own allocator keeps some 40 MiB more than there is ever in use, because what one thread makes another lets go.
    """
    pa.set_memory_pool(pa.system_memory_pool())


class ChunkReader:
    """Reads one chunk after the other and keeps nothing of them."""

    def __init__(self, settings: TableSettings) -> None:
        self._limit = settings.max_line_bytes
        self._reader = RecordReader(assume_utc=settings.assume_utc)

    def portions(self, chunks: Iterable[FileChunk]) -> Iterator[Portion]:
        """What is in some chunks, in their order."""
        return map(self.read, chunks)

    def read(self, chunk: FileChunk) -> Portion:
        """What is in a chunk."""
        try:
            return self._portion(chunk, self._at_once)
        except (Broken, pa.ArrowInvalid):
            # Something deep in one of the records, which shows only when all of them become columns.
            return self._portion(chunk, self._one_by_one)

    def close(self) -> None:
        """Nothing to end, unlike that of `Workers`."""

    def _portion(self, chunk: FileChunk, read: Callable[[Block], _Found]) -> Portion:
        cells = Cells()
        refused: list[Refused] = []
        for block in chunk.blocks:
            records, numbers, broken = read(block)
            cells.add(records, numbers, self._reader.extras)
            self._reader.extras.clear()
            refused += broken
        return Portion(chunk.file, len(cells.lines), tables_of(chunk.source, cells, self._reader), refused)

    def _at_once(self, block: Block) -> _Found:
        """Read a block at once if nothing is special about it."""
        many = self._reader.read_many(block.lines()) if len(block.content) <= self._limit else None
        if many is None:
            return self._one_by_one(block)
        return many, range(block.number, block.number + len(many)), []

    def _one_by_one(self, block: Block) -> _Found:
        records: list[WorkOrder] = []
        numbers: list[int] = []
        broken: list[Refused] = []
        for line in lines(block, self._limit):
            try:
                records.append(self._record(line))
                numbers.append(line.number)
            except Broken as error:
                broken.append(Refused.of(line.number, error.rule, error.reason, line.content))
        return records, numbers, broken

    def _record(self, line: Line) -> WorkOrder:
        if not line.whole:
            raise Broken("line-too-long", f"the line is longer than {self._limit} bytes")
        return self._reader.read(line.content)
