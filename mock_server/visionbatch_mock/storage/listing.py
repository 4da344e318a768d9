"""Pages of a bucket's listing, with prefixes and delimiters, as the JSON API gives them."""

import base64
from typing import Any

from flask import request

from visionbatch_mock.answers import google_error
from visionbatch_mock.exchange import Unacceptable, current
from visionbatch_mock.faults import Outlook
from visionbatch_mock.storage.objects import StoredObject

_BEYOND = frozenset({"matchGlob", "includeTrailingDelimiter", "includeFoldersAsPrefixes", "softDeleted"})
"""Parameters that would change what is listed; ignoring one would be a wrong answer."""


MARK = "~"
"""Ours: the first character of a page token, which base64 does not have."""


def list_page(objects: list[StoredObject]) -> dict[str, Any]:
    """The page that the current request's query asks for.

    Names and common prefixes are ordered together; a page token is the last of them that was given,
    packed so that no client takes it for a name. Raises `Unacceptable` for a token that is none.
    """
    if beyond := _BEYOND & set(request.args):
        raise Unacceptable(400, google_error(400, f"The mock's listings do not have {sorted(beyond)}."))
    prefix, delimiter = request.args.get("prefix", ""), request.args.get("delimiter", "")
    entries = _entries([o for o in objects if _wanted(o.name, prefix)], prefix, delimiter)
    after = _unpack(request.args.get("pageToken", ""))
    left = [name for name in sorted(entries) if name > after]
    count = _page_items()
    page: dict[str, Any] = {"kind": "storage#objects"}
    if len(left) > count:
        page["nextPageToken"] = _pack(left[count - 1])
    _fill(page, {name: entries[name] for name in left[:count]})
    return page


def page_outlook(**_: str) -> Outlook:
    """Whether the current request goes on with a listing, for the fault plans."""
    return Outlook(continues=bool(request.args.get("pageToken")))


def _page_items() -> int:
    asked = request.args.get("maxResults", "")
    most = current().tenant.behaviour.list_page_items
    return min(int(asked), most) if asked.isdecimal() and int(asked) else most


def _pack(name: str) -> str:
    return MARK + base64.urlsafe_b64encode(name.encode()).decode()


def _unpack(token: str) -> str:
    if not token:
        return ""
    try:
        mark, name = token[:1], base64.urlsafe_b64decode(token[1:].encode()).decode()
    except ValueError as cause:
        raise invalid_page_token() from cause
    if mark != MARK:
        raise invalid_page_token()
    return name


def invalid_page_token() -> Unacceptable:
    """The refusal of a page token that is garbage or too old."""
    return Unacceptable(400, google_error(400, "Invalid Value", locationType="parameter", location="pageToken"))


def _wanted(name: str, prefix: str) -> bool:
    first, end = request.args.get("startOffset", ""), request.args.get("endOffset")
    return name.startswith(prefix) and name >= first and (end is None or name < end)


def _entries(objects: list[StoredObject], prefix: str, delimiter: str) -> dict[str, StoredObject | None]:
    """Objects by name; None stands for a common prefix."""
    entries: dict[str, StoredObject | None] = {}
    for each in objects:
        cut = each.name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            entries[each.name] = each
        else:
            entries[each.name[: cut + len(delimiter)]] = None
    return entries


def _fill(page: dict[str, Any], entries: dict[str, StoredObject | None]) -> None:
    base = request.host_url.rstrip("/")
    items = [each.resource(base) for each in entries.values() if each is not None]
    prefixes = [name for name, each in entries.items() if each is None]
    if items:
        page["items"] = items
    if prefixes:
        page["prefixes"] = prefixes
