"""Sending the parts of a batch, several at a time, each noted when the service has it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

from visionbatch.errors import UploadStalled, VisionBatchError
from visionbatch.pipelines.stage_cargo import Cargo
from visionbatch.pipelines.stage_notes import StageNotes

log = logging.getLogger(__name__)


MOST_FAILURES = 8
"""Parts whose own retries were in vain, until the service or the line is taken for broken."""


class Halted(BaseException):
    """Raised in a thread that sends, because another one has met the end; never leaves this room."""


class PartSender:
    """Sends what is missing.

    A part that fails does not keep the others from being sent, so that a later try has little to do. `MOST_FAILURES` of
    them end it, and any that no retry mends.

    :param parallel: parts at a time.
    """

    def __init__(self, cargo: Cargo, notes: StageNotes, parallel: int, stop: Event) -> None:
        self._cargo = cargo
        self._notes = notes
        self._parallel = parallel
        self._stop = stop
        self._lock = Lock()
        self._failed: list[tuple[int, VisionBatchError]] = []
        self._broken: BaseException | None = None
        self.sent_bytes = 0

    def send(self) -> None:
        """Send until the service has every part.

        :raises VisionBatchError: what kept the first part from arriving; the others may be there.
        """
        missing = self._notes.missing()
        waiting = iter(missing)
        with ThreadPoolExecutor(min(self._parallel, len(missing)) or 1, "stage") as threads:
            try:
                for each in [threads.submit(self._work, waiting) for _ in range(min(self._parallel, len(missing)))]:
                    each.result()
            except BaseException:
                # Whoever is in the middle of a body hears of it with the next bytes that leave.
                self._stop.set()
                raise
        if self._broken is not None:
            raise self._broken
        if self._failed:
            raise self._summary(len(missing))

    def _work(self, waiting: Iterator[int]) -> None:
        while not self._stop.is_set():
            with self._lock:
                unit = next(waiting, None)
            if unit is None:
                return
            try:
                self._one(unit)
            except VisionBatchError as error:
                self._take_in(unit, error)
            except Halted:
                return
            except BaseException as error:  # noqa: BLE001  # it is raised where the parts are waited for
                self._broken = self._broken or error
                self._stop.set()

    def _one(self, unit: int) -> None:
        if not self._cargo.repeatable:
            self._notes.beginning(unit)
        sent = self._cargo.send(unit)
        with self._lock:
            self.sent_bytes += sent.bytes
        self._notes.arrived(unit, shards=sent.shards, duplicated=sent.duplicated, at_once=not self._cargo.repeatable)

    def _take_in(self, unit: int, error: VisionBatchError) -> None:
        if unit not in self._cargo.doubtful:
            self._notes.never_arrived(unit)
        with self._lock:
            self._failed.append((unit, error))
            if not error.retry_safe or len(self._failed) >= MOST_FAILURES:
                self._stop.set()
        log.warning("part %d was not sent: %s", unit + 1, error)

    def _summary(self, parts: int) -> VisionBatchError:
        for _, error in self._failed:
            if not error.retry_safe:
                return error
        numbers = ", ".join(str(unit + 1) for unit, _ in sorted(self._failed)[:10])
        what = f"{len(self._failed)} of {parts} parts were not sent, number {numbers}; {self._failed[0][1].what}"
        asked = getattr(self._failed[0][1], "retry_after_s", None)
        return UploadStalled(what, retry_after_s=asked, next_step="Run again: only what is missing is sent.")
