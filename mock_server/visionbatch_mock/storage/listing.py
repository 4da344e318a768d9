"""Pages of a bucket's listing, with prefixes and delimiters, as the JSON API gives them."""

import base64
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from flask import request

from visionbatch_mock.answers import INVALID_PAGE_TOKEN, google_error
from visionbatch_mock.exchange import Unacceptable, current
from visionbatch_mock.faults import Outlook
from visionbatch_mock.storage.objects import StoredObject
from visionbatch_mock.text import whole_number

_BEYOND = frozenset({"matchGlob", "includeFoldersAsPrefixes", "softDeleted"})
"""Parameters that would change what is listed; ignoring one would be a wrong answer."""


MARK = "~"
"""Ours: the first character of a page token, which base64 does not have."""


def list_page(objects: Iterable[StoredObject]) -> dict[str, Any]:
    """The page of a bucket's objects, which come by name, that the current request's query asks for.

    Names and common prefixes are ordered together; a page token is the last of them that was given,
    packed so that no client takes it for a name. Raises `Unacceptable` for a token that is none.
    """
    if beyond := _BEYOND & set(request.args):
        raise Unacceptable(400, google_error(400, f"The mock's listings do not have {sorted(beyond)}."))
    count = _page_items()
    after = _unpack(request.args.get("pageToken", ""))
    left = (entry for entry in _entries(objects) if entry[0] > after)
    entries = list(islice(left, count))
    page: dict[str, Any] = {"kind": "storage#objects"}
    if next(left, None) is not None:
        page["nextPageToken"] = _pack(entries[-1][0])
    _fill(page, entries)
    return page


def page_outlook(**_: str) -> Outlook:
    """Whether the current request goes on with a listing, for the fault plans."""
    return Outlook(continues=bool(request.args.get("pageToken")))


def _page_items() -> int:
    most = current().tenant.behaviour.list_page_items
    asked = whole_number(request.args.get("maxResults", "0"))
    if asked is None:
        raise Unacceptable(400, google_error(400, "Invalid value for maxResults"))
    return min(asked, most) or most


def _pack(name: str) -> str:
    return MARK + base64.urlsafe_b64encode(name.encode()).decode()


def _unpack(token: str) -> str:
    if not token:
        return ""
    try:
        mark, name = token[:1], base64.b64decode(token[1:], b"-_", validate=True).decode()
    except ValueError as cause:
        raise Unacceptable(400, INVALID_PAGE_TOKEN) from cause
    if mark != MARK:
        raise Unacceptable(400, INVALID_PAGE_TOKEN)
    return name


Entry = tuple[str, StoredObject | None, bool]
"""A name, its object if it is listed, and whether it is a common prefix; with `includeTrailingDelimiter` it is both."""


def _entries(objects: Iterable[StoredObject]) -> Iterator[Entry]:
    """Objects and common prefixes that the query wants; in order when the objects are."""
    last: str | None = None
    both = request.args.get("includeTrailingDelimiter") == "true"
    cut_at = _cutter(request.args.get("prefix", ""), request.args.get("delimiter", ""))
    for each in _wanted(objects):
        folder = cut_at(each.name)
        if folder is None:
            yield each.name, each, False
        elif folder != last:
            # An object of exactly the prefix's name comes before all that are below it.
            last = folder
            yield folder, each if both and each.name == folder else None, True


def _wanted(objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
    prefix, first, end = (request.args.get(key) for key in ("prefix", "startOffset", "endOffset"))
    for each in objects:
        name = each.name
        if name.startswith(prefix or "") and name >= (first or "") and (not end or name < end):
            yield each


def _cutter(prefix: str, delimiter: str) -> Callable[[str], str | None]:
    """From a name to the common prefix that stands for it, or None."""

    def cut_at(name: str) -> str | None:
        place = name.find(delimiter, len(prefix)) if delimiter else -1
        return None if place < 0 else name[: place + len(delimiter)]

    return cut_at


def _fill(page: dict[str, Any], entries: list[Entry]) -> None:
    base = request.host_url.rstrip("/")
    items = [each.resource(base) for _, each, _ in entries if each is not None]
    prefixes = [name for name, _, common in entries if common]
    if items:
        page["items"] = items
    if prefixes:
        page["prefixes"] = prefixes
