"""The reading of an export: files to chunks of lines, their rows to files. Needs the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from visionbatch.deepomatic.export_schema import Table
from visionbatch.errors import BrokenLine
from visionbatch.io.jsonl import opened
from visionbatch.model.policy import OnBrokenLine
from visionbatch.model.text import printable
from visionbatch.pipelines.export_chunks import ChunkReader, FileChunk, chunks, use_system_memory
from visionbatch.pipelines.export_files import TableFiles
from visionbatch.pipelines.export_settings import ExportSource, TableSettings
from visionbatch.pipelines.export_versions import Versions
from visionbatch.pipelines.export_workers import Workers
from visionbatch.pipelines.quarantine import FILE_NAME, Quarantine, Refused


class Reading:
    """One pass over the files of an export.

    :param scratch: an empty folder, where the results are left under their final names.
    """

    def __init__(self, scratch: Path, settings: TableSettings) -> None:
        self._settings = settings
        self._pool = pa.default_memory_pool()
        use_system_memory()
        self._reader = ChunkReader(settings) if settings.processes == 1 else Workers(settings)
        self._files = TableFiles(scratch)
        self._versions = Versions(scratch / "versions.sqlite")
        self._quarantine = Quarantine(scratch / FILE_NAME)
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

    def read(self, sources: Iterable[ExportSource]) -> None:
        """Take in files, from old to new.

        :raises BrokenLine: when a line is broken and the policy is to fail.
        """
        for portion in self._reader.portions(self._chunks(sources)):
            told = self.inputs[portion.file]
            for refused in portion.broken:
                self._refuse(told["name"], refused)
            told["lines"] += portion.records + len(portion.broken)
            told["records"] += portion.records
            self._versions.note(portion.tables[Table.WORK_ORDERS]["work_order_id"].to_pylist())
            self._files.write(portion.tables)

    def finish(self) -> None:
        """Write the ends of the files and leave older versions out."""
        self._files.finish()
        self._quarantine.close()
        self.superseded = self._versions.decide(self._files.work_orders())
        if self.superseded:
            self._files.drop(self._versions.superseded)

    def close(self) -> None:
        """Let go of files and processes, whatever happened."""
        self._reader.close()
        self._files.close()
        self._versions.close()
        self._quarantine.close()
        pa.set_memory_pool(self._pool)

    def _chunks(self, sources: Iterable[ExportSource]) -> Iterator[FileChunk]:
        for place, source in enumerate(sources):
            self.inputs.append({"name": source.label, "fingerprint": source.fingerprint, "lines": 0, "records": 0})
            with opened(source.path) as stream:
                for found in chunks(stream, self._settings.max_line_bytes):
                    yield FileChunk(place, source.label, found)

    def _refuse(self, source: str, refused: Refused) -> None:
        if self._settings.on_broken_line is OnBrokenLine.FAIL:
            what = f"line {refused.line} of {source} is broken: {refused.reason} [{refused.rule}]"
            raise BrokenLine(printable(what))
        self._quarantine.add(source, refused)
