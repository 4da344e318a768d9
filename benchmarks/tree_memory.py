"""The memory of a process and of all that it has started, together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

EVERY_S = 0.02


class TreeMemory:
    """Looks at a tree of processes while it works; use as a context manager.

    What counts is the proportional set size (PSS): of a page that several processes share, each has its part, so that
    their sum is what they take together. Looking takes CPU of the one who looks, and hardly any of theirs.

    :ivar peak_kib: the highest sum that was seen.
    """

    def __init__(self, pid: int) -> None:
        self.peak_kib = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tree-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            self.peak_kib = max(self.peak_kib, sum(map(pss_kib, family(self._pid))))


def family(pid: int) -> Iterator[int]:
    """A process, its children, and theirs; what has ended meanwhile is left out."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield from family(int(child))


def pss_kib(pid: int) -> int:
    """The proportional set size of a process; 0 when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
