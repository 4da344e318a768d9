"""Where the command line keeps its run records."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from visionbatch.model.run import RunStore
from visionbatch.pipelines.run_places import held_run, object_record, state_folder

__all__ = ["kept_run", "object_record", "state_directory"]


def state_directory(options: Mapping[str, Any]) -> Path:
    """The folder of run records; see `visionbatch.pipelines.run_places.state_folder`."""
    return state_folder(options.get("state_dir"))


def kept_run(options: Mapping[str, Any], key: str) -> AbstractContextManager[RunStore]:
    """The record of a run, held by this process; see `visionbatch.pipelines.run_places.held_run`.

    :param key: what the same command is known by when it comes again.
    """
    return held_run(key, options.get("run_record") or options.get("state_dir"))
