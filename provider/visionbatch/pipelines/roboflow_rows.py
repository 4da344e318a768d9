"""The rows of fetched results as one table: which files hold them, and where each comes from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbatch.errors import ConfigError
from visionbatch.io.folders import Folder
from visionbatch.pipelines.roboflow_manifest import ResultFile
from visionbatch.pipelines.row_settings import RowOrigin, RowSettings, RowSource

if TYPE_CHECKING:
    from visionbatch.pipelines.row_table import RowTable

TABLES = "table"
"""Folder of the table in which all rows are joined."""


def join_results(files: Iterable[ResultFile], folder: Folder, settings: RowSettings) -> dict[str, Any]:
    """Join the rows of all files to one table in the folder; see `visionbatch.pipelines.row_table.join_rows`.

    :return: what the manifest says of it.
    """
    target = folder.target(TABLES)
    table = joiner()(list(_sources(files, folder, settings)), target, settings)
    if folder.spooled:
        for name in table.files:
            folder.keep(f"{TABLES}/{name}")
        shutil.rmtree(target)
    return {**table.to_json(), "location": f"{folder.location.rstrip('/')}/{TABLES}"}


def joiner() -> Callable[[Sequence[RowSource], Path, RowSettings], RowTable]:
    """What joins.

    :raises ConfigError: without the packages of the extra ``parquet``.
    """
    try:
        from visionbatch.pipelines.row_table import join_rows  # noqa: PLC0415  # needs the extra parquet
    except ImportError as error:
        raise ConfigError(
            f"a table of results needs the package {error.name}, which is not installed",
            next_step="Install visionbatch with the extra parquet: visionbatch[parquet].",
        ) from error
    return join_rows


def _sources(files: Iterable[ResultFile], folder: Folder, settings: RowSettings) -> Iterator[RowSource]:
    for file in files:
        inside = {f"{file.place}/{one.path}": one.path for one in file.members}
        for path, name in (inside if file.unpacked else {file.path: file.key.name}).items():
            if settings.takes(name):
                origin = RowOrigin(file.key.batch, file.key.part, file.path if file.unpacked else "", name)
                yield RowSource(origin, partial(folder.opened, path))
