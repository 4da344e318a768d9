"""The XML API of the object store, in plain HTTP: objects, listings, uploads in parts, sessions and its errors."""

import base64
import hashlib
from xml.etree import ElementTree as ET

import google_crc32c
import pytest
import requests

PART = 5 * 1024 * 1024
CONTENT = bytes(range(256)) * 1024
NAMES = ["a/1", "a/2", "a/b/3", "b & c <d>", "e/", "e/4", "z ü"]


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def put(tenant, path: str, data: bytes = CONTENT, **headers: str):
    return tenant.call("PUT", path, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()})


def elements(answer) -> ET.Element:
    """A document without its namespace."""
    assert answer.headers["Content-Type"].startswith("application/xml")
    root = ET.fromstring(answer.content)
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root


def code(answer) -> tuple[int, str | None]:
    return answer.status_code, elements(answer).findtext("Code")


def test_an_object_is_put_described_read_and_removed(tenant):
    told = {
        "Content-Type": "image/jpeg",
        "Cache-Control": "no-cache",
        "Content-Language": "fr",
        "x-goog-meta-crew": "7",
    }
    made = put(tenant, "/photos/a b/ü", x_goog_hash=f"crc32c={crc32c(CONTENT)}", Content_MD5=md5(CONTENT), **told)
    assert (made.status_code, made.content, made.headers["ETag"]) == (200, b"", tag(CONTENT))
    assert made.headers["x-goog-hash"] == f"crc32c={crc32c(CONTENT)},md5={md5(CONTENT)}"
    head = tenant.call("HEAD", "/photos/a b/ü")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert {name: head.headers[name] for name in told} == told
    assert head.headers["x-goog-generation"] == made.headers["x-goog-generation"]
    part = tenant.get("/photos/a b/ü", headers={"Range": "bytes=-10"})
    assert (part.status_code, part.content) == (206, CONTENT[-10:])
    assert tenant.get("/storage/v1/b/photos/o/a%20b%2F%C3%BC").json()["metadata"] == {"crew": "7"}
    assert tenant.call("DELETE", "/photos/a b/ü").status_code == 204
    assert code(tenant.call("DELETE", "/photos/a b/ü")) == (404, "NoSuchKey")
    assert [entry.effect for entry in tenant.effects()] == ["object.created", "object.deleted"]


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"x-goog-hash": "crc32c=AAAAAA=="}, (400, "BadDigest")),
        ({"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, (400, "BadDigest")),
        ({"x-goog-if-generation-match": "1"}, (412, "PreconditionFailed")),
        ({"x-goog-if-metageneration-match": "9"}, (412, "PreconditionFailed")),
        ({"x-goog-if-generation-match": "one"}, (400, "InvalidArgument")),
    ],
)
def test_what_does_not_hold_is_refused_and_nothing_is_written(tenant, headers, refusal):
    assert code(tenant.call("PUT", "/photos/x", data=CONTENT, headers=headers)) == refusal
    assert tenant.effects("object.created") == []


