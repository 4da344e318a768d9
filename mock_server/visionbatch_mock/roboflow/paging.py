"""Pages of this service's listings: `pageSize` and `nextPageToken` in, `nextPageToken` out."""

import base64
from collections.abc import Sequence
from typing import Any, TypeVar

from flask import request

from visionbatch_mock.exchange import current
from visionbatch_mock.faults import Outlook
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.text import whole_number

T = TypeVar("T")

MOST_ITEMS = 1000
"""Ours, but for jobs, of which a page holds 100 at most by the vendor's guide."""

LOOP = "bG9vcA"
"""The token of `roboflow_looping_tokens`."""


def page_outlook(**_: str) -> Outlook:
    """Whether the current request goes on with a listing, for the fault plans."""
    return Outlook(continues=bool(request.args.get("nextPageToken")))


def page(
    items: Sequence[T], *, default: int | None = None, most: int = MOST_ITEMS, always: bool = False
) -> tuple[Sequence[T], dict[str, Any]]:
    """The items that the request's query asks for, and the key that tells how it goes on.

    With `always` the key is there on the last page too, whatever the tenant's setting.
    """
    told = current().tenant.behaviour
    size = _size(default or told.roboflow_page_items, most)
    start = _start(request.args.get("nextPageToken", ""))
    stop = start + size
    token = _token(stop) if stop < len(items) else None
    if told.roboflow_looping_tokens:
        token = LOOP
    kept = token is not None or always or told.roboflow_null_tokens
    return items[start:stop], {"nextPageToken": token} if kept else {}


def _size(default: int, most: int) -> int:
    text = request.args.get("pageSize")
    if text is None:
        return default
    size = whole_number(text)
    if size is None or not 1 <= size <= most:
        raise Refused(400, f"pageSize is a whole number from 1 to {most}, not {text!r}")
    return size


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"from {start}".encode()).decode()


def _start(token: str) -> int:
    if not token or token == LOOP:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(" ")
    except ValueError:
        word, number = "", ""
    start = whole_number(number)
    if word != "from" or start is None:
        raise Refused(400, "nextPageToken is not valid")
    return start
