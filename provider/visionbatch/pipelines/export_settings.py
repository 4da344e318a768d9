"""What the tables of an export are made from, and how broken lines are dealt with."""

from __future__ import annotations

from dataclasses import dataclass

from visionbatch.config import KIB, MIB
from visionbatch.errors import ConfigError
from visionbatch.io.jsonl import Readable
from visionbatch.model.policy import OnBrokenLine

MAX_LINE_BYTES = 8 * MIB
"""A line holds a work order with all its analyses; this is thousands of times the usual one."""


@dataclass(frozen=True)
class ExportSource:
    """One file of an export.

    :param path: a `pathlib.Path`, or any path of a filesystem that opens like one; plain or gzip.
    :param name: what the column ``source_file`` says; empty takes the path.
    :param fingerprint: whatever tells this content from another, such as an object's generation; only noted.
    """

    path: Readable
    name: str = ""
    fingerprint: str = ""

    @property
    def label(self) -> str:
        """What the file is called in tables, errors and manifest."""
        return self.name or str(self.path)


@dataclass(frozen=True)
class TableSettings:
    """How an export is read.

    :param on_broken_line: keep broken lines in a file of their own and go on, or fail at the first.
    :param assume_utc: take a time without an offset for UTC; otherwise its line is broken.
    :param max_line_bytes: a longer line is broken. The memory needed grows with it.
    :param processes: how many read lines; one is this process, of several each is another beside it.
    """

    on_broken_line: OnBrokenLine = OnBrokenLine.QUARANTINE
    assume_utc: bool = False
    max_line_bytes: int = MAX_LINE_BYTES
    processes: int = 1

    @classmethod
    def of(cls, on_broken_line: str, *, assume_utc: bool, max_line_bytes: int, processes: int) -> TableSettings:
        """Build from written forms.

        :raises ConfigError: when the policy is an unknown word, the limit is below that of any record, or nobody reads.
        """
        if processes < 1:
            raise ConfigError(f"processes is at least 1, not {processes}")
        if max_line_bytes < KIB:
            raise ConfigError(f"max_line_bytes is at least {KIB}, not {max_line_bytes}")
        try:
            return cls(OnBrokenLine(on_broken_line), assume_utc, max_line_bytes, processes)
        except ValueError as error:
            raise ConfigError(f"on_broken_line is quarantine or fail, not {on_broken_line!r}") from error
