"""Work that is done behind somebody's back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread

from visionbatch.io.closing import Closable

STOP_S = 2.0
"""Seconds that closing waits for what is being done."""


class Behind(Closable):
    """Does one thing after another in a thread of its own.

    The interpreter does not wait for it at its end, as it would for an executor's: what is being done may be reading
    from a disk that hangs.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: SimpleQueue[tuple[Future[None], Callable[[], None]] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._pending: list[Future[None]] = []

    def do(self, work: Callable[[], None]) -> Future[None]:
        """Do this when all before it is done; what it raises is raised by the future, `is_busy` and `settle`."""
        future: Future[None] = Future()
        self._pending.append(future)
        self._work.put((future, work))
        if self._thread is None:
            self._thread = Thread(target=self._go, name=self._name, daemon=True)
            self._thread.start()
        return future

    def is_busy(self) -> bool:
        """Whether there is anything left to be done."""
        while self._pending and self._pending[0].done():
            self._pending.pop(0).result()
        return bool(self._pending)

    def settle(self) -> None:
        """Wait until all is done."""
        while self._pending:
            self._pending.pop(0).result()

    def close(self) -> None:
        """Let the thread end behind what it does now, and wait a little; what has not begun is left."""
        while not self._work.empty():
            if (left := self._work.get()) is not None:
                left[0].cancel()
        self._work.put(None)
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _go(self) -> None:
        while (given := self._work.get()) is not None:
            future, work = given
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(None)
