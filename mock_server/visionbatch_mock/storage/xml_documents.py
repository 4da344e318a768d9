"""The documents of Google's XML API, written and read."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from flask import Response

from visionbatch_mock.answers import status_line

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
"""Of every document but errors; the API is that of Amazon's store."""
TYPE = "application/xml; charset=UTF-8"

Value = str | int | bool
Fields = Iterable[tuple[str, "Value | Fields"]]
"""Elements in order: each with a text, or with elements of its own."""


class MalformedDocument(ValueError):
    """A body that is not the document it should be."""


def document(name: str, fields: Fields) -> Response:
    """A document as an answer."""
    head = f"<?xml version='1.0' encoding='UTF-8'?><{name} xmlns='{NAMESPACE}'>"
    return Response(f"{head}{_inner(fields)}</{name}>", status_line(200), content_type=TYPE)


def _inner(fields: Fields) -> str:
    return "".join(f"<{name}>{_text(value)}</{name}>" for name, value in fields)


def _text(value: "Value | Fields") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value)) if isinstance(value, str | int) else _inner(value)


def parts_of(body: bytes) -> list[tuple[int, str]]:
    """The numbers and entity tags in a `CompleteMultipartUpload`; raises `MalformedDocument`."""
    try:
        # The parser bounds what entities may grow to.
        root = ET.fromstring(body)  # noqa: S314
        found = [{child.tag.rpartition("}")[2]: child.text or "" for child in part} for part in root]
        return [(int(part["PartNumber"]), part["ETag"].strip().strip('"')) for part in found]
    except (ET.ParseError, KeyError, ValueError) as cause:
        raise MalformedDocument(f"expected parts with PartNumber and ETag: {cause}") from cause
