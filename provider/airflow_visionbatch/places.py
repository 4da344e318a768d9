"""Paths as Airflow users write them: on the worker's disk, or in any object store Airflow knows."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch import Folder, Landing, RunStore, Sink


def object_store(place: str, conn_id: str | None = None) -> tuple[Any, str]:
    """The filesystem behind an object-store path, and the path in it.

    :param place: such as ``s3://bucket/folder``; the connection may also stand in it, as ``s3://conn@bucket``.
    """
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(place, conn_id=conn_id)
    return path.fs, path.path


def source_place(place: str, conn_id: str | None) -> tuple[Any, str]:
    """Filesystem, ``None`` for the worker's own disk, and path of a source.

    :raises visionbatch.errors.ConfigError: for an empty path, which would be the worker's current folder.
    """
    from visionbatch.errors import ConfigError

    if not place.strip():
        raise ConfigError("the path of the source is empty")
    if "://" not in place:
        return None, place
    if place.startswith("file://") and conn_id is None:
        return None, place.removeprefix("file://")
    return object_store(place, conn_id)


def sink(place: str, conn_id: str | None) -> Sink:
    """Where results are written."""
    from visionbatch import LocalSink, ObjectSink

    filesystem, path = source_place(place, conn_id)
    return LocalSink(Path(path)) if filesystem is None else ObjectSink(filesystem, path, place)


def landing(place: str, conn_id: str | None) -> Landing:
    """Where events are written down one by one."""
    from visionbatch import LocalLanding, ObjectLanding

    filesystem, path = source_place(place, conn_id)
    return LocalLanding(Path(path)) if filesystem is None else ObjectLanding(filesystem, path)


def run_record_beside(place: str, conn_id: str | None, key: str) -> RunStore:
    """The record of a run that belongs to what lies in a place, rather than to a task.

    :param key: what the run is known by there.
    """
    from visionbatch import FileRunStore, ObjectRunStore

    filesystem, path = source_place(place, conn_id)
    if filesystem is None:
        return FileRunStore(Path(path) / ".read", key)
    return ObjectRunStore(filesystem, f"{path.rstrip('/')}/.read/{sha256(key.encode()).hexdigest()[:32]}.json")


def folder(place: str, conn_id: str | None) -> Folder:
    """Where files are fetched to; those for an object store lie on the worker's disk for a while.

    That place is made from the destination's address, so that a later try on this machine finds what has arrived.

    :raises visionbatch.errors.ConfigError: when somebody else could have put files there.
    """
    from visionbatch import LocalFolder, ObjectFolder

    filesystem, path = source_place(place, conn_id)
    if filesystem is None:
        return LocalFolder(Path(path))
    spool = Path(tempfile.gettempdir()) / f"visionbatch-{sha256(place.encode()).hexdigest()[:16]}"
    _make_private(spool)
    return ObjectFolder(filesystem, path, place, spool)


def _make_private(spool: Path) -> None:
    """Make a folder, or take the one of an earlier try: its name can be guessed, and anybody may write beside it."""
    from visionbatch.errors import ConfigError

    with suppress(FileExistsError):
        spool.mkdir(mode=0o700)
    found = spool.lstat()
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if not private or found.st_uid != os.geteuid():
        raise ConfigError(
            f"{spool} is not a folder of this user alone, so what lies there may be somebody else's",
            next_step="Remove it, or set TMPDIR to a folder of the worker's own.",
        )
