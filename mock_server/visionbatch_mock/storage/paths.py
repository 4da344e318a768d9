"""Which paths are the object store's: those of the XML API are whatever no other service wants."""

import re

from werkzeug.routing import BaseConverter

_OTHERS = (
    "v0.2", "v2", "v3", "upload", "download", "storage", "batch", "exports", "data-staging", "batch-processing",
    "staged", "retry_test", "retry_tests", "_control", "_dashboard", "health", "ready", "metrics", "favicon.ico",
)  # fmt: skip
"""First segments of the paths of everything else that the mock serves."""

_BUCKET = rf"(?!(?:{'|'.join(map(re.escape, _OTHERS))})(?:/|$))[^/]+"
_XML = re.compile(rf"/{_BUCKET}(?:/.*)?", re.DOTALL)


class BucketConverter(BaseConverter):
    """The first segment of an XML API path, which must not swallow the other services' paths."""

    regex = _BUCKET
    part_isolating = False


class ObjectConverter(BaseConverter):
    """An object's name: any characters, slashes at its ends included."""

    regex = r"[\s\S]+"
    part_isolating = False


def is_xml_path(path: str) -> bool:
    """Whether a path is one of the XML API: `/bucket` or `/bucket/object`."""
    return _XML.fullmatch(path) is not None
