"""Connections that many uploads of one process take turns on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from visionbatch.config import TransferSettings
from visionbatch.io.bandwidth import Bandwidth
from visionbatch.io.clock import Clock
from visionbatch.io.closing import Closable
from visionbatch.io.wire import Wire, WireLimits


class WirePool(Closable):
    """Lends a wire to each upload; who comes when all are lent waits. May be shared by threads.

    A wire that comes back keeps its connection, so that the next upload to the same host spares the handshake.

    :param settings: limits of each wire, how many there are, and how much all of them may send together.
    """

    def __init__(self, settings: TransferSettings, clock: Clock) -> None:
        self._limits = WireLimits.of(settings)
        limit = settings.max_bytes_per_s
        self._bandwidth = Bandwidth(limit, clock) if limit else None
        self._places = BoundedSemaphore(settings.parallel_uploads)
        self._lock = Lock()
        self._idle: list[Wire] = []

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A wire for one upload, for nobody else meanwhile."""
        with self._places:
            with self._lock:
                wire = self._idle.pop() if self._idle else Wire(self._limits, self._bandwidth)
            try:
                yield wire
            finally:
                with self._lock:
                    self._idle.append(wire)
