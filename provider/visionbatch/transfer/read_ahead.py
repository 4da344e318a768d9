"""Reading a source: its faults told from the network's, and the next blocks read while the last ones are sent."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from queue import Empty, Queue
from threading import Event, Lock, Thread

from visionbatch.errors import SourceUnreadable
from visionbatch.transfer.source import Source

DEPTH = 4
"""Blocks that may wait: enough to even out small files, and no more memory than it takes."""

STOP_S = 2.0
"""Seconds that a reader is waited for when nobody wants more. It may be in the middle of a large file, or of a disk
that hangs; it then ends by itself, and must not hold up a task that has seconds to end."""


QUICK_S = 0.005
"""Seconds that a turn to read is waited for: from memory, eight threads read a block of 256 KiB each in less."""

_TURN = Lock()
"""One for the process, as the interpreter's lock is."""


def readable(source: Source, start: int, stop: int, block_bytes: int) -> Generator[bytes]:
    """A source's blocks.

    :raises SourceUnreadable: when reading fails; without it, that would be taken for the network.
    """
    try:
        yield from source.blocks(start, stop, block_bytes)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceUnreadable(f"{source.name} cannot be read: {reason}") from error


def in_turn(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, for bodies that leave side by side: while reading is quick, one thread reads at a time.

    A photo is three short system calls, and at each of them threads that all want to read would hand each other the
    interpreter's lock: for 5,000 photos 12,000 changes of thread on two idle cores, a sixth of all the CPU. A disk that
    is not quick is asked by all of them at once, for then it is the disk that they wait for.
    """
    while True:
        mine = _TURN.acquire(timeout=QUICK_S)
        try:
            block = next(blocks, None)
        finally:
            if mine:
                _TURN.release()
        if block is None:
            return
        yield block


def ahead(blocks: Iterator[bytes], depth: int = DEPTH) -> Generator[bytes]:
    """The same blocks, read by a thread that is up to ``depth`` of them ahead.

    Reading, CRCs and sending all let go of the interpreter's lock, so that two cores are put to use.

    :raises Exception: whatever reading raises, in its place among the blocks.
    """
    waiting: Queue[bytes | Exception | None] = Queue(depth)
    unwanted = Event()
    reader = Thread(target=_read, args=(blocks, waiting, unwanted), name="read-ahead", daemon=True)
    reader.start()
    try:
        while (block := waiting.get()) is not None:
            if isinstance(block, Exception):
                raise block
            yield block
    finally:
        unwanted.set()
        _drain(waiting, reader)


def _read(blocks: Iterator[bytes], waiting: Queue[bytes | Exception | None], unwanted: Event) -> None:
    last: Exception | None = None
    try:
        for block in blocks:
            if unwanted.is_set():
                return
            waiting.put(block)
    except Exception as error:  # noqa: BLE001  # it is raised where the blocks are used
        last = error
    if not unwanted.is_set():
        waiting.put(last)


def _drain(waiting: Queue[bytes | Exception | None], reader: Thread) -> None:
    """Make room until the reader has noticed that nobody wants more."""
    until = time.monotonic() + STOP_S
    while reader.is_alive() and time.monotonic() < until:
        try:
            waiting.get_nowait()
        except Empty:
            reader.join(0.01)
