"""An object's description in the headers of the XML API, in both directions.

By Google's page on the XML API's headers. The entity tag of an object is the MD5 of its bytes there, but for
those made of parts, which have no MD5.
"""

import re
from urllib.parse import quote

from flask import Response, request

from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.hashes import HEADER, promise_of_request, write_hashes
from visionbatch_mock.storage.objects import StoredObject
from visionbatch_mock.storage.preconditions import NotChanged, PreconditionFailed
from visionbatch_mock.storage.sessions import Promise

META = "x-goog-meta-"
_FIELDS = {
    "contentEncoding": "Content-Encoding",
    "contentLanguage": "Content-Language",
    "contentDisposition": "Content-Disposition",
    "cacheControl": "Cache-Control",
}
_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F))


def described() -> Description:
    """What the request's headers say of the object that it makes."""
    told = request.headers
    resource = {key: told[name] for key, name in _FIELDS.items() if name in told}
    metadata = {name.lower().removeprefix(META): value for name, value in told if name.lower().startswith(META)}
    return Description.of({**resource, "metadata": metadata}, told.get("Content-Type"))


def promised() -> Promise:
    """The checksums that the request promises for its body: `x-goog-hash`, or an MD5 in `Content-MD5`."""
    promise = promise_of_request()
    return Promise(promise.crc32c, promise.md5 or request.headers.get("Content-MD5"))


def show(response: Response, stored: StoredObject) -> Response:
    """Put what only the XML API tells into the answer to a read."""
    response.headers["ETag"] = stored.entity_tag
    if stored.description.content_language is not None:
        response.headers["Content-Language"] = stored.description.content_language
    for name, value in stored.description.metadata.items():
        # What cannot stand in a header can still have come by the JSON API.
        if _NAME.fullmatch(name):
            response.headers[META + name] = quote(value, safe=_PLAIN)
    return response


def show_written(response: Response, stored: StoredObject) -> Response:
    """Put what is known of an object that was just made into the answer."""
    facts = {
        "ETag": stored.entity_tag,
        HEADER: write_hashes(stored.digests),
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": str(stored.metageneration),
        "x-goog-stored-content-encoding": stored.description.content_encoding or "identity",
        "x-goog-stored-content-length": str(stored.size),
    }
    response.headers.extend(facts)
    return response


def check_entity(stored: StoredObject) -> None:
    """Raise `PreconditionFailed` or `NotChanged` for what `If-Match` and its kin say of a read."""
    tag, updated = stored.entity_tag.strip('"'), int(stored.updated)
    since, until = request.if_modified_since, request.if_unmodified_since
    if request.if_match and tag not in request.if_match:
        raise PreconditionFailed(f"the entity tag is {tag}")
    if until is not None and not request.if_match and updated > until.timestamp():
        raise PreconditionFailed("the object was changed since")
    if tag in request.if_none_match:
        raise NotChanged(f"the entity tag is {tag}")
    if since is not None and not request.if_none_match and updated <= since.timestamp():
        raise NotChanged("the object was not changed since")
