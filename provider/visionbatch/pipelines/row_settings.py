"""Which files of results hold rows, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import BinaryIO

from visionbatch.config import MIB
from visionbatch.errors import ConfigError
from visionbatch.model.policy import OnBrokenLine

FAILURES = "failed_files_processing_*"
"""What the vendor's own code calls the lists of files that it could not process: rows of another kind."""

PROVENANCE = ("source_batch", "source_part", "source_archive", "source_member", "source_line")
"""First columns of every table: where a row comes from."""


@dataclass(frozen=True)
class RowSettings:
    """How rows become one table.

    :param patterns: names, without folders, of files with rows; those in ``.csv`` are CSV, all others JSON Lines.
    :param leave_out: names that are no rows though a pattern fits.
    :param on_broken_line: ``quarantine`` or ``fail``.
    :param max_line_bytes: a longer line, or cell, is broken. The memory needed grows with it.
    :param max_columns: a line that brings more is broken.
    """

    patterns: tuple[str, ...] = ("*.jsonl", "*.csv")
    leave_out: tuple[str, ...] = (FAILURES,)
    on_broken_line: str = OnBrokenLine.QUARANTINE
    max_line_bytes: int = 16 * MIB
    max_columns: int = 2000

    def __post_init__(self) -> None:
        if self.on_broken_line not in tuple(OnBrokenLine):
            raise ConfigError(f"on_broken_line is quarantine or fail, not {self.on_broken_line!r}")

    def takes(self, path: str) -> bool:
        """Whether a file holds rows."""
        name = PurePosixPath(path).name
        fits = any(fnmatchcase(name, pattern) for pattern in self.patterns)
        return fits and not any(fnmatchcase(name, pattern) for pattern in self.leave_out)


@dataclass(frozen=True, order=True)
class RowOrigin:
    """A file with rows, and where it comes from.

    :param archive: path of the archive it was in; empty when it was in none.
    :param member: its path in the archive, or the name of the file.
    """

    batch: str
    part: str
    archive: str
    member: str

    @property
    def label(self) -> str:
        """For messages and the quarantine."""
        return "/".join(filter(None, (self.archive or f"{self.batch}/{self.part}".rstrip("/"), self.member)))


@dataclass(frozen=True)
class RowSource:
    """The same with a way to read it, which is done twice."""

    origin: RowOrigin
    opened: Callable[[], BinaryIO]
