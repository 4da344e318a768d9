"""A folder that one process at a time works in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visionbatch.errors import AlreadyRunning


@contextmanager
def held(folder: Path, doing: str) -> Iterator[None]:
    """Keep a folder for this process; the system lets go of it when the process ends, however it ends.

    :param doing: what another process is doing when it has the folder, such as ``writes tables to``.
    :raises AlreadyRunning: when another one has it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another process {doing} {folder}") from error
        yield
    finally:
        os.close(handle)
