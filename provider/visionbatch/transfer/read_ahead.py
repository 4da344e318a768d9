"""Reading the next blocks while the last ones are sent."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import Empty, Queue
from threading import Event, Thread

DEPTH = 4
"""Blocks that may wait: enough to even out small files, and no more memory than it takes."""


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
    """Make room until the reader has noticed that nobody wants more: it must not outlive its source."""
    while reader.is_alive():
        try:
            waiting.get_nowait()
        except Empty:
            reader.join(0.01)
