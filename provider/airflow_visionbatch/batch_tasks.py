"""A batch task of VIAS as a Dag gives it: typed values, the vendor's JSON, or one over the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch import BatchTask, SecretUrl

RECEIVER_HEADER = "x-visionbatch"
"""The service wants a header for its events, and the receiver needs none."""

NEEDED = ("name", "service_name", "service_version", "groups", "outputs")
"""Fields that have no default."""


def batch_task_of(body: Any, fields: Mapping[str, Any], receiver: SecretUrl | None = None) -> BatchTask:
    """The batch task that arguments ask for, its types checked.

    :param body: request body as the vendor documents it, a mapping or a text of JSON; ``None`` for none.
    :param fields: of `visionbatch.BatchTask`, which take precedence; those that are ``None`` are not given. Groups,
        outputs and schedule are values of ours or the documented JSON.
    :param receiver: where results are posted to as well.
    :raises visionbatch.errors.InvalidInput: for a field of a wrong type, with its path.
    :raises visionbatch.errors.ConfigError: when something is missing.
    """
    from dataclasses import replace

    from visionbatch import BatchTask
    from visionbatch.errors import ConfigError

    given = {name: _read(name, value) for name, value in fields.items() if value is not None}
    if body is not None:
        task = replace(_whole(body), **given)
    else:
        missing = [name for name in NEEDED if name not in given]
        if missing:
            raise ConfigError(f"a batch task needs {', '.join(missing)}, or a body")
        task = BatchTask(**given)
    return task if receiver is None else _posting(task, receiver)


def batch_id_in(value: Any) -> str:
    """The batch that a value names.

    :param value: its id, or the manifest that `ViasCreateBatchTaskOperator` returned.
    :raises visionbatch.errors.ConfigError: for anything else.
    """
    from visionbatch.errors import ConfigError

    named = value.get("batch_id") if isinstance(value, Mapping) else value
    if not isinstance(named, str) or not named.strip():
        raise ConfigError("this names no batch: give its id, or the manifest of the task that made it")
    return named.strip()


def _whole(body: Any) -> BatchTask:
    from visionbatch import BatchTask
    from visionbatch.errors import ConfigError

    if isinstance(body, BatchTask):
        return body
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"the body of the batch task is no JSON ({type(error).__name__})") from error
    return BatchTask.from_json(body)


def _read(name: str, value: Any) -> Any:
    from visionbatch import Outputs, Schedule, VideoSourceGroup

    if name == "groups" and isinstance(value, (list, tuple)):
        return tuple(
            group if isinstance(group, VideoSourceGroup) else VideoSourceGroup.from_json(group, f"groups[{number}]")
            for number, group in enumerate(value)
        )
    if name == "outputs" and not isinstance(value, Outputs):
        return Outputs.from_json(value)
    if name == "schedule" and not isinstance(value, Schedule):
        return Schedule.from_json(value)
    return value


def _posting(task: BatchTask, receiver: SecretUrl) -> BatchTask:
    from dataclasses import replace

    from visionbatch import WebhookOutput
    from visionbatch.errors import ConfigError

    if task.outputs.webhook is not None:
        raise ConfigError("notify does not go with a webhook of the outputs: a batch task has one")
    # Whether it may lead inside the network has been decided with the connection, when the address was made.
    webhook = WebhookOutput(receiver.reveal(), {RECEIVER_HEADER: "1"}, allow_inside=True)
    return replace(task, outputs=replace(task.outputs, webhook=webhook))