def test_a_generation_is_written_and_removed_once(tenant):
    made = put(tenant, "/photos/x", x_goog_if_generation_match="0")
    assert code(put(tenant, "/photos/x", x_goog_if_generation_match="0")) == (412, "PreconditionFailed")
    generation = made.headers["x-goog-generation"]
    assert put(tenant, "/photos/x", b"new", x_goog_if_generation_match=generation).status_code == 200
    old = {"x-goog-if-generation-match": generation}
    assert code(tenant.call("DELETE", "/photos/x", headers=old)) == (412, "PreconditionFailed")
    assert tenant.get(f"/photos/x?generation={generation}").status_code == 404
    assert len(tenant.effects("object.created")) == 2
    assert tenant.effects("object.deleted") == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": tag(CONTENT)}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": tag(CONTENT)}, 200),
        ({"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "Sat, 01 Jan 2095 00:00:00 GMT"}, 304),
        ({"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
        ({"x-goog-if-generation-match": "1"}, 412),
    ],
)
def test_a_read_keeps_to_its_conditions(tenant, headers, status):
    put(tenant, "/photos/x")
    assert [tenant.call(each, "/photos/x", headers=headers).status_code for each in ("GET", "HEAD")] == [status] * 2


def test_a_copy_has_the_description_of_its_source_or_its_own(tenant):
    put(tenant, "/photos/a b", Content_Type="image/png", x_goog_meta_crew="7")
    kept = put(tenant, "/photos/kept", b"", x_goog_copy_source="photos/a%20b")
    assert elements(kept).findtext("ETag") == tag(CONTENT)
    directive = {"x-goog-metadata-directive": "REPLACE", "Content-Type": "text/plain"}
    put(tenant, "/photos/own", b"", x_goog_copy_source="/photos/a%20b", **directive)
    shown = {name: tenant.call("HEAD", f"/photos/{name}").headers for name in ("kept", "own")}
    assert (shown["kept"]["Content-Type"], shown["kept"]["x-goog-meta-crew"]) == ("image/png", "7")
    assert shown["own"]["Content-Type"].startswith("text/plain")
    assert "x-goog-meta-crew" not in shown["own"]
    assert tenant.get("/photos/own").content == CONTENT
    again = {"x-goog-if-generation-match": "0"}
    assert code(put(tenant, "/photos/own", b"", x_goog_copy_source="photos/kept", **again)) == (
        412,
        "PreconditionFailed",
    )
    assert code(put(tenant, "/photos/x", b"", x_goog_copy_source="photos/nothing")) == (404, "NoSuchKey")
    assert code(put(tenant, "/photos/own", b"", x_goog_copy_source="photos/own")) == (400, "InvalidRequest")


# -- listings


@pytest.fixture
def filled(tenant):
    for name in NAMES:
        put(tenant, f"/photos/{name}", b"x")
    return tenant


def pages(tenant, form: str, query: str, count: int) -> tuple[list[str], list[str]]:
    """Names and common prefixes of all pages of so many entries."""
    names: list[str] = []
    prefixes: list[str] = []
    start, argument, element = {
        "first": ("?", "marker", "NextMarker"),
        "second": ("?list-type=2&", "continuation-token", "NextContinuationToken"),
    }[form]
    more: dict[str, str] = {}
    while True:
        root = elements(tenant.get(f"/photos{start}max-keys={count}{query}", params=more))
        found = [each.text or "" for each in root.findall("Contents/Key")]
        folders = [each.text or "" for each in root.findall("CommonPrefixes/Prefix")]
        assert len(found) + len(folders) <= count
        names, prefixes = names + found, prefixes + folders
        if root.findtext("IsTruncated") == "false":
            return names, prefixes
        more = {argument: root.findtext(element) or ""}


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
@pytest.mark.parametrize("form", ["first", "second"])
def test_all_pages_together_are_the_bucket(filled, form, count):
    assert pages(filled, form, "", count) == (NAMES, [])
    assert pages(filled, form, "&delimiter=/", count) == (["b & c <d>", "z ü"], ["a/", "e/"])
    assert pages(filled, form, "&delimiter=/&prefix=a/", count) == (["a/1", "a/2"], ["a/b/"])
    assert pages(filled, form, "&prefix=e/", count) == (["e/", "e/4"], [])


def test_a_listing_tells_what_it_was_asked_and_begins_after_a_name(filled):
    root = elements(filled.get("/photos?list-type=2&start-after=a/1&delimiter=/&encoding-type=url"))
    assert [each.text for each in root.findall("CommonPrefixes/Prefix")] == ["a/", "e/"]
    assert [each.text for each in root.findall("Contents/Key")] == ["b%20%26%20c%20%3Cd%3E", "z%20%C3%BC"]
    assert (root.findtext("StartAfter"), root.findtext("KeyCount"), root.findtext("Name")) == ("a/1", "4", "photos")
    shown = root.find("Contents")
    assert shown is not None
    assert (shown.findtext("Size"), shown.findtext("ETag")) == ("1", tag(b"x"))
    assert elements(filled.get("/photos?max-keys=0")).findtext("IsTruncated") == "false"


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("?list-type=2&continuation-token=nonsense", (400, "InvalidArgument")),
        ("?max-keys=many", (400, "InvalidArgument")),
        ("?versions", (501, "NotImplemented")),
        ("?acl", (501, "NotImplemented")),
    ],
)
def test_an_argument_that_would_change_the_answer_is_refused(filled, query, refusal):
    assert code(filled.get(f"/photos{query}")) == refusal


