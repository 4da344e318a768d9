"""The `x-goog-hash` header, in both directions."""

from collections.abc import Iterable

from flask import request

from visionbatch_mock.storage.sessions import Promise
from visionbatch_mock.storage.spool import Digests

HEADER = "x-goog-hash"


def promise_of_request() -> Promise:
    """The checksums that the current request promises for the whole object."""
    return read_hashes(request.headers.getlist(HEADER))


def read_hashes(headers: Iterable[str]) -> Promise:
    """`crc32c=<base64>,md5=<base64>`, either or both, in one header or in two; one without a value fits nothing."""
    found: dict[str, str] = {}
    for pair in ",".join(headers).split(","):
        name, _, value = pair.strip().partition("=")
        found[name.lower()] = value
    return Promise(found.get("crc32c"), found.get("md5"))


def write_hashes(digests: Digests) -> str:
    """The header of an answer."""
    told = {"crc32c": digests.crc32c, "md5": digests.md5}
    return ",".join(f"{name}={value}" for name, value in told.items() if value is not None)
