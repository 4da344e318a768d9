"""An object's description in the headers of the XML API, in both directions.

By Google's page on the XML API's headers. The entity tag of an object is the MD5 of its bytes there, but for
those made of parts, which have no MD5.
"""

import re

from flask import Response, request

from visionbatch_mock.storage.asking import writing
from visionbatch_mock.storage.description import Description, from_header, to_header
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
    "storageClass": "x-goog-storage-class",
    "customTime": "x-goog-custom-time",
}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]")
"""By Google's page on names of buckets; one with dots has to be a domain that was verified."""
_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)


def writing_to(bucket: str, name: str) -> None:
    """Check that the caller may write to the path; raises what `writing` raises.

    A stray call of another service looks like an object in a bucket, so only a name that Google would allow without
    further ado makes one.
    """
    writing(bucket, name, make=_BUCKET.fullmatch(bucket) is not None)


def described() -> Description:
    """What the request's headers say of the object that it makes."""
    told = request.headers
    resource = {key: from_header(told[name]) for key, name in _FIELDS.items() if name in told}
    metadata = {name.lower().removeprefix(META): from_header(value) for name, value in told if _is_meta(name)}
    return Description.of({**resource, "metadata": metadata}, told.get("Content-Type"))


def _is_meta(name: str) -> bool:
    return name.lower().startswith(META)


def promised() -> Promise:
    """The checksums that the request promises for its body: `x-goog-hash`, or an MD5 in `Content-MD5`."""
    promise = promise_of_request()
    return Promise(promise.crc32c, promise.md5 or request.headers.get("Content-MD5"))


def show(response: Response, stored: StoredObject) -> Response:
    """Put what only the XML API tells into the answer to a read."""
    response.headers["ETag"] = stored.entity_tag
    about = stored.description
    told = {"Content-Language": about.content_language, "x-goog-custom-time": about.custom_time}
    told |= {META + name: value for name, value in about.metadata.items() if _NAME.fullmatch(name)}
    sent = {name: to_header(value) for name, value in told.items() if value is not None}
    # What cannot stand in a header can still have come by the JSON API.
    response.headers.extend({name: value for name, value in sent.items() if value is not None})
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
