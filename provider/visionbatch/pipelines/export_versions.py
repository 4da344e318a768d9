"""Which record of a work order counts, when an export holds several: the one with the greatest ``update_date``.

Most work orders come once. So while they are read nothing is kept of them but a mark in a field of fixed size, at a
place that follows from the id. Those whose place was marked more than once may have come more than once; at the end
they alone are noted in a file beside the tables and sorted there, by SQLite, which sorts outside of the memory that it
is given. So a million work orders take no more memory than a hundred, and at worst about 100 bytes each on the disk.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MEMORY_KIB = 8 * 1024
"""Memory for pages and for sorting, whatever the number of work orders."""

PLACES = 1 << 23
"""One byte each. Of a million work orders that come once, one in nine then shares its place with another."""

_MANY = 2

_SCHEMA = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{MEMORY_KIB};
CREATE TABLE seen (place INTEGER PRIMARY KEY, id TEXT, updated INTEGER, chunk INTEGER, line INTEGER);
CREATE TABLE superseded (chunk INTEGER, line INTEGER);
"""

# Of two with the same date the later place in the export counts.
_DECIDE = """
INSERT INTO superseded
SELECT chunk, line FROM (
  SELECT place, chunk, line, row_number() OVER (PARTITION BY id ORDER BY updated DESC, place DESC) AS version FROM seen
) WHERE version > 1 ORDER BY place
"""


class Dated(NamedTuple):
    """The records of a chunk.

    :param updated: dates of the update, in any unit.
    :param lines: the line of each.
    """

    chunk: int
    ids: list[str]
    updated: list[int]
    lines: list[int]


class Versions:
    """The records seen so far.

    :param path: a file that is not there yet; whoever gave it removes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks = bytearray(PLACES)
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(_SCHEMA)

    def note(self, ids: Iterable[str]) -> None:
        """Mark some records."""
        marks = self._marks
        for name in ids:
            place = hash(name) % PLACES
            marks[place] = _MANY if marks[place] else 1

    def decide(self, records: Iterable[Dated]) -> int:
        """Find the records that do not count, once all are noted; gives their number.

        :param records: the same again, in the order of the export.
        """
        statement = "INSERT INTO seen (id, updated, chunk, line) VALUES (?, ?, ?, ?)"
        with self._changing():
            for found in records:
                self._base.executemany(statement, self._suspected(found))
            count = self._base.execute(_DECIDE).rowcount
            if count:
                self._base.execute("CREATE INDEX by_chunk ON superseded (chunk)")
        return count

    def superseded(self, chunk: int) -> list[int]:
        """The lines of a chunk that do not count."""
        return [line for (line,) in self._base.execute("SELECT line FROM superseded WHERE chunk = ?", (chunk,))]

    def _suspected(self, found: Dated) -> Iterator[tuple[str, int, int, int]]:
        marks = self._marks
        for name, updated, line in zip(found.ids, found.updated, found.lines, strict=True):
            if marks[hash(name) % PLACES] == _MANY:
                yield name, updated, found.chunk, line

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction; what the disk refuses is an error of the disk, as with the other files."""
        try:
            self._base.execute("BEGIN")
            yield
            self._base.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, f"the list of versions cannot be written: {error}", str(self._path)) from error

    def close(self) -> None:
        """Leave the file."""
        self._base.close()
