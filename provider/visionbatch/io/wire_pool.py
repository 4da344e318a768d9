"""Connections that many transfers of one process take turns on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore, Lock

from visionbatch.config import TransferSettings
from visionbatch.io.bandwidth import Bandwidth
from visionbatch.io.clock import Clock
from visionbatch.io.closing import Closable
from visionbatch.io.wire import Wire, WireLimits


class WirePool(Closable):
    """Lends a wire to each transfer; may be shared by threads.

    A wire that comes back keeps its connection, so that the next transfer with the same host spares the handshake.

    :param limits: bounds on every exchange.
    :param at_once: wires that are lent at a time; who comes when all are lent waits. ``None`` for as many as are asked
        for.
    :param bandwidth: a limit for all of them together.
    """

    def __init__(
        self, limits: WireLimits | None = None, *, at_once: int | None = None, bandwidth: Bandwidth | None = None
    ) -> None:
        self._limits = limits
        self._bandwidth = bandwidth
        self._places = BoundedSemaphore(at_once) if at_once else nullcontext()
        self._lock = Lock()
        self._idle: list[Wire] = []
        self._closed = False

    @classmethod
    def of(cls, settings: TransferSettings, clock: Clock, *, at_once: int | None = None) -> WirePool:
        """The pool that settings ask for.

        :param at_once: for a caller that has a number of its own.
        """
        limit = settings.max_bytes_per_s
        bandwidth = Bandwidth(limit, clock) if limit else None
        return cls(WireLimits.of(settings), at_once=at_once or settings.parallel_uploads, bandwidth=bandwidth)

    def close(self) -> None:
        """Close the connections: those that somebody uses, when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A wire for one transfer, for nobody else meanwhile."""
        with self._places:
            with self._lock:
                wire = self._idle.pop() if self._idle else Wire(self._limits, self._bandwidth)
            try:
                yield wire
            finally:
                with self._lock:
                    self._idle.append(wire)
                if self._closed:
                    self.close()
