"""The content of an object as an answer: ranges, hashes of the stored bytes, unpacked gzip.

By Google's pages on downloads and transcoding: the hash is always that of the whole stored object,
whatever part or form of it is sent, and an object that is unpacked on the way has neither a length
nor ranges.
"""

import zlib
from collections.abc import Iterator

from flask import Response, request
from werkzeug.datastructures import Range
from werkzeug.http import http_date, parse_range_header

from visionbatch_mock.answers import error_for, status_line
from visionbatch_mock.exchange import current
from visionbatch_mock.faults import Outlook
from visionbatch_mock.storage.description import DEFAULT_TYPE, to_header
from visionbatch_mock.storage.hashes import HEADER, write_hashes
from visionbatch_mock.storage.objects import NoSuchBucket, StoredObject

BLOCK_BYTES = 256 * 1024
GZIP_WINDOW = 16 + zlib.MAX_WBITS


def content(stored: StoredObject) -> Response:
    """200 with the whole object, 206 with the range asked for, or 416."""
    wanted = _wanted(stored)
    span = _span(stored, wanted)
    if span is None:
        response = error_for(request.path, 416, "The requested range cannot be satisfied.")
        response.headers["Content-Range"] = f"bytes */{stored.size}"
        return response
    unpacked = _unpacks(stored)
    small = current().tenant.small_files.content(stored)
    blocks = read(stored, span.start, span.stop) if small is None else iter((small[span.start : span.stop],))
    kind = to_header(stored.description.content_type or DEFAULT_TYPE)
    response = Response(_gunzip(blocks) if unpacked else blocks, content_type=kind)
    _describe(response, stored, unpacked=unpacked)
    if not unpacked:
        response.headers["Content-Length"] = str(len(span))
    if wanted is not None:
        response.status = status_line(206)
        response.headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    return response


def outlook(bucket: str, name: str) -> Outlook:
    """Which bytes of the object the current request is about to get, for the fault plans."""
    try:
        stored = current().tenant.objects.get(bucket, name)
    except NoSuchBucket:
        stored = None
    return outlook_of(stored)


def outlook_of(stored: StoredObject | None) -> Outlook:
    """The same for an object that is known; an empty range for none, which no fault waits for."""
    if stored is None:
        return Outlook(content=range(0))
    wanted = _wanted(stored)
    return Outlook(content=_span(stored, wanted) or range(0), ranged=wanted is not None)


def read(stored: StoredObject, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of an object from disk, in blocks."""
    # Without a buffer: the blocks are large, and it would double the system calls that a small object takes. Each of
    # them lets go of the interpreter, and a busy server waits long to have it back.
    with stored.path.open("rb", buffering=0) as file:
        if start:
            file.seek(start)
        while start < stop and (block := file.read(min(BLOCK_BYTES, stop - start))):
            start += len(block)
            yield block


def _wanted(stored: StoredObject) -> Range | None:
    """The range asked for; None without one, and where a range cannot or must not be honoured."""
    condition = request.headers.get("If-Range")
    changed = condition is not None and condition.strip('"') not in {stored.etag, stored.entity_tag.strip('"')}
    return None if changed or _unpacks(stored) else parse_range_header(request.headers.get("Range"))


def _span(stored: StoredObject, wanted: Range | None) -> range | None:
    if wanted is None:
        return range(stored.size)
    found = wanted.range_for_length(stored.size)
    return None if found is None else range(*found)


def _unpacks(stored: StoredObject) -> bool:
    return stored.description.transcodes and "gzip" not in request.headers.get("Accept-Encoding", "")


def _describe(response: Response, stored: StoredObject, *, unpacked: bool) -> None:
    told = stored.description
    headers = {
        HEADER: write_hashes(stored.digests),
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": str(stored.metageneration),
        "x-goog-storage-class": told.storage_class or "STANDARD",
        "x-goog-stored-content-encoding": told.content_encoding or "identity",
        "x-goog-stored-content-length": str(stored.size),
        "ETag": f'"{stored.etag}"',
        "Last-Modified": http_date(stored.updated),
        "Accept-Ranges": "none" if unpacked else "bytes",
        "Warning": "214 UploadServer gunzipped" if unpacked else None,
        "Content-Encoding": None if unpacked else told.content_encoding,
        "Content-Disposition": told.content_disposition,
        "Cache-Control": told.cache_control,
        "Vary": "Accept-Encoding" if told.transcodes else None,
    }
    sent = {name: to_header(value) for name, value in headers.items() if value is not None}
    response.headers.extend({name: value for name, value in sent.items() if value is not None})


def _gunzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(GZIP_WINDOW)
    for block in blocks:
        yield unpack.decompress(block)
    yield unpack.flush()
