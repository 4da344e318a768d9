"""Reading answers: three shapes of error bodies, the counts of what was done, entries of the two lists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionbatch.errors import NotAuthorized, NotFound, Refused, ServiceError, UnreadableAnswer, VisionBatchError
from visionbatch.flow.call import Trouble, unhappy
from visionbatch.flow.effects import Request, Response
from visionbatch.model.secret import scrubbed
from visionbatch.model.text import TEXT_SHOWN, printable
from visionbatch.vias.settings import ViasSettings

ERRORS_SHOWN = 20
"""Entries of an ``error_list`` that are kept; of 10,000 tasks all may fail."""

COUNTS = ("total_count", "failed_count", "succeed_count")

BATCH_ID = re.compile(r"[a-z0-9_-]{4,36}")
"""An id that is given; looser than the documented 32 hexadecimal digits, as loose as one that is taken."""

_ECHO = re.compile(r"canonicalRequest:.*", re.DOTALL)


@dataclass(frozen=True)
class Complaint:
    """What an unhappy answer says, in whichever of the three shapes; safe to print.

    :param code: such as ``VIAS.00010001`` or ``APIGW.0301``; numbers have seven or eight digits and are not parsed.
    :param advice: what the service says to do.
    """

    code: str = ""
    message: str = ""
    detail: str = ""
    params: str = ""
    reason: str = ""
    advice: str = ""
    request_id: str = ""

    def __str__(self) -> str:
        parts = [
            ": ".join(part for part in (self.code, self.message) if part),
            *(f"{name}: {getattr(self, name)}" for name in ("detail", "params", "reason") if getattr(self, name)),
            f"request id {self.request_id}" if self.request_id else "",
        ]
        return "; ".join(part for part in parts if part)


def complaint_of(response: Response) -> Complaint | None:
    """What an answer of VIAS, of the gateway in front of it or of IAM complains about; ``None`` for anything else."""
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("error"), dict):
        keystone = value["error"]
        value = {"error_code": keystone.get("code"), "error_msg": keystone.get("message"), "reason": None}
    named = {name: _shown(value.get(field)) for name, field in _FIELDS.items()}
    if not named["code"] and not named["message"]:
        return None
    asked = named["request_id"] or _shown(response.headers.get("x-request-id"))
    return Complaint(**{**named, "request_id": asked})


_FIELDS = {
    "code": "error_code",
    "message": "error_msg",
    "detail": "detail",
    "params": "params",
    "reason": "reason",
    "advice": "advice",
    "request_id": "request_id",
}


def _shown(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    # The gateway repeats the request that it has checked, with a temporary key's token in it.
    return printable(" ".join(_ECHO.sub("canonicalRequest (left out)", str(value)).split()), TEXT_SHOWN)


def trouble(settings: ViasSettings) -> Trouble:
    """How unhappy answers are read here: "not found" is a 400, and "not allowed" a 500."""

    def error_of(request: Request, response: Response, now: float) -> VisionBatchError:
        error = unhappy(request, response, now)
        found = complaint_of(response)
        if found is None or not isinstance(error, ServiceError):
            return error
        error = _as_meant(error, found.code, settings)
        error.what = f"{request.method} {request.path} was answered {response.status} {found}"
        error.code = found.code
        error.next_step = found.advice or error.next_step
        return error

    return error_of


def _as_meant(error: ServiceError, code: str, settings: ViasSettings) -> ServiceError:
    if isinstance(error, Refused) and code in settings.not_found_codes:
        return NotFound(error.what, status=error.status)
    if error.status >= 500 and code in settings.not_allowed_codes:
        return Refused(error.what, status=error.status)
    if isinstance(error, NotAuthorized):
        error.next_step = (
            "Check key or password, project and region, the user's VIAS rights, that the account's agency is accepted, "
            "and this machine's clock."
        )
    return error


@dataclass(frozen=True)
class Answer:
    """What creating, updating, starting, stopping or deleting a batch has come to: some of its tasks may have failed.

    :param batch_id: of the batch.
    :param errors: the first `ERRORS_SHOWN`, in the service's words, safe to print.
    :param unlisted: how many more there were.
    """

    batch_id: str
    total: int
    failed: int
    succeeded: int
    errors: tuple[str, ...] = ()
    unlisted: int = 0

    @property
    def reasons(self) -> str:
        """Why tasks failed, on one line."""
        more = f"; and {self.unlisted} more" if self.unlisted else ""
        return f"{'; '.join(self.errors)}{more}" or "no reason given"

    def __str__(self) -> str:
        text = f"{self.succeeded} of {self.total} tasks, {self.failed} failed"
        return f"{text}: {self.reasons}" if self.errors else text

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return {**vars(self), "errors": list(self.errors)}


def answer_of(response: Response) -> Answer:
    """Read such an answer.

    :raises UnreadableAnswer: when its counts are missing, negative or do not add up, or it names no batch; what id
        there is stays with the error.
    """
    value = response.json_object()
    batch_id = value.get("id")
    known = batch_id if isinstance(batch_id, str) and BATCH_ID.fullmatch(batch_id) else ""
    total, failed, succeeded = (_count(value.get(name)) for name in COUNTS)
    if total is None or failed is None or succeeded is None or total != failed + succeeded:
        raise UnreadableAnswer(f"the counts {_counts_shown(value)} do not add up", ref=known)
    if not known:
        raise UnreadableAnswer("the answer names no batch")
    errors = value.get("error_list") or []
    if not isinstance(errors, list):
        raise UnreadableAnswer(f"error_list is {type(errors).__name__}, not an array", ref=known)
    told = (
        scrubbed(str(error).encode("utf-8", "replace"), *response.secrets).decode() for error in errors[:ERRORS_SHOWN]
    )
    shown = tuple(map(_shown, told))
    return Answer(known, total, failed, succeeded, shown, len(errors) - len(shown))


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _counts_shown(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {printable(repr(value.get(name)), 30)}" for name in COUNTS)


@dataclass(frozen=True)
class BatchEntry:
    """A batch as the list shows it.

    :param counters: tasks in each state, as the service writes it.
    :param tasks: ``num_task``, as it is.
    :param facts: the whole entry.
    """

    batch_id: str
    name: str
    counters: Any
    tasks: Any
    facts: Mapping[str, Any]


def entries_of(page: Mapping[str, Any]) -> list[BatchEntry]:
    """The batches on a page of the list; what has no usable id is left out.

    :raises UnreadableAnswer: when there is no list.
    """
    items = page.get("batch_task_list")
    if not isinstance(items, list):
        raise UnreadableAnswer("the list of batch tasks has no batch_task_list")
    return [_entry(item) for item in items if isinstance(item, dict) and _usable(item.get("id"))]


def _entry(item: Mapping[str, Any]) -> BatchEntry:
    name = item.get("batch_task_name")
    counters = item.get("batch_task_status_info")
    return BatchEntry(item["id"], name if isinstance(name, str) else "", counters, item.get("num_task"), item)


def _usable(batch_id: Any) -> bool:
    return isinstance(batch_id, str) and BATCH_ID.fullmatch(batch_id) is not None


def items_of(page: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects on a page of any list.

    :param name: of the field with the list.
    :raises UnreadableAnswer: when there is no list.
    """
    items = page.get(name)
    if not isinstance(items, list):
        raise UnreadableAnswer(f"the list has no {name}")
    return [item for item in items if isinstance(item, dict)]


def id_in(value: Mapping[str, Any], name: str) -> str:
    """The id in an object.

    :raises UnreadableAnswer: when there is none that can be one.
    """
    found = value.get(name)
    if not isinstance(found, str) or not BATCH_ID.fullmatch(found):
        raise UnreadableAnswer(f"the answer has no usable {name}")
    return found
