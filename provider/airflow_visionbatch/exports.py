"""A data export as Airflow's events and results tell of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch import BucketFile, ExportLayout

SERVICE = "deepomatic_export"
ARRIVAL_BYTES = 2048
"""Room of an arrival as JSON: it goes through Airflow's database, several in one run."""


def layout_of(
    storage_uri: str, patterns: Sequence[str] | None = None, image: str | None = None
) -> tuple[str, ExportLayout]:
    """Bucket and layout of an export.

    :param storage_uri: ``gs://bucket[/prefix]``.
    :raises visionbatch.errors.ConfigError: with the rule that is broken.
    """
    from visionbatch import ExportLayout, bucket_uri

    bucket, prefix = bucket_uri(storage_uri)
    chosen: dict[str, Any] = {"patterns": tuple(patterns)} if patterns else {}
    if image:
        chosen["image"] = image
    return bucket, ExportLayout(prefix, **chosen)


def arrival(bucket: str, prefix: str, files: Sequence[BucketFile]) -> dict[str, Any]:
    """What has arrived, as small JSON: the window in which the files were finished, and names as far as there is room.

    :param files: at least one.
    """
    value: dict[str, Any] = {
        "schema": 1,
        "service": SERVICE,
        "storage_uri": f"gs://{bucket}/{prefix}",
        "count": len(files),
        "bytes": sum(file.size for file in files),
        "since": min(file.created for file in files),
        "until": max(file.created for file in files),
        "files": [],
    }
    room = ARRIVAL_BYTES - len(json.dumps(value))
    for file in files:
        room -= len(json.dumps(file.name)) + 2
        if room < 0:
            break
        value["files"].append(file.name)
    return value


def moment(value: Any) -> float | None:
    """Unix seconds of a moment as a template gives it: a number, ISO 8601, or nothing.

    :raises visionbatch.errors.ConfigError: for anything else, and for a time without an offset.
    """
    from visionbatch.errors import ConfigError

    if value in (None, "", "None"):
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ConfigError(f"{value!r} is not a moment: give ISO 8601 with an offset, or Unix seconds") from error
    if found.tzinfo is None:
        raise ConfigError(f"{value!r} has no offset, so that nobody knows which moment it is")
    return found.astimezone(UTC).timestamp()


def window_of(arrived: Any) -> Mapping[str, Any]:
    """An arrival, checked; several, as the events of one run, become the one that spans them.

    :raises visionbatch.errors.ConfigError: when it is none.
    """
    from visionbatch.errors import ConfigError

    each = list(arrived) if isinstance(arrived, (list, tuple)) else [arrived]
    for one in each:
        if not isinstance(one, Mapping) or one.get("service") != SERVICE or one.get("schema") != 1:
            raise ConfigError("this is no arrival of an export: give a sensor's result or an event's payload")
    if not each or len({one["storage_uri"] for one in each}) != 1:
        raise ConfigError("the arrivals are of several exports, or there is none")
    return {
        "storage_uri": each[0]["storage_uri"],
        "since": min(one["since"] for one in each),
        "until": max(one["until"] for one in each),
    }
