"""What the calls of the object store take and give, for the OpenAPI document.

Some of its routes serve several operations, told apart by the query or a header, and answer each in another form.
"""

from types import MappingProxyType

from visionbatch_mock.operations import Operation
from visionbatch_mock.schemas import (
    BYTES_BODY,
    JSON_BODY,
    MAP,
    NAME,
    TEXT,
    WHOLE,
    Call,
    Query,
    Service,
    list_of,
    open_record,
    or_null,
    record,
)

_OBJECT = open_record(
    {
        "kind": {"const": "storage#object"}, "id": TEXT, "name": TEXT, "bucket": TEXT, "generation": TEXT,
        "metageneration": TEXT, "size": TEXT, "md5Hash": TEXT, "crc32c": TEXT, "etag": TEXT, "timeCreated": TEXT,
        "updated": TEXT, "selfLink": TEXT, "mediaLink": TEXT,
    },
    {"contentType": TEXT, "contentEncoding": TEXT, "metadata": {"type": "object", "additionalProperties": TEXT}},
)  # fmt: skip
_BUCKET = open_record({"kind": {"const": "storage#bucket"}, "id": TEXT, "name": TEXT, "timeCreated": TEXT})
_LISTED = record(
    {"kind": {"const": "storage#objects"}},
    {"items": list_of(_OBJECT), "prefixes": list_of(TEXT), "nextPageToken": TEXT},
)
_HELD = record({"kind": TEXT}, {"permissions": list_of(TEXT)})

_REASON = open_record({"domain": TEXT, "reason": TEXT, "message": TEXT})
_ERROR = record({"error": record({"code": WHOLE, "message": TEXT, "errors": list_of(_REASON)})})

_PLAIN = {"type": ["string", "number", "boolean", "null"]}
_TOLD = open_record(
    {},
    {
        **{f"content{word}": or_null(TEXT) for word in ("Type", "Encoding", "Language", "Disposition")},
        "cacheControl": or_null(TEXT),
        "metadata": or_null({"type": "object", "additionalProperties": _PLAIN}),
    },
)


def _texts(*names: str) -> tuple[Query, ...]:
    return tuple(Query(name, TEXT) for name in names)


_CONDITIONS = tuple(
    Query(f"if{what}{how}", WHOLE) for what in ("Generation", "Metageneration") for how in ("Match", "NotMatch")
)
_GENERATION = Query("generation", TEXT)
_LISTING = (
    *_texts("prefix", "delimiter", "startOffset", "endOffset", "pageToken"),
    Query("maxResults", WHOLE),
)
_XML_LISTING = (*_texts("prefix", "delimiter", "marker", "continuation-token"), Query("max-keys", WHOLE))
_RANGE = Query("Range", TEXT, place="header")
_TYPES = {"enum": ["resumable", "media", "multipart"]}
_UPLOAD = (Query("uploadType", _TYPES), *_texts("name", "upload_id"))
_CHUNK = (Query("upload_id", TEXT), Query("Content-Range", TEXT, place="header"))
_INCOMPLETE = {308: None, 503: None}
"""How far an upload is, and the refusal of bytes that would leave a gap."""

_UPLOADS = "/upload/storage/v1/b/{bucket}/o"
_XML = "/{bucket}/{name}"
_FILE = Call(None, 200, None, (_RANGE,), also={206: None})
_DESCRIBED = Call(or_null(_TOLD), 200, _OBJECT, _CONDITIONS)

SERVICE = Service(
    "storage",
    "The object store of visionbatch-mock",
    "As much of Google's JSON and XML APIs as its clients need, upload sessions, and the links of mailed exports.",
    frozenset({"storage", "xml_api", "buckets", "batch_requests", "export_links"}),
    MappingProxyType(
        {
            Operation.BUCKETS_LIST: Call(
                None, 200, record({"kind": TEXT, "items": list_of(_BUCKET)}), (Query("prefix", TEXT),)
            ),
            Operation.BUCKETS_INSERT: Call(open_record({"name": NAME}), 200, _BUCKET),
            Operation.BUCKETS_GET: Call(None, 200, _BUCKET),
            Operation.BUCKETS_DELETE: Call(None, 204, None),
            Operation.BUCKETS_TEST_PERMISSIONS: Call(
                None, 200, _HELD, (Query("permissions", list_of(TEXT), required=True),)
            ),
            Operation.OBJECTS_LIST: Call(None, 200, _LISTED, _LISTING),
            Operation.OBJECTS_PATCH: _DESCRIBED,
            Operation.OBJECTS_DELETE: Call(None, 204, None, (_GENERATION, *_CONDITIONS)),
            Operation.OBJECTS_REWRITE: Call(or_null(_TOLD), 200, MAP, _CONDITIONS),
            Operation.EXPORTS_LINK: _FILE,
            ("get", "/storage/v1/b/{bucket}/o/{name}"): Call(
                None, 200, None, (Query("alt", {"enum": ["json", "media"]}), _GENERATION, *_CONDITIONS, _RANGE),
                also={206: None, 304: None},
            ),
            ("get", "/download/storage/v1/b/{bucket}/o/{name}"): Call(
                None, 200, None, (_GENERATION, *_CONDITIONS, _RANGE), also={206: None, 304: None}
            ),
            ("post", _UPLOADS): Call({}, 200, None, _UPLOAD, BYTES_BODY, also=_INCOMPLETE),
            ("put", _UPLOADS): Call({}, 200, None, _CHUNK, BYTES_BODY, also=_INCOMPLETE),
            ("delete", _UPLOADS): Call(None, 200, None, _CHUNK[:1]),
            ("get", "/{bucket}"): Call(None, 200, None, _XML_LISTING, others={"application/xml": TEXT}),
            ("get", _XML): Call(None, 200, None, (_RANGE,), also={206: None, 304: None}),
            ("post", _XML): Call(
                {}, 201, None,
                (Query("x-goog-resumable", {"enum": ["start"]}, place="header"), *_texts("upload_id", "uploadId")),
                BYTES_BODY, also={200: None},
            ),
            ("put", _XML): Call(
                {}, 200, None, (*_CHUNK, *_texts("uploadId", "partNumber")), BYTES_BODY, also=_INCOMPLETE
            ),
            ("delete", _XML): Call(None, 204, None, _texts("upload_id", "uploadId")),
            ("post", "/batch/storage/v1"): Call({}, 200, None, media="multipart/mixed"),
        }
    ),
    {JSON_BODY: _ERROR, "text/plain": TEXT, "application/xml": TEXT},
    {"token": {"type": "http", "scheme": "bearer"}},
    {"verb": {"enum": ["rewriteTo", "copyTo"]}},
)  # fmt: skip
