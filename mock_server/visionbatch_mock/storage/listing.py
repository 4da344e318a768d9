"""Pages of a bucket's listing, with prefixes and delimiters."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing asks for: `count` names below `prefix`, from `first` on, before `end`, and after `after`.

    Names in which `delimiter` follows the prefix are cut there into common prefixes; with `both`, an object of exactly
    such a name is listed beside it.
    """

    count: int
    after: str = ""
    prefix: str = ""
    delimiter: str = ""
    first: str = ""
    end: str = ""
    both: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes, each by name, and the last name of both if there are more."""

    objects: list[StoredObject]
    prefixes: list[str]
    last: str | None


def page_of(objects: Iterable[StoredObject], wanted: Wanted) -> Page:
    """The page of a bucket's objects, which come by name. Names and common prefixes are ordered together."""
    found = _entries(objects, wanted)
    entries = list(islice(found, wanted.count))
    more = bool(entries) and next(found, None) is not None
    listed = [each for _, each, _ in entries if each is not None]
    return Page(listed, [name for name, _, common in entries if common], entries[-1][0] if more else None)


def list_page(objects: Iterable[StoredObject]) -> dict[str, Any]:
    """The page that the current request's query asks for, as the JSON API gives it.

    A page token is the last name that was given, packed so that no client takes it for a name. Raises `Unacceptable`
    for a token that is none.
    """
    told = request.args
    if beyond := _BEYOND & set(told):
        raise Unacceptable(400, google_error(400, f"The mock's listings do not have {sorted(beyond)}."))
    wanted = Wanted(
        page_items(told.get("maxResults")),
        unpacked(told.get("pageToken", "")),
        told.get("prefix", ""),
        told.get("delimiter", ""),
        told.get("startOffset", ""),
        told.get("endOffset", ""),
        told.get("includeTrailingDelimiter") == "true",
    )
    return _as_json(page_of(objects, wanted))


def _as_json(found: Page) -> dict[str, Any]:
    base, page = request.host_url.rstrip("/"), {"kind": "storage#objects"}
    told = {
        "nextPageToken": None if found.last is None else packed(found.last),
        "items": [each.resource(base) for each in found.objects],
        "prefixes": found.prefixes,
    }
    return {**page, **{key: value for key, value in told.items() if value}}


def page_outlook(**_: str) -> Outlook:
    """Whether the current request goes on with a listing, for the fault plans."""
    return Outlook(continues=bool(request.args.get("pageToken")))


def page_items(asked: str | None) -> int:
    """How many entries a page has at most: as many as asked for, but no more than the setting allows."""
    most, wanted = current().tenant.behaviour.list_page_items, whole_number(asked or "0")
    if wanted is None:
        raise Unacceptable(400, google_error(400, "Invalid value for the number of results"))
    return min(wanted, most) or most


def packed(name: str) -> str:
    """A page token."""
    return MARK + base64.urlsafe_b64encode(name.encode()).decode()


def unpacked(token: str) -> str:
    """The name in a page token, nothing in no token; raises `Unacceptable`."""
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
"""A name, its object if it is listed, and whether it is a common prefix; with `both` it can be either."""


def _entries(objects: Iterable[StoredObject], wanted: Wanted) -> Iterator[Entry]:
    """Objects and common prefixes, in order when the objects are."""
    last = wanted.after
    for each in objects:
        if not _fits(each.name, wanted):
            continue
        folder = _folder(each.name, wanted)
        if folder is None:
            yield each.name, each, False
        elif folder != last:
            # An object of exactly the prefix's name comes before all that are below it.
            last = folder
            yield folder, each if wanted.both and each.name == folder else None, True


def _fits(name: str, wanted: Wanted) -> bool:
    inside = name > wanted.after and name >= wanted.first and not (wanted.end and name >= wanted.end)
    return inside and name.startswith(wanted.prefix)


def _folder(name: str, wanted: Wanted) -> str | None:
    """The common prefix that stands for a name, or None."""
    place = name.find(wanted.delimiter, len(wanted.prefix)) if wanted.delimiter else -1
    return None if place < 0 else name[: place + len(wanted.delimiter)]
