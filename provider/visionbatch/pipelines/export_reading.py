"""The reading of an export: files to chunks of lines, their rows to files. Needs the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from visionbatch.deepomatic.export_schema import Table
from visionbatch.errors import BrokenLine
from visionbatch.io.jsonl import Block, opened
from visionbatch.model.policy import OnBrokenLine
from visionbatch.model.text import printable
from visionbatch.pipelines.export_chunks import ChunkReader, Portion, chunks
from visionbatch.pipelines.export_files import TableFiles
from visionbatch.pipelines.export_settings import ExportSource, TableSettings
from visionbatch.pipelines.export_versions import Versions
from visionbatch.pipelines.quarantine import FILE_NAME, Quarantine, Refused


class Reading:
    """One pass over the files of an export.

    :param scratch: an empty folder, where the results are left under their final names.
    """

    def __init__(self, scratch: Path, settings: TableSettings) -> None:
        self._settings = settings
        self._reader = ChunkReader(settings)
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
        for told, portion in self._portions(self._chunks(sources)):
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
        """Let go of the files, whatever happened."""
        self._files.close()
        self._versions.close()
        self._quarantine.close()

    def _chunks(self, sources: Iterable[ExportSource]) -> Iterator[tuple[dict[str, Any], list[Block]]]:
        """All chunks of lines, each with the notes about its file."""
        for source in sources:
            told = {"name": source.label, "fingerprint": source.fingerprint, "lines": 0, "records": 0}
            self.inputs.append(told)
            with opened(source.path) as stream:
                for chunk in chunks(stream, self._settings.max_line_bytes):
                    yield told, chunk

    def _portions(
        self, found: Iterable[tuple[dict[str, Any], list[Block]]]
    ) -> Iterator[tuple[dict[str, Any], Portion]]:
        for told, chunk in found:
            yield told, self._reader.read(told["name"], chunk)

    def _refuse(self, source: str, refused: Refused) -> None:
        if self._settings.on_broken_line is OnBrokenLine.FAIL:
            what = f"line {refused.line} of {source} is broken: {refused.reason} [{refused.rule}]"
            raise BrokenLine(printable(what))
        self._quarantine.add(source, refused)
