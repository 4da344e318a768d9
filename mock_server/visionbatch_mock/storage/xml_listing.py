"""A bucket's objects as the XML API lists them, in its first form and in its second (`list-type=2`)."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

from flask import Response, request

from visionbatch_mock.clock import iso
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.faults import Outlook
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.asking import reading
from visionbatch_mock.storage.listing import Page, Wanted, packed, page_items, page_of, unpacked
from visionbatch_mock.storage.objects import StoredObject
from visionbatch_mock.storage.parts import XmlRefusal
from visionbatch_mock.storage.permissions import Permission
from visionbatch_mock.storage.xml_documents import Fields, document
from visionbatch_mock.text import whole_number

TOKEN = "continuation-token"  # noqa: S105 - an argument's name, no password


def _outlook(*_: str) -> Outlook:
    return Outlook(continues=bool(request.args.get(TOKEN) or request.args.get("marker")))


@operation(Operation.OBJECTS_LIST, _outlook)
def list_objects(bucket: str) -> Response:
    """One page of a bucket's objects."""
    told = request.args
    reading(bucket, Permission.OBJECTS_LIST)
    second, after = told.get("list-type") == "2", told.get("marker", "")
    if second:
        after = max(told.get("start-after", ""), unpacked(told.get(TOKEN, "")))
    count = 0 if told.get("max-keys") == "0" else page_items(_number("max-keys"))
    wanted = Wanted(count, after, told.get("prefix", ""), told.get("delimiter", ""))
    page = page_of(current().tenant.objects.listing(bucket), wanted)
    head = _second(wanted, page) if second else _first(wanted, page)
    return document("ListBucketResult", [("Name", bucket), *head, *_entries(page)])


def _number(argument: str) -> str | None:
    told = request.args.get(argument)
    if told is not None and whole_number(told) is None:
        raise XmlRefusal("InvalidArgument", f"{argument} has to be a number, not {told[:20]!r}.")
    return told


def _first(wanted: Wanted, page: Page) -> Fields:
    yield from _both(wanted, page)
    yield "Marker", _shown()(wanted.after)
    if page.last is not None:
        yield "NextMarker", _shown()(page.last)


def _second(wanted: Wanted, page: Page) -> Fields:
    yield from _both(wanted, page)
    yield "KeyCount", len(page.objects) + len(page.prefixes)
    for name, argument in (("ContinuationToken", TOKEN), ("StartAfter", "start-after")):
        if argument in request.args:
            yield name, request.args[argument]
    if page.last is not None:
        yield "NextContinuationToken", packed(page.last)


def _both(wanted: Wanted, page: Page) -> Iterator[tuple[str, str | int | bool]]:
    yield "Prefix", _shown()(wanted.prefix)
    if wanted.delimiter:
        yield "Delimiter", _shown()(wanted.delimiter)
    yield "MaxKeys", wanted.count
    yield "IsTruncated", page.last is not None


def _entries(page: Page) -> Fields:
    shown = _shown()
    for each in page.objects:
        yield "Contents", _object(each, shown)
    for prefix in page.prefixes:
        yield "CommonPrefixes", [("Prefix", shown(prefix))]


def _object(stored: StoredObject, shown: Callable[[str], str]) -> Fields:
    yield "Key", shown(stored.name)
    yield "Generation", stored.generation
    yield "MetaGeneration", stored.metageneration
    yield "LastModified", iso(stored.updated)
    yield "ETag", stored.entity_tag
    yield "Size", stored.size
    yield "StorageClass", stored.description.storage_class or "STANDARD"


def _shown() -> Callable[[str], str]:
    """Names as they are, or percent-encoded where the request wants it."""
    return quote if request.args.get("encoding-type") == "url" else str
