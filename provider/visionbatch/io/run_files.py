"""Run records as files, for schedulers without a state store of their own."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visionbatch.errors import AlreadyRunning
from visionbatch.model.run import RunRecord


class FileRunStore:
    """The record of one run in a private directory, replaced atomically and flushed to the disk.

    :param directory: made with mode 0700 when it is not there.
    :param key: identity of the run, any text; it is hashed into the file's name.
    """

    def __init__(self, directory: Path, key: str) -> None:
        self._directory = directory
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        self._path = directory / f"{name}.json"
        self._lock_path = directory / f"{name}.lock"

    @property
    def path(self) -> Path:
        """Where the record lies."""
        return self._path

    def load(self) -> RunRecord | None:
        """See `visionbatch.model.run.RunStore.load`."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return RunRecord.parse(text, self._path)

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123  # the mode has to be right from the start
            json.dump(record.to_json(), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        _sync_directory(self._directory)

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        self._path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; the lock goes with the process, however it ends.

        :raises AlreadyRunning: when another process holds it.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock_path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read(100).strip() or "another process"
                raise AlreadyRunning(f"this run is held by {holder}") from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {os.uname().nodename}\n")
            file.flush()
            yield


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
