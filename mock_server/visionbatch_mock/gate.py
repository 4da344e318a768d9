"""A gate that requests pass through, so that what they change can be written down while nothing changes.

A world has one for all its requests, and each tenant one for its own: a moment of one tenant need not wait for others.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Open to any number of requests at once, or closed to all of them. `passed` counts those that are through."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False
        self.passed = 0

    def __reduce__(self) -> tuple[type["Gate"], tuple[()]]:
        # Who is inside is of this process: what is read back from a state begins with an open gate.
        return (Gate, ())

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Go through; waits while the gate is closed."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """The first half of it, for those who cannot hold a context; `leave` is the other."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1

    def leave(self) -> None:
        """Be through."""
        with self._changed:
            self._inside -= 1
            self.passed += 1
            self._changed.notify_all()

    @contextmanager
    def closed(self, wait_s: float, spared: int = 0) -> Iterator[bool]:
        """Keep requests out; gives whether those inside, but for `spared`, were gone within `wait_s`."""
        with self._changed:
            self._closed = True
        try:
            with self._changed:
                empty = self._changed.wait_for(lambda: self._inside <= spared, wait_s)
            yield empty
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
