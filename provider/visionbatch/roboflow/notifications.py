"""What Roboflow posts to a webhook, checked for its shape.

Its header, the publishable key, is known to everybody who has seen the workspace, and so authenticates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visionbatch.model.bounded_json import require
from visionbatch.model.notice import Notice, NoticeKind, id_in

SERVICE = "roboflow"

JOB_TYPE = "roboflow-batch-job-notification-v1"
STAGING_TYPE = "roboflow-data-staging-notification-v1"
STAGING_KINDS = {
    "ingest-status-notification-v1": NoticeKind.INGEST,
    "ingest-files-status-notification-v1": NoticeKind.FILES,
}
"""Types of the notification inside one of data staging."""


def roboflow_notice(value: Mapping[str, Any]) -> Notice | None:
    """The notice in a body; ``None`` for a type that is not documented, of which more are to come.

    Claims of an outcome (``job_state``, ``success``, lists of files) are checked and left behind: the lists may be cut,
    and the service tells the rest when it is asked.

    :raises ValueError: for a documented type in another shape.
    """
    kind = value.get("type")
    require(isinstance(kind, str), "type is not a text")
    if kind == JOB_TYPE:
        require(isinstance(value.get("job_state"), str), "job_state is not a text")
        return _notice(value, NoticeKind.JOB, "job_id")
    return _staging(value) if kind == STAGING_TYPE else None


def _staging(value: Mapping[str, Any]) -> Notice | None:
    inner = value.get("notification")
    if not isinstance(inner, dict):
        inner = {}
    require(isinstance(inner.get("type"), str), "the notification has no type")
    require(isinstance(inner.get("success"), bool), "success is neither true nor false")
    kind = STAGING_KINDS.get(inner["type"])
    return None if kind is None else _notice(value, kind, "batch_id")


def _notice(value: Mapping[str, Any], kind: NoticeKind, ref: str) -> Notice:
    attempt = value.get("delivery_attempt", 1)
    require(type(attempt) is int and attempt >= 1, "delivery_attempt is not a number from 1")
    return Notice(SERVICE, kind, id_in(value, "event_id"), id_in(value, ref))
