"""Which record of a work order counts, when an export holds several: the one with the greatest ``update_date``.

The records are noted in a file beside the tables and sorted there, by SQLite, which sorts outside of the memory that
it is given. So a million work orders take no more memory than a hundred; they take about 100 bytes each on the disk.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY_KIB = 8 * 1024
"""Memory for pages and for sorting, whatever the number of work orders."""

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


class Versions:
    """The records seen so far.

    :param path: a file that is not there yet; whoever gave it removes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(_SCHEMA)

    def add(self, chunk: int, records: Iterable[tuple[str, int, int]]) -> None:
        """Note records in the order of the export.

        :param records: id, date of the update in any unit, line.
        """
        statement = "INSERT INTO seen (id, updated, chunk, line) VALUES (?, ?, ?, ?)"
        with self._changing():
            self._base.executemany(statement, ((name, updated, chunk, line) for name, updated, line in records))

    def decide(self) -> int:
        """Find the records that do not count, once all are noted; gives their number."""
        with self._changing():
            found = self._base.execute(_DECIDE).rowcount
            if found:
                self._base.execute("CREATE INDEX by_chunk ON superseded (chunk)")
        return found

    def superseded(self, chunk: int) -> list[int]:
        """The lines of a chunk that do not count."""
        return [line for (line,) in self._base.execute("SELECT line FROM superseded WHERE chunk = ?", (chunk,))]

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
