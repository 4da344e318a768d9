"""What one task of a Roboflow Dag hands to the next: an id, or the manifest of whoever made the thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def batch_in(value: Any) -> str:
    """The batch that a value names.

    :param value: its id, or the manifest that `RoboflowStageOperator` returned.
    :raises visionbatch.errors.ConfigError: for anything else.
    """
    return _named(value, "batch", unless="outcome")


def job_in(value: Any) -> str:
    """The job that a value names.

    :param value: its id, or the manifest that `RoboflowRunJobOperator` returned.
    :raises visionbatch.errors.ConfigError: for anything else.
    """
    return _named(value, "job", unless="ready_ref")


def ready_ref_in(value: Any, expected: Any = None) -> str:
    """What stands for waiting for a batch.

    :param value: its id, its manifest, which tells how much was sent, or the manifest's ``ready_ref``.
    :param expected: items that were sent, where only the id is known; a text is what templates make of a number.
    :raises visionbatch.errors.ConfigError: for anything else.
    """
    from visionbatch import ready_ref

    if isinstance(value, Mapping) and isinstance(value.get("ready_ref"), str):
        return str(value["ready_ref"])
    batch = batch_in(value)
    if expected in (None, ""):
        return batch
    return ready_ref(batch, int(expected) if str(expected).isdecimal() else expected)


def _named(value: Any, what: str, *, unless: str) -> str:
    """The id in a manifest, which has one key for all services.

    :param unless: what only the manifest of the other thing has.
    """
    from visionbatch.errors import ConfigError

    manifest = value if isinstance(value, Mapping) else {"batch_id": value}
    named = None if unless in manifest else manifest.get("batch_id")
    if not isinstance(named, str) or not named.strip():
        raise ConfigError(f"this names no {what}: give its id, or the manifest of the task that made it")
    return named.strip()