def test_a_bucket_that_nobody_made_is_no_route(tenant):
    assert code(tenant.get("/nobodys?list-type=2")) == (404, "NoSuchBucket")
    assert [entry.matched for entry in tenant.inside.journal.entries()] == [False]


def test_a_stray_call_of_another_service_makes_no_bucket(tenant):
    for path in ("/v0.3/batches/1", "/v1/project/tasks", "/Photos/x"):
        assert code(put(tenant, path)) == (404, "NoSuchBucket")
    assert {entry.matched for entry in tenant.inside.journal.entries()} == {False}
    assert tenant.effects() == []


def test_permissions_and_faults_are_told_in_documents(filled):
    plan = filled.plan("storage.objects.list", "return-503")
    assert code(filled.get("/photos")) == (503, "ServiceUnavailable")
    expired = filled.plan("storage.objects.list", "expire-page-token")
    assert filled.get("/photos?list-type=2").status_code == 200
    first = elements(filled.get("/photos?list-type=2&max-keys=1")).findtext("NextContinuationToken")
    assert code(filled.get("/photos", params={"list-type": "2", "continuation-token": first})) == (
        400,
        "InvalidArgument",
    )
    filled.inside.configure(reader_permissions=["storage.objects.get"])
    assert code(filled.get("/photos")) == (403, "AccessDenied")
    assert code(put(filled, "/photos/new")) == (403, "AccessDenied")
    assert (plan.completed, expired.completed) == (True, True)


# -- uploads in parts


class Parts:
    """An upload in parts of one object."""

    def __init__(self, tenant, path: str = "/photos/large", **headers: str) -> None:
        self.tenant, self.path = tenant, path
        begun = elements(tenant.post(f"{path}?uploads", headers=headers))
        self.id = begun.findtext("UploadId")

    def put(self, number: int | str, data: bytes, **headers: str):
        return put(self.tenant, f"{self.path}?partNumber={number}&uploadId={self.id}", data, **headers)

    def complete(self, *listed: tuple[int, str]):
        parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in listed)
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        return self.tenant.post(f"{self.path}?uploadId={self.id}", data=body)

    def abort(self):
        return self.tenant.call("DELETE", f"{self.path}?uploadId={self.id}")


FIRST, LAST = b"1" * PART, b"the rest"


def test_parts_in_any_order_make_one_object_without_an_md5(tenant):
    parts = Parts(tenant, **{"Content-Type": "video/mp4"})
    tags = {number: parts.put(number, data).headers["ETag"] for number, data in ((7, LAST), (2, b"?" * 9), (2, FIRST))}
    assert code(tenant.get("/photos/large")) == (404, "NoSuchKey")
    made = parts.complete((2, tags[2]), (7, tags[7]))
    shown = tenant.get("/storage/v1/b/photos/o/large").json()
    assert (shown["size"], shown["crc32c"]) == (str(PART + len(LAST)), crc32c(FIRST + LAST))
    assert (shown["contentType"], "md5Hash" in shown) == ("video/mp4", False)
    read = tenant.get("/photos/large")
    assert read.content == FIRST + LAST
    assert read.headers["x-goog-hash"] == f"crc32c={crc32c(FIRST + LAST)}"
    assert elements(made).findtext("ETag") == read.headers["ETag"] != tag(FIRST + LAST)
    assert parts.complete((2, tags[2]), (7, tags[7])).content == made.content, "an answer that was lost comes again"
    assert len(tenant.effects("object.created")) == 1
    assert [(entry["part"], entry["size"]) for entry in tenant.effects("parts.stored")] == [
        (7, len(LAST)), (2, 9), (2, PART)
    ]  # fmt: skip
    assert code(parts.put(1, b"late")) == code(parts.abort()) == (404, "NoSuchUpload")


