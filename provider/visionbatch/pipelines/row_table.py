"""Rows of many files as one Parquet table: read twice, first for the columns and then for the values."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from visionbatch.config import MIB
from visionbatch.errors import BrokenLine
from visionbatch.io.described import described
from visionbatch.io.fresh_folder import NOTE, FreshFolder
from visionbatch.model.policy import OnBrokenLine
from visionbatch.model.text import printable
from visionbatch.pipelines.quarantine import FILE_NAME as QUARANTINE
from visionbatch.pipelines.quarantine import Quarantine, Refused
from visionbatch.pipelines.row_columns import Columns
from visionbatch.pipelines.row_reading import BrokenRow, Row, rows_of
from visionbatch.pipelines.row_settings import RowOrigin, RowSettings, RowSource

TABLE = "results.parquet"
GROUP_BYTES = 8 * MIB
"""Bytes of lines in a row group: what is in memory at a time, a few times over."""
GROUP_ROWS = 100_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowTable:
    """What was joined.

    :param sources: files with rows.
    :param columns: what each column of the results holds; ``json`` is JSON text.
    :param quarantined: broken lines.
    :param files: size and SHA-256 of each.
    """

    rows: int
    sources: int
    columns: dict[str, str]
    quarantined: int
    files: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return asdict(self)


def join_rows(sources: Sequence[RowSource], target: Path, settings: RowSettings | None = None) -> RowTable:
    """One table of all rows, and the broken lines, in a folder that shows the old ones or all of the new.

    Columns are `PROVENANCE`, then the union of those of all files, in the order in which they are first met when the
    files are read by batch, part, archive and member. A column has a type when all its values agree, else each value
    stands in it as JSON text. Cells of CSV are text.

    :raises BrokenLine: at the first, when ``on_broken_line`` is ``fail``.
    :raises SourceUnreadable: when a file cannot be read to its end.
    """
    return _Joining(sorted(sources, key=lambda source: source.origin), settings or RowSettings()).into(target)


class _Joining:
    def __init__(self, sources: Sequence[RowSource], settings: RowSettings) -> None:
        self._sources = sources
        self._settings = settings
        self._columns = Columns(settings.max_columns)

    def into(self, target: Path) -> RowTable:
        for _, row in self._read():
            if isinstance(row, Row):
                self._columns.take(row)
        with FreshFolder(target) as fresh:
            with closing(Quarantine(fresh.path / QUARANTINE)) as quarantine:
                count = self._write(fresh.path / TABLE, quarantine)
            files = {name: described(fresh.path / name) for name in (TABLE, QUARANTINE)}
            told = RowTable(count, len(self._sources), self._columns.told(), quarantine.count, files)
            (fresh.path / NOTE).write_text(json.dumps(told.to_json()) + "\n")
            fresh.publish()
        if told.quarantined:
            log.warning("%d broken lines of results are in %s", told.quarantined, target / QUARANTINE)
        return told

    def _write(self, path: Path, quarantine: Quarantine) -> int:
        schema = self._columns.schema()
        count = 0
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
            for rows in self._groups(quarantine):
                writer.write_table(self._columns.table(rows, schema), row_group_size=len(rows))
                count += len(rows)
        return count

    def _groups(self, quarantine: Quarantine) -> Iterator[list[tuple[RowOrigin, Row]]]:
        held: list[tuple[RowOrigin, Row]] = []
        weight = 0
        for origin, row in self._read():
            if isinstance(row, Row) and not self._columns.knows(row):
                reason = f"with it the table has more than {self._settings.max_columns} columns"
                row = BrokenRow(row.line, "too-many-columns", reason, b"")  # noqa: PLW2901  # it is none any more
            if isinstance(row, BrokenRow):
                self._refuse(origin, row, quarantine)
                continue
            held.append((origin, row))
            weight += row.weight
            if weight >= GROUP_BYTES or len(held) >= GROUP_ROWS:
                yield held
                held, weight = [], 0
        if held:
            yield held

    def _read(self) -> Iterator[tuple[RowOrigin, Row | BrokenRow]]:
        for source in self._sources:
            for row in rows_of(source, self._settings.max_line_bytes):
                yield source.origin, row

    def _refuse(self, origin: RowOrigin, row: BrokenRow, quarantine: Quarantine) -> None:
        if self._settings.on_broken_line == OnBrokenLine.FAIL:
            raise BrokenLine(f"line {row.line} of {printable(origin.label, 300)} breaks the rule {row.rule}")
        quarantine.add(origin.label, Refused.of(row.line, row.rule, row.reason, row.content))
