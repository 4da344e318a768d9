"""Run records as files, for schedulers without a state store of their own."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from visionbatch.errors import AlreadyRunning, ConfigError, NoRoom, UnreadableRecord
from visionbatch.io.disk import FULL
from visionbatch.model.run import RunRecord

RUN = "run"
"""Key beside those of the record, which `RunRecord.from_json` passes over."""


class FileRunStore:
    """The record of one run in a private directory, replaced atomically and flushed to the disk.

    :param directory: made with mode 0700 when it is not there.
    :param key: identity of the run, any text; it is hashed into the file's name, and stands in the file for people.
    """

    def __init__(self, directory: Path, key: str) -> None:
        self._directory = directory
        self._key = key
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        self._path = directory / f"{name}.json"

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
        try:
            return RunRecord.parse(text, self._path)
        except UnreadableRecord as error:
            error.next_step = (
                f"Upgrade visionbatch, or begin anew after `visionbatch runs forget {self._path.stem[:12]}`; what the "
                "service has of it goes on there."
            )
            raise

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`.

        :raises NoRoom: when the disk is full; what was kept before stays.
        """
        self._make_directory()
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        with self._room():
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123  # the mode has to be right from the start
                json.dump({**record.to_json(), RUN: self._key}, file)
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
        :raises NoRoom: when the disk is full.
        """
        self._make_directory()
        with ExitStack() as stack:
            with self._room():
                stack.enter_context(held(self._path))
            yield

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            step = "Make room, or name another folder with --state-dir; then run again."
            what = f"no room for the run record {self._path} ({error.strerror})"
            raise NoRoom(what, next_step=step) from error

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self._directory, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise ConfigError(
                f"run records cannot be kept in {self._directory}: {error.strerror}",
                next_step="Name a folder that can be written with --state-dir.",
            ) from error


@contextmanager
def held(record: Path) -> Iterator[None]:
    """Hold a run by its record, readable or not, as `FileRunStore.locked` does.

    The file of the lock stays for ever: were it removed, two processes could hold locks of two files of one name.

    :raises AlreadyRunning: when another process holds it.
    """
    with record.with_suffix(".lock").open("a+") as file:
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


@dataclass(frozen=True)
class KeptRun:
    """A record found in a directory.

    :param key: what the run was called when it was begun; empty in records of version 0.1.
    :param record: ``None`` when the file cannot be read, and ``trouble`` says why.
    :param written: Unix seconds.
    """

    path: Path
    key: str
    record: RunRecord | None
    written: float
    trouble: str = ""


def kept_runs(directory: Path) -> list[KeptRun]:
    """Every record in a directory, the latest first; none when there is no such directory."""
    paths = (path for path in directory.glob("*.json") if re.fullmatch(r"[0-9a-f]{32}", path.stem))
    found = (kept_run(path) for path in paths)
    return sorted((run for run in found if run is not None), key=lambda run: -run.written)


def kept_run(path: Path) -> KeptRun | None:
    """A record as it is now; ``None`` when it is gone."""
    try:
        written, text = path.stat().st_mtime, path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        record = RunRecord.parse(text, path)
        key = json.loads(text).get(RUN)
    except UnreadableRecord as error:
        return KeptRun(path, "", None, written, error.what)
    return KeptRun(path, key if isinstance(key, str) else "", record, written)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
