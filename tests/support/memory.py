"""The memory that this process holds, and the most that it has held."""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def peak_memory() -> int:
    """In bytes. What ``getrusage`` says includes the process that started this one, until it became another."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Count what is allocated from here on; gives a function that says how many bytes are still held."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
