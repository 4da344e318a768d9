"""How far the fetching of many files has come, as one number."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from visionbatch.transfer.remote import Progress


class Arrivals:
    """Bytes that have arrived, over all files; may be shared by threads.

    :param progress: called with the bytes that are there and those that are expected, 0 when nobody knows.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._guard = threading.Lock()
        self._arrived: dict[Hashable, int] = {}
        self._sum = 0
        self._expected = 0

    def expect(self, count: int) -> None:
        """Add bytes to those that are expected."""
        self._expected += count

    def advance(self, file: Hashable, arrived: int) -> None:
        """Say how many bytes of a file are there."""
        with self._guard:
            self._sum += arrived - self._arrived.get(file, 0)
            self._arrived[file] = arrived
        if self._progress is not None:
            self._progress(self._sum, self._expected)
