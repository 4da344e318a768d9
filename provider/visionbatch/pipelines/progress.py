"""Progress of a transfer, as lines in a log."""

from __future__ import annotations

import time
from typing import Any

from visionbatch.config import MIB


class LoggedProgress:
    """One line every few seconds, and one at the end; a `visionbatch.transfer.upload.Progress`.

    :param log: anything with the ``info`` of a standard logger; Airflow hands out its own kind.
    :param every_s: seconds between two lines.
    :param what: first word of each line.
    """

    def __init__(self, log: Any, *, every_s: float = 10.0, what: str = "upload") -> None:
        self._log = log
        self._what = what
        self._every_s = every_s
        self._began = self._told = time.monotonic()
        self._finished = False

    def __call__(self, position: int, total: int) -> None:
        """Take in the position reached; a total of 0 is not known."""
        now = time.monotonic()
        whole = 0 < total <= position
        finished = whole and not self._finished
        if not finished and now - self._told < self._every_s:
            return
        self._told, self._finished = now, whole
        rate = position / max(now - self._began, 1e-3) / MIB
        if total:
            share = 100 * position / total
            self._log.info("%s: %d of %d bytes (%.0f %%), %.1f MiB/s", self._what, position, total, share, rate)
        else:
            self._log.info("%s: %d bytes, %.1f MiB/s", self._what, position, rate)