def test_a_list_that_does_not_fit_the_parts_is_refused_and_can_be_mended(tenant):
    parts = Parts(tenant)
    first, last = (parts.put(n, data).headers["ETag"] for n, data in ((1, FIRST), (2, LAST)))
    assert code(parts.complete()) == (400, "InvalidPart")
    assert code(parts.complete((2, last), (1, first))) == (400, "InvalidPartOrder")
    assert code(parts.complete((1, first), (1, first))) == (400, "InvalidPartOrder")
    assert code(parts.complete((1, last), (2, last))) == (400, "InvalidPart")
    assert code(parts.complete((1, first), (3, last))) == (400, "InvalidPart")
    parts.put(3, b"more")
    assert code(parts.complete((1, first), (2, last), (3, tag(b"more")))) == (400, "EntityTooSmall")
    where = f"/photos/large?uploadId={parts.id}"
    assert code(tenant.post(where, data="<Complete")) == (400, "MalformedXML")
    assert code(tenant.post(where, data="<Complete><Part>1</Part></Complete>")) == (400, "MalformedXML")
    assert code(tenant.post("/photos/other?uploadId=" + str(parts.id), data="")) == (404, "NoSuchUpload")
    assert tenant.effects("object.created") == []
    assert parts.complete((1, first.strip('"')), (2, f" {last}\n")).status_code == 200


def test_a_part_is_whole_and_right_or_not_there(tenant):
    parts = Parts(tenant)
    assert code(parts.put(1, LAST, Content_MD5=md5(FIRST))) == (400, "BadDigest")
    for number in ("0", "10001", "one", ""):
        assert code(parts.put(number, LAST)) == (400, "InvalidArgument")
    assert code(parts.put(1, LAST, x_goog_if_generation_match="0")) == (400, "InvalidArgument")
    tenant.plan("storage.parts.put", "reset-mid-body-after-1K")
    with pytest.raises(requests.ConnectionError):
        parts.put(1, FIRST)
    assert tenant.effects("parts.stored") == []
    assert parts.abort().status_code == 204
    assert code(parts.put(1, LAST)) == (404, "NoSuchUpload")
    assert [entry.effect for entry in tenant.effects()] == ["parts.begun", "parts.aborted"]


def test_an_upload_in_parts_comes_back_with_a_snapshot(tenant):
    parts = Parts(tenant)
    first = parts.put(1, FIRST).headers["ETag"]
    moment = tenant.inside.snapshots.take(tenant.mock.world)
    parts.abort()
    tenant.inside.snapshots.restore(tenant.mock.world, moment)
    last = parts.put(2, LAST).headers["ETag"]
    assert parts.complete((1, first), (2, last)).status_code == 200
    assert tenant.get("/photos/large").content == FIRST + LAST


# -- sessions


def test_a_session_keeps_what_its_beginning_said(tenant, upload):
    told = {"Content-Type": "image/png", "Cache-Control": "no-store", "x-goog-meta-crew": "7"}
    begun = tenant.post("/photos/s", headers={"x-goog-resumable": "start", "x-goog-if-generation-match": "0", **told})
    assert (begun.status_code, begun.content) == (201, b"")
    upload.url = begun.headers["Location"]
    assert upload.put(body=CONTENT).headers["x-goog-stored-content-length"] == str(len(CONTENT))
    assert told.items() <= dict(tenant.call("HEAD", "/photos/s").headers).items()
    again = tenant.post("/photos/s", headers={"x-goog-resumable": "start", "x-goog-if-generation-match": "0"})
    upload.url = again.headers["Location"]
    assert code(upload.put(body=CONTENT)) == (412, "PreconditionFailed")
    assert code(tenant.post("/photos/s", data=b"form")) == (405, "MethodNotAllowed")


def test_a_lost_answer_to_the_beginning_is_no_lost_answer_to_the_end(tenant, upload):
    plan = tenant.plan("storage.objects.insert", "drop-response-final")
    begun = tenant.post("/photos/s", headers={"x-goog-resumable": "start"})
    assert (begun.status_code, plan.completed) == (201, False)
    with pytest.raises(requests.ConnectionError):
        put(tenant, "/photos/whole")
    assert plan.completed
    assert tenant.get("/photos/whole").content == CONTENT
