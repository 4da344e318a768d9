"""Pages of a bucket's listing, with prefixes and delimiters, as the JSON API gives them."""

from typing import Any

from flask import request

from visionbatch_mock.storage.objects import StoredObject

PAGE_ITEMS = 1000
"""The JSON API's own greatest page."""


def list_page(objects: list[StoredObject]) -> dict[str, Any]:
    """The page that the current request's query asks for.

    Names and common prefixes are ordered together; a page token is the last of them that was given.
    """
    prefix, delimiter = request.args.get("prefix", ""), request.args.get("delimiter", "")
    entries = _entries([o for o in objects if _wanted(o.name, prefix)], prefix, delimiter)
    after = request.args.get("pageToken", "")
    left = [name for name in sorted(entries) if name > after]
    asked = request.args.get("maxResults", "")
    count = min(int(asked), PAGE_ITEMS) if asked.isdecimal() and int(asked) else PAGE_ITEMS
    page: dict[str, Any] = {"kind": "storage#objects"}
    if len(left) > count:
        page["nextPageToken"] = left[count - 1]
    _fill(page, {name: entries[name] for name in left[:count]})
    return page


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
