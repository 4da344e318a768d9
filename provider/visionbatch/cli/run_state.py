"""Where the command line keeps its run records, and what it calls them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from visionbatch.errors import ConfigError
from visionbatch.io.run_files import FileRunStore
from visionbatch.io.run_objects import ObjectRunStore
from visionbatch.model.run import RunStore

NO_PLACE = "Name a folder with --state-dir, or set VISIONBATCH_STATE_DIR."


def state_directory(options: Mapping[str, Any]) -> Path:
    """The folder of run records: the one asked for, else the user's own.

    :raises ConfigError: when there is neither.
    """
    if options.get("state_dir"):
        return Path(options["state_dir"])
    base = os.environ.get("XDG_STATE_HOME")
    try:
        return Path(base or Path.home() / ".local" / "state") / "visionbatch"
    except RuntimeError as error:
        raise ConfigError("there is no home directory to keep run records in", next_step=NO_PLACE) from error


@contextmanager
def kept_run(options: Mapping[str, Any], key: str) -> Iterator[RunStore]:
    """The record of a run, held by this process until the end.

    In a folder the system sees to that; in an object store nothing does, and the scheduler has to.

    :param key: what the same command is known by when it comes again.
    :raises AlreadyRunning: when another process of this machine holds it.
    """
    named = options.get("run_record")
    if named:
        yield object_record(named)
        return
    store = FileRunStore(state_directory(options), key)
    with store.locked():
        yield store


def object_record(url: str) -> ObjectRunStore:
    """One record by its address, such as one that Airflow keeps: ``s3://bucket/dag.run.task.-1.json``.

    :raises ConfigError: for an address without a filesystem, or when the package for that is not installed.
    """
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415  # comes with the stores' extras

        filesystem, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{url} cannot be opened: {error}", next_step="Install the package for that store."
        ) from error
    return ObjectRunStore(filesystem, path)
