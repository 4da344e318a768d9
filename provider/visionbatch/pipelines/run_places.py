"""Where runs that no scheduler keeps have their records, and what they are known by when they come again.

The command line and plain Python have the same places and names: what one began, the other goes on with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from visionbatch.errors import ConfigError
from visionbatch.io.run_files import FileRunStore
from visionbatch.io.run_objects import ObjectRunStore
from visionbatch.model.run import RunRecord, RunStore
from visionbatch.pipelines.stage_notes import NOTE

if TYPE_CHECKING:
    from visionbatch.deepomatic.settings import DeepomaticSettings
    from visionbatch.roboflow.settings import RoboflowSettings
    from visionbatch.vias.settings import ViasSettings

NO_PLACE = "Name a folder with --state-dir, or set VISIONBATCH_STATE_DIR."


def state_folder(given: str | Path | None = None) -> Path:
    """The folder of run records: the one asked for, else the user's own.

    :raises ConfigError: when there is neither.
    """
    named = given or os.environ.get("VISIONBATCH_STATE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "visionbatch"
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    # An empty HOME is none: it would be the root of the file system, or wherever the process happens to be.
    if not home.is_absolute() or home == Path(home.anchor):
        raise ConfigError("there is no home directory to keep run records in", next_step=NO_PLACE)
    return home / ".local" / "state" / "visionbatch"


@contextmanager
def held_run(key: str, kept_in: str | Path | None = None) -> Iterator[RunStore]:
    """The record of a run, held by this process until the end.

    In a folder the system sees to that; in an object store nothing does, and the scheduler has to.

    :param key: what the run is known by when it comes again.
    :param kept_in: a folder of records; or the address of this one in an object store, see `object_record`.
    :raises AlreadyRunning: when another process of this machine holds it.
    """
    if isinstance(kept_in, str) and "://" in kept_in:
        yield object_record(kept_in)
        return
    store = FileRunStore(state_folder(kept_in), key)
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


def deepomatic_identity(settings: DeepomaticSettings, source: str | Path, run_id: str | None = None) -> str:
    """What a run of a work-order batch is known by: its own name, else the site and the source."""
    return f"deepomatic {run_id or f'{settings.base_url} {Path(source).resolve()}'}"


def job_identity(settings: RoboflowSettings, batch_id: str, workflow_id: str, run_id: str | None = None) -> str:
    """What a run of a Roboflow job is known by: its own name, else the workspace, the batch and the Workflow."""
    # What is not named apart is told apart: other workspaces and services may have a batch of the same id.
    return f"roboflow {run_id or f'{settings.base_url} {settings.workspace} {batch_id} {workflow_id}'}"


def stage_identity(settings: RoboflowSettings, place: str, batch_id: str, run_id: str | None = None) -> str:
    """What the filling of a Roboflow batch is known by: its own name, else the workspace, the source and the batch."""
    return f"roboflow stage {run_id or f'{settings.base_url} {settings.workspace} {place} {batch_id}'}"


def adopted_identity(record: RunRecord, run_id: str) -> str:
    """What a run is known by here that somebody else began: as if it had been given this name when it began."""
    filling = "stage " if NOTE in record.notes else ""
    return f"{record.service} {filling}{run_id}"


def task_identity(settings: ViasSettings, name: str, run_id: str | None = None) -> str:
    """What a run of a VIAS batch task is known by: its own name, else the project and the name of the task.

    :param settings: with the project's id looked up, or the runs of two projects would be one.
    """
    return f"huawei_vias {run_id or f'{settings.base_url} {settings.project_id} {settings.region} {name}'}"
