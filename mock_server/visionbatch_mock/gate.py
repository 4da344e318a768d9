"""A gate that requests pass through, so that the state can be written while nothing changes."""

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

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Go through; waits while the gate is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self.passed += 1
                self._changed.notify_all()

    @property
    def closing(self) -> bool:
        """Whether somebody waits for those inside to leave; whoever stays for long asks now and then."""
        return self._closed

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
