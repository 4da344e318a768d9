"""Control planes that threads take turns on, for a plane is for one thread at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock

from visionbatch.io.closing import Closable
from visionbatch.io.control import Credentials, Origin
from visionbatch.io.control_sync import ControlPlane, Keyring


class PlanePool(Closable):
    """Lends a plane to each who asks: the one that came back last, whose connection is warm. All have one credential.

    :param now: see `visionbatch.io.control_sync.ControlPlane`.
    """

    def __init__(self, origin: Origin, credentials: Credentials, *, now: Callable[[], float] = time.time) -> None:
        self._make = partial(ControlPlane, origin, credentials, now=now, keyring=Keyring(credentials, now))
        self._lock = Lock()
        self._idle: list[ControlPlane] = []
        self._closed = False

    def close(self) -> None:
        """Close the connections: those that somebody uses, when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for plane in idle:
            plane.close()

    @contextmanager
    def plane(self) -> Iterator[ControlPlane]:
        """A plane for one flow, for nobody else meanwhile."""
        with self._lock:
            plane = self._idle.pop() if self._idle else self._make()
        try:
            yield plane
        finally:
            with self._lock:
                self._idle.append(plane)
            if self._closed:
                self.close()
