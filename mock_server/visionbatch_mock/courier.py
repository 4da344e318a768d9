"""The thread that delivers webhooks, because nobody asks the mock anything while a webhook is waited for.

It lives only while a room has a subscriber who may still be told something. The clock of a tenant can be
moved at any moment, so it looks again and again instead of computing when the next event is due.
"""

import threading
from typing import Protocol

from visionbatch_mock.gate import Gate

TICK_S = 0.05
"""Ours: real seconds between two looks."""


class Sender(Protocol):
    """What is on its way out of a room."""

    def deliver(self) -> None:
        """Try what is due, once."""


class Room(Protocol):
    """Where webhooks come from; `restless` while one may still become due."""

    @property
    def restless(self) -> bool:
        """Whether to look again. A room whose tenant was reset is nobody's any more, and is not."""

    @property
    def gate(self) -> Gate:
        """What keeps everybody out while a moment of the tenant is taken."""

    @property
    def deliveries(self) -> Sender:
        """What is on its way."""

    def settle(self) -> None:
        """Commit what the clock has made due."""


class Courier:
    """Delivers for all rooms of one world until `stopping`.

    What the clock has made due it commits as requests do, while the `gate` is open.
    """

    def __init__(self, stopping: threading.Event, gate: Gate) -> None:
        self._stopping = stopping
        self._gate = gate
        self._lock = threading.Lock()
        self._rooms: set[Room] = set()
        self._thread: threading.Thread | None = None

    def watch(self, room: Room) -> None:
        """Deliver what becomes due in a room, until nothing can any more."""
        with self._lock:
            self._rooms.add(room)
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="visionbatch-mock-courier", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait for the thread's end, once `stopping` is set."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(TICK_S):
            for room in self._watched():
                with self._gate.passing(), room.gate.passing():
                    room.settle()
                # A receiver may ask the mock something before it answers, so nobody is kept out meanwhile.
                room.deliveries.deliver()
            if self._finished():
                return

    def _watched(self) -> list[Room]:
        with self._lock:
            self._rooms = {room for room in self._rooms if room.restless}
            return list(self._rooms)

    def _finished(self) -> bool:
        with self._lock:
            if self._rooms:
                return False
            self._thread = None
            return True
