"""What a service's webhook tells, reduced to what may be believed: that somebody should look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class NoticeKind(StrEnum):
    """What has happened, if it is true."""

    JOB = "job"
    INGEST = "ingest"
    FILES = "files"
    RESULT = "result"


@dataclass(frozen=True)
class Notice:
    """A reason to look at a batch or job now.

    It has no field for the state that the sender claims: whoever holds the receiver's address can claim anything, so
    the service is asked instead.

    :param service: ``roboflow`` or ``huawei_vias``.
    :param event_id: the same in every delivery of one event.
    :param ref: id of the batch, job or task.
    """

    service: str
    kind: NoticeKind
    event_id: str
    ref: str

    def to_json(self) -> dict[str, str]:
        """JSON primitives, for an asset event."""
        return {"service": self.service, "kind": self.kind.value, "event_id": self.event_id, "ref": self.ref}


def id_in(value: Mapping[str, Any], key: str) -> str:
    """An id of a notification: short, of letters, digits and a few marks, so that it can stand in a path or a log.

    :raises ValueError: for anything else.
    """
    found = value.get(key)
    if not isinstance(found, str) or not _ID.fullmatch(found) or set(found) <= {"."}:
        raise ValueError(f"{key} is not an id")
    return found
