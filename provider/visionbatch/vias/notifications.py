"""What VIAS posts to a webhook: one event of one task, with its picture, checked for its shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from visionbatch.model.bounded_json import require
from visionbatch.model.notice import Notice, NoticeKind, id_in

SERVICE = "huawei_vias"

_OPTIONAL: dict[str, tuple[type, ...]] = {
    "stream_id": (str,),
    "image_base64": (str, type(None)),
    "data": (dict, type(None)),
}
"""What is left out, or empty, by some algorithms."""


def vias_notice(value: Mapping[str, Any]) -> Notice:
    """The notice in a body: its ``message_id`` is the event's, and its ``task_id`` what it is about.

    The body names no batch: tasks of a batch are listed by the service.

    :raises ValueError: for another shape than the common envelope of all algorithms.
    """
    for key in ("event_type", "timestamp"):
        number = value.get(key)
        require(type(number) is int and 0 <= number < 2**64, f"{key} is not a whole number")
    for key, kinds in _OPTIONAL.items():
        require(key not in value or isinstance(value[key], kinds), f"{key} is of another kind")
    return Notice(SERVICE, NoticeKind.RESULT, id_in(value, "message_id").upper(), id_in(value, "task_id"))


def vias_event_line(value: Mapping[str, Any]) -> bytes:
    """An event as a line of JSON Lines, ASCII only: a lone half of a character pair can be written no other way."""
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
