"""From the JSON Lines of a data export to five Parquet tables, in memory that does not grow with the export."""

from __future__ import annotations

import gc
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbatch.deepomatic.export_schema import SCHEMA_VERSION, Table
from visionbatch.errors import ConfigError
from visionbatch.io.described import described
from visionbatch.io.held import held
from visionbatch.io.jsonl import Readable
from visionbatch.model.policy import OnBrokenLine
from visionbatch.pipelines.export_settings import MAX_LINE_BYTES, ExportSource, TableSettings
from visionbatch.pipelines.quarantine import FILE_NAME as QUARANTINE_NAME

if TYPE_CHECKING:
    from visionbatch.pipelines.export_reading import Reading

MANIFEST_NAME = "manifest.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportTables:
    """What was written; the same stands in ``manifest.json``.

    :param rows: rows of each table.
    :param superseded: records that a later version of the same work order replaced.
    :param quarantined: broken lines.
    :param files: size and SHA-256 of each file.
    :param inputs: each file read: name, fingerprint, lines that are not blank, and how many became records.
    """

    folder: Path
    rows: dict[str, int]
    superseded: int
    quarantined: int
    files: dict[str, dict[str, Any]]
    inputs: list[dict[str, Any]]
    schema: int = field(default=SCHEMA_VERSION)

    def path(self, table: str) -> Path:
        """The file of a table.

        :raises ValueError: when there is no such table.
        """
        return self.folder / Table(table).file_name

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, below 4 KB: the files that were read are counted, and listed in the manifest alone."""
        return {**asdict(self), "folder": str(self.folder), "inputs": len(self.inputs)}


def export_tables(
    sources: Iterable[ExportSource | Readable],
    target: Path | str,
    *,
    on_broken_line: str = OnBrokenLine.QUARANTINE,
    assume_utc: bool = False,
    max_line_bytes: int = MAX_LINE_BYTES,
    processes: int = 1,
) -> ExportTables:
    """Tables of all work orders in some files of an export, each work order in its latest version.

    The files appear together when all is done, and replace those of an earlier run; the manifest goes first and comes
    last, so that a folder with a manifest is whole. The same input gives the same bytes. Both types of export are
    read. The memory needed is about 200 MiB in each process and does not grow with the export.

    :param sources: from old to new: of two records with the same date the later one counts.
    :param target: a folder, made when it is not there.
    :param on_broken_line: ``quarantine`` or ``fail``, see `TableSettings`.
    :param processes: how many read lines; several run beside this one, which then only writes. The files are the same.
    :raises ConfigError: for an unknown word, or without the packages of the extra ``parquet``.
    :raises BrokenLine: at the first one, when ``on_broken_line`` is ``fail``; nothing is replaced then.
    :raises InputMissing: when a file is not there.
    :raises SourceUnreadable: when one cannot be read to its end, or a process that reads lines was ended.
    :raises AlreadyRunning: when another process writes to the folder.
    """
    settings = TableSettings.of(
        on_broken_line, assume_utc=assume_utc, max_line_bytes=max_line_bytes, processes=processes
    )
    reading_of = _reading()
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        held(folder, "writes tables to"),
        _scratch(folder) as scratch,
        _collector_off(),
        closing(reading_of(scratch, settings)) as reading,
    ):
        reading.read(source if isinstance(source, ExportSource) else ExportSource(source) for source in sources)
        reading.finish()
        return _publish(scratch, folder, reading)


def _reading() -> type[Reading]:
    try:
        from visionbatch.pipelines.export_reading import Reading  # noqa: PLC0415  # needs the extra parquet
    except ImportError as error:
        raise ConfigError(
            f"tables of an export need the package {error.name}, which is not installed",
            next_step="Install visionbatch with the extra parquet: visionbatch[parquet].",
        ) from error
    return Reading


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder on the same disk, so that its files can be renamed; what a killed process left goes first."""
    for left in folder.glob(".tables-*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=".tables-", suffix=".partial", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _collector_off() -> Iterator[None]:
    """No cycle is ever made, and looking for one among a hundred thousand new records doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _publish(scratch: Path, folder: Path, reading: Reading) -> ExportTables:
    names = [*(table.file_name for table in Table), QUARANTINE_NAME]
    told = ExportTables(
        folder,
        {str(table): count for table, count in reading.rows.items()},
        reading.superseded,
        reading.quarantined,
        {name: described(scratch / name) for name in names},
        reading.inputs,
    )
    manifest = scratch / MANIFEST_NAME
    manifest.write_text(json.dumps({**told.to_json(), "folder": None, "inputs": told.inputs}, indent=1) + "\n")
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    for name in (*names, MANIFEST_NAME):
        (scratch / name).replace(folder / name)
    if told.quarantined:
        log.warning("%d broken lines of the export are in %s", told.quarantined, folder / QUARANTINE_NAME)
    return told
