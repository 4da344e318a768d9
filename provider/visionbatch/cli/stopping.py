"""Ending on a signal: what is under way is left in a state that the same command goes on from."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

GRACE_S = 4.0
"""Seconds to end in an orderly way; schedulers kill after ten, and some after five."""


class Stopped(BaseException):
    """Somebody wants this process to end; nothing on the way may take it for an error that it knows how to handle.

    :param number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it."""
        return 128 + self.number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}; run the same command again to go on"


@contextmanager
def stoppable(leave: Callable[[Stopped], None]) -> Iterator[None]:
    """Turn the signals that end a process into `Stopped`, once; a second one ends it at once.

    A signal that whoever started the process has switched off, as ``nohup`` does, stays so.

    :param leave: ends the process `GRACE_S` later if it is still there, as when its threads wait for a service. What
        they have done is on record by then.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]

    def stop(number: int, _: FrameType | None) -> None:
        for each in heeded:
            signal.signal(each, signal.SIG_DFL)
        watchdog = Timer(GRACE_S, leave, (Stopped(number),))
        watchdog.daemon = True
        watchdog.start()
        raise Stopped(number)

    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])
